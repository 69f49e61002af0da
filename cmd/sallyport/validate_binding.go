package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
)

// checkMutual judges the listener that asks for client certificates.
func checkMutual(j *judge) {
	c := j.c
	if c.MTLSListen == "" {
		if c.MTLSURL != "" {
			j.failf("mtls_url", "is set without mtls_listen")
		}
		return
	}
	checkAddress(j, "mtls_listen", c.MTLSListen)
	_, port, err := net.SplitHostPort(c.MTLSListen)
	switch {
	case err != nil: // said already
	case port == "0" && c.MTLSURL == "":
		j.failf("mtls_listen", "has no fixed port, so clients cannot be told where it is: set mtls_url too")
	case sameSocket(c.MTLSListen, c.Listen):
		j.failf("mtls_listen", "%s is the address of another listener: listen has %s", c.MTLSListen, c.Listen)
	case sameSocket(c.MTLSListen, c.MetricsListen):
		j.failf("mtls_listen", "%s is the address of another listener: metrics_listen has %s", c.MTLSListen, c.MetricsListen)
	}
	u, err := url.Parse(c.mutualURL())
	switch {
	case c.mutualURL() == "":
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Path != "" || u.User != nil || strings.ContainsAny(c.mutualURL(), "?#"):
		j.failf("mtls_url", "%s is not https:// with a host and nothing behind it", outbound.Show(c.mutualURL()))
	case c.mutualURL() == c.Issuer:
		j.failf("mtls_url", "is the issuer's own address, where nobody is asked for a certificate")
	default:
		checkMutualHost(j, u.Hostname())
	}
}

// checkMutualHost: the listener has the certificate of the other one.
func checkMutualHost(j *judge, host string) {
	if j.c.TLS.SelfSigned || host == j.c.issuerHost() {
		return // CF11 judges it
	}
	pair, err := tls.LoadX509KeyPair(j.c.file(j.c.TLS.CertFile), j.c.file(j.c.TLS.KeyFile))
	if err == nil && pair.Leaf != nil && pair.Leaf.VerifyHostname(host) != nil {
		j.failf("mtls_url", "the certificate is not for %s", host)
	}
}

// checkBinding judges how the tokens of clients are bound.
func checkBinding(j *judge) {
	for i := range j.c.Clients {
		client := j.c.Clients[i].client()
		at := fmt.Sprintf("clients[%d]", i)
		for _, p := range j.c.bindingProblems(client) {
			j.failf(at+"."+p.Path, "%s", p.Text)
		}
		if why := j.c.unboundProblem(client); why != "" {
			j.warnf(at, "%s", why)
		}
	}
}

// unboundProblem says what awaits a client of an API of tier high whose tokens
// nothing binds, from wherever it came.
func (c *config) unboundProblem(client oauth.Client) string {
	api := c.highAPI(client)
	if api == "" || client.DPoPBound || client.CertificateBound {
		return ""
	}
	return fmt.Sprintf("%s may ask for tokens of %s, whose tier is high: it gets none without a DPoP proof, so say dpop_bound_access_tokens", client.ID, api)
}

// bindingProblems judges the marks of a client from wherever it came.
func (c *config) bindingProblems(client oauth.Client) []problem {
	r := &reader{}
	const path = "tls_client_certificate_bound_access_tokens"
	switch {
	case !client.CertificateBound:
	case client.DPoPBound:
		r.addf(0, path, "is set together with dpop_bound_access_tokens: a token is bound to one key")
	case client.Type == oauth.Browser:
		r.addf(0, path, "is for programs: a browser would ask people for a certificate")
	case c.MTLSListen == "" && !c.unclear("mtls_listen"):
		r.addf(0, path, "needs a listener that asks for certificates: set mtls_listen")
	}
	return r.problems
}

// highAPI is an API of tier high that the client has a scope of, or nothing.
func (c *config) highAPI(client oauth.Client) string {
	for i := range c.APIs {
		if c.APIs[i].Tier != "high" {
			continue
		}
		for _, scope := range c.APIs[i].scopes() {
			if slices.Contains(strings.Fields(client.Scope), scope) {
				return c.APIs[i].Name
			}
		}
	}
	return ""
}
