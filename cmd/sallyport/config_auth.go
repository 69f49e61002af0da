package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/token/jose"
)

// attesterConfig is who vouches for instances of apps.
type attesterConfig struct {
	Issuer   string   `yaml:"issuer" need:"yes" example:"https://attest.example.com" doc:"iss of its attestations."`
	JWKSFile string   `yaml:"jwks_file" file:"policy" example:"attester.jwks.json" doc:"File with the public keys that sign them, a JWK Set."`
	JWKSURI  string   `yaml:"jwks_uri" example:"https://attest.example.com/jwks.json" doc:"Where these keys are published, instead of jwks_file."`
	Clients  []string `yaml:"clients" need:"yes" example:"[shop-app]" doc:"client_ids that it may vouch for. For all others its word is worth nothing."`
}

// assertionLife bounds assertion_lifetime.
const (
	minAssertionLife = time.Minute
	maxAssertionLife = time.Hour
)

// clientCAs are the authorities of mtls_client_ca_file, nil without it.
func (c *config) clientCAs() (*x509.CertPool, error) {
	if c.MTLSClientCAFile == "" {
		return nil, nil //nolint:nilnil // no file, no authorities
	}
	return readAuthorities(c.file(c.MTLSClientCAFile))
}

// readAuthorities reads a PEM file of certificates.
func readAuthorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	return pool, nil
}

// oauthAttesters are those of the file with their keys.
func (c *config) oauthAttesters(k *keyFinder) ([]oauth.Attester, error) {
	list := make([]oauth.Attester, 0, len(c.Attesters))
	for i := range c.Attesters {
		a := &c.Attesters[i]
		keys, err := k.ofAttester(c, a)
		if err != nil {
			return nil, fmt.Errorf("keys of attester %s: %w", outbound.Show(a.Issuer), err)
		}
		list = append(list, oauth.Attester{Issuer: a.Issuer, Keys: keys, Clients: a.Clients})
	}
	return list, nil
}

// ofAttester returns the keys of its file, or those at its address, which the
// operator wrote down.
func (k *keyFinder) ofAttester(c *config, a *attesterConfig) (jose.KeySource, error) {
	if a.JWKSURI == "" {
		jwks, err := readKeys(c.file(a.JWKSFile))
		if err != nil {
			return nil, err
		}
		return jose.ParseKeySet([]byte(jwks))
	}
	o, err := attesterDoor(a.JWKSURI)
	if err != nil {
		return nil, err
	}
	return jose.NewRemoteKeys(jose.RemoteOptions{URL: a.JWKSURI, Fetch: outbound.NewClient(o).Get, Now: k.now})
}

// attesterDoor is how the address of an attester's keys may be asked.
func attesterDoor(uri string) (outbound.Options, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return outbound.Options{}, errors.New("jwks_uri is not an address") // url's own error quotes it
	}
	return outbound.Options{AllowLoopback: isLoopback(u.Hostname()), Ports: portOf(u)}, nil
}

// checkAttesters judges who may vouch for apps.
func checkAttesters(j *judge) {
	seen := map[string]bool{}
	for i := range j.c.Attesters {
		at, a := fmt.Sprintf("attesters[%d]", i), &j.c.Attesters[i]
		switch {
		case a.Issuer == "":
			j.failf(at+".issuer", "is missing")
		case seen[a.Issuer]:
			j.failf(at+".issuer", "%s is there twice", outbound.Show(a.Issuer))
		}
		seen[a.Issuer] = true
		if len(a.Clients) == 0 {
			j.failf(at+".clients", "is missing: name the clients that it may vouch for")
		}
		if _, p := j.c.keysProblem(a.JWKSFile, a.JWKSURI); p.Text != "" {
			j.failf(at+"."+p.Path, "%s", p.Text)
		} else if a.JWKSURI != "" {
			if o, err := attesterDoor(a.JWKSURI); err == nil {
				if why := unaskedProblem(o, a.JWKSURI, ""); why != "" {
					j.failf(at+".jwks_uri", "%s", why)
				}
			}
		}
	}
}

// checkClientAuth judges whether each client can prove who it is here.
func checkClientAuth(j *judge) {
	if life := j.c.AssertionLifetime.std(); life < minAssertionLife || life > maxAssertionLife {
		j.failf("assertion_lifetime", "%s is not between %s and %s", life, minAssertionLife, maxAssertionLife)
	}
	if j.c.MTLSClientCAFile != "" {
		if j.c.MTLSListen == "" {
			j.failf("mtls_client_ca_file", "is set without mtls_listen, where certificates are asked for")
		}
		if _, err := j.c.clientCAs(); err != nil {
			j.failf("mtls_client_ca_file", "%v", err)
		}
	}
	checkAttesters(j)
	for i := range j.c.Clients {
		if p := j.c.authProblem(j.c.Clients[i].client()); p.Text != "" {
			j.failf(fmt.Sprintf("clients[%d].%s", i, p.Path), "%s", p.Text)
		}
	}
}

// authProblem says what the deployment lacks for a client to prove who it is,
// from wherever the client came.
func (c *config) authProblem(client oauth.Client) problem {
	const path = "token_endpoint_auth_method"
	method := client.Settings.AuthMethod
	switch method {
	case "tls_client_auth", "self_signed_tls_client_auth":
		if c.MTLSListen == "" && !c.unclear("mtls_listen") {
			return problem{Path: path, Text: method + " needs a listener that asks for certificates: set mtls_listen"}
		}
		if method == "tls_client_auth" && c.MTLSClientCAFile == "" && !c.unclear("mtls_client_ca_file") {
			return problem{Path: path, Text: method + " needs the authorities that sign the certificates: set mtls_client_ca_file"}
		}
	case "attest_jwt_client_auth", "attest_jwt_client_auth_dpop":
		vouched := slices.ContainsFunc(c.Attesters, func(a attesterConfig) bool { return slices.Contains(a.Clients, client.ID) })
		if !vouched && !c.unclear("attesters") {
			return problem{Path: path, Text: method + " needs somebody who vouches for instances of " + client.ID + ": name it in attesters[].clients"}
		}
	}
	return problem{}
}
