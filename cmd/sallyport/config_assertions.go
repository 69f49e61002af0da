package main

import (
	"fmt"
	"net/url"
	"slices"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/token/jose"
)

// assertionIssuer is somebody who says who a service is (RFC 7523): a cluster, a
// build server.
type assertionIssuer struct {
	Issuer       string             `yaml:"issuer" need:"yes" example:"https://kubernetes.default.svc.cluster.local" doc:"Exactly what stands in iss of the assertions."`
	JWKSFile     string             `yaml:"jwks_file" file:"policy" example:"cluster.jwks.json" doc:"File with the issuer's public keys, a JWK Set."`
	JWKSURI      string             `yaml:"jwks_uri" example:"https://token.actions.example.com/.well-known/jwks" doc:"Where the issuer publishes them, instead of jwks_file."`
	JWKSNetworks []string           `yaml:"jwks_networks" example:"[10.0.0.0/8]" doc:"Private networks in which jwks_uri may be."`
	Repeatable   bool               `yaml:"repeatable" example:"true" doc:"Let an assertion be presented again until it expires, as clusters that write them into files need it. Without it, once."`
	Subjects     []assertionSubject `yaml:"subjects" doc:"Whom the issuer may speak for."`
}

type assertionSubject struct {
	Subject  string `yaml:"subject" need:"yes" example:"system:serviceaccount:shop:billing" doc:"Exactly what stands in sub. There are no wildcards."`
	ClientID string `yaml:"client_id" need:"yes" example:"billing" doc:"The service client that it is."`
}

// keysDoor is how the address of an issuer's keys may be asked: the operator wrote
// it down, so it may lie in networks of the operator's.
func (a *assertionIssuer) keysDoor() outbound.Options {
	u, err := url.Parse(a.JWKSURI)
	if err != nil {
		return outbound.Options{}
	}
	return outbound.Options{AllowLoopback: isLoopback(u.Hostname()), Ports: portOf(u), AllowNetworks: networks(a.JWKSNetworks)}
}

// assertionIssuers are those of the configuration, with their keys.
func (k *keyFinder) assertionIssuers(c *config) ([]oauth.AssertionIssuer, error) {
	list := make([]oauth.AssertionIssuer, 0, len(c.AssertionIssuers))
	for i := range c.AssertionIssuers {
		a := &c.AssertionIssuers[i]
		out := oauth.AssertionIssuer{Issuer: a.Issuer, Repeatable: a.Repeatable, Subjects: map[string]string{}}
		for _, s := range a.Subjects {
			out.Subjects[s.Subject] = s.ClientID
		}
		var err error
		if a.JWKSURI != "" {
			out.Keys, err = jose.NewRemoteKeys(jose.RemoteOptions{URL: a.JWKSURI, Fetch: outbound.NewClient(a.keysDoor()).Get, Now: k.now})
		} else {
			var jwks string
			if jwks, err = readKeys(c.file(a.JWKSFile)); err == nil {
				out.Keys, err = jose.ParseKeySet([]byte(jwks))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("assertion_issuers[%d]: %w", i, err)
		}
		list = append(list, out)
	}
	return list, nil
}

func checkAssertionIssuers(j *judge) {
	var seen []string
	for i := range j.c.AssertionIssuers {
		a, at := &j.c.AssertionIssuers[i], fmt.Sprintf("assertion_issuers[%d]", i)
		switch {
		case a.Issuer == "":
			j.failf(at+".issuer", "is missing")
		case a.Issuer == j.c.Issuer:
			j.failf(at+".issuer", "is this issuer, which does not vouch for services to itself")
		case slices.Contains(seen, a.Issuer):
			j.failf(at+".issuer", "%q is there twice", a.Issuer)
		}
		seen = append(seen, a.Issuer)
		checkAssertionKeys(j, at, a)
		checkAssertionSubjects(j, at, a)
	}
}

func checkAssertionKeys(j *judge, at string, a *assertionIssuer) {
	switch {
	case a.JWKSFile == "" && a.JWKSURI == "":
		j.failf(at+".jwks_file", "is missing, and so is jwks_uri: nothing says whose assertions are genuine")
	case a.JWKSFile != "" && a.JWKSURI != "":
		j.failf(at+".jwks_uri", "is there beside jwks_file: keep one of them")
	case a.JWKSURI != "":
		if why := keysAddressProblem(a.JWKSURI); why != "" {
			j.failf(at+".jwks_uri", "%s", why)
		} else if why := unaskedProblem(a.keysDoor(), a.JWKSURI, at+".jwks_networks"); why != "" {
			j.failf(at+".jwks_uri", "%s", why)
		}
	default:
		jwks, err := readKeys(j.c.file(a.JWKSFile))
		if err == nil {
			_, err = jose.ParseKeySet([]byte(jwks))
		}
		if err != nil {
			j.failf(at+".jwks_file", "%v", err)
		}
	}
}

func checkAssertionSubjects(j *judge, at string, a *assertionIssuer) {
	if len(a.Subjects) == 0 {
		j.failf(at+".subjects", "are missing: the issuer speaks for nobody")
	}
	var seen []string
	for k, s := range a.Subjects {
		where := fmt.Sprintf("%s.subjects[%d]", at, k)
		switch {
		case s.Subject == "" || s.ClientID == "":
			j.failf(where, "needs subject and client_id")
			continue
		case slices.Contains(seen, s.Subject):
			j.failf(where+".subject", "%q is there twice", s.Subject)
		}
		seen = append(seen, s.Subject)
		for _, c := range j.c.Clients {
			if c.ClientID == s.ClientID && !slices.Contains(c.GrantTypes, oauth.GrantJWTBearer) {
				j.failf(where+".client_id", "the client %q has no grant_types with %s", s.ClientID, oauth.GrantJWTBearer)
			}
		}
	}
}
