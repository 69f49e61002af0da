package main

import (
	"crypto/x509"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"slices"
	"strings"

	"sallyport/internal/certificates"
	"sallyport/internal/token"
)

// acmeConfig is where certificates come from by themselves (RFC 8555).
type acmeConfig struct {
	Directory       string   `yaml:"directory" example:"https://acme-v02.api.letsencrypt.org/directory" doc:"Address of the authority's directory. It has to reach the listener on port 443 of each host (tls-alpn-01), or challenge_listen on port 80 (http-01)."`
	AcceptTerms     bool     `yaml:"accept_terms" example:"true" doc:"That you have read the terms of the authority and agree to them. Needed."`
	Email           string   `yaml:"email" example:"ops@example.com" doc:"Where the authority may write to about the account."`
	Hosts           []string `yaml:"hosts" example:"[auth.example.com, api.example.com]" doc:"Names to have certificates for. Without them, the hosts of the issuer and of the audiences of guarded APIs."`
	CAFile          string   `yaml:"ca_file" example:"acme-ca.pem" doc:"PEM file with the authority that vouches for directory, where that is not a public one."`
	ChallengeListen string   `yaml:"challenge_listen" example:":80" doc:"Address for challenges over plain HTTP (http-01). Nothing else is answered there, and nothing redirected. Without it, challenges come to listen (tls-alpn-01)."`
}

func (a *acmeConfig) on() bool {
	return a.Directory != "" || a.AcceptTerms || a.Email != "" || len(a.Hosts) > 0 || a.CAFile != "" || a.ChallengeListen != ""
}

// acmeHosts are the names that certificates are for.
func (c *config) acmeHosts() []string {
	if len(c.TLS.ACME.Hosts) > 0 {
		return c.TLS.ACME.Hosts
	}
	hosts := []string{c.issuerHost()}
	for _, audience := range c.audiences() {
		if u, err := url.Parse(audience); err == nil && u.Scheme == "https" && !slices.Contains(hosts, u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

func (c *config) acmeRoots() (*x509.CertPool, error) {
	if c.TLS.ACME.CAFile == "" {
		return nil, nil //nolint:nilnil // those of the system
	}
	text, err := os.ReadFile(c.file(c.TLS.ACME.CAFile))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", c.TLS.ACME.CAFile)
	}
	return pool, nil
}

func (n *node) newCertificates(c *config, ring *token.Ring) (*certificates.Manager, error) {
	roots, err := c.acmeRoots()
	if err != nil {
		return nil, fmt.Errorf("tls.acme.ca_file: %w", err)
	}
	return certificates.New(certificates.Options{
		Hosts: c.acmeHosts(), Directory: c.TLS.ACME.Directory, Roots: roots, Email: c.TLS.ACME.Email,
		Store: n.store.Certificates(), Ring: ring, Now: n.now, Agent: "sallyport",
	}), nil
}

// checkACME judges where certificates come from.
func checkACME(j *judge) {
	a := &j.c.TLS.ACME
	if !a.on() {
		return
	}
	u, err := url.Parse(a.Directory)
	switch {
	case a.Directory == "":
		j.failf("tls.acme.directory", "is missing")
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil:
		j.failf("tls.acme.directory", "is not an https address")
	}
	if !a.AcceptTerms {
		j.failf("tls.acme.accept_terms", "must be true: an authority gives certificates only to those who agree to its terms")
	}
	if _, err := mail.ParseAddress(a.Email); a.Email != "" && err != nil {
		j.failf("tls.acme.email", "%q is not an address", a.Email)
	}
	hosts := j.c.acmeHosts()
	for i, host := range hosts {
		at := "tls.acme.hosts"
		if len(a.Hosts) > 0 {
			at = fmt.Sprintf("tls.acme.hosts[%d]", i)
		}
		if !certificates.Usable(host) {
			j.failf(at, "%q is not a name that an authority can check: write for example auth.example.com", host)
		}
	}
	if host := j.c.issuerHost(); host != "" && !slices.Contains(hosts, strings.ToLower(host)) {
		j.failf("tls.acme.hosts", "lacks %s, the host of the issuer", host)
	}
	if _, err := j.c.acmeRoots(); err != nil {
		j.failf("tls.acme.ca_file", "%v", err)
	}
	if a.ChallengeListen != "" {
		checkAddress(j, "tls.acme.challenge_listen", a.ChallengeListen)
	}
}
