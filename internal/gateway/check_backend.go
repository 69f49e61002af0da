package gateway

import (
	"net/http"
	"slices"
	"strings"

	"sallyport/internal/outbound"
)

// backend refuses settings of an upstream that contradict each other, or that
// would give it a say in what is the gateway's.
func (k *checker) backend(where string, a *API) {
	b := &a.Backend
	scheme := ""
	if a.Upstream != nil {
		scheme = a.Upstream.Scheme
	}
	switch {
	case b.Protocol != "" && !slices.Contains(Protocols, b.Protocol):
		k.addf("%s: protocol: %q is unknown: use http1, h2 or h2c", where, b.Protocol)
	case b.Protocol == H2 && scheme == "http":
		k.addf("%s: protocol: h2 is HTTP/2 over TLS: use an https upstream, or h2c", where)
	case b.Protocol == H2C && scheme == "https":
		k.addf("%s: protocol: h2c is HTTP/2 without TLS: use h2", where)
	}
	if b.TLS != nil && scheme != "https" {
		k.addf("%s: upstream_tls: the upstream is not https, so nothing of it would be used", where)
	}
	if b.ConnectTimeout < 0 || b.AnswerTimeout < 0 || b.IdleTimeout < 0 || b.MaxBodyBytes < 0 {
		k.addf("%s: upstream_timeouts: a negative limit allows nothing: leave it out for the default", where)
	}
	if b.PreflightAge < 0 || b.PreflightAge > maxPreflight {
		k.addf("%s: cors_max_age: at most %s: no browser remembers longer", where, maxPreflight)
	}
	if b.InnerHeader != "" && !isInnerHeader(b.InnerHeader) {
		k.addf("%s: inner_header: %s cannot carry a token: write for example X-Internal-Jwt", where, outbound.Show(b.InnerHeader))
	}
	for _, name := range b.Says {
		switch {
		case !isPlain(name) || reserved.has(name) || hopByHop[http.CanonicalHeaderKey(name)]:
			k.addf("%s: response_headers: %s is the gateway's: remove it", where, outbound.Show(name))
		case strings.EqualFold(name, "Set-Cookie"):
			k.addf("%s: response_headers: for Set-Cookie there is allow_set_cookie", where)
		case !dropResponse.has(name) && !strings.EqualFold(name, "Content-Security-Policy"):
			k.addf("%s: response_headers: %s passes anyway: remove it", where, outbound.Show(name))
		}
	}
	for _, name := range b.ExposeHeaders {
		if !isPlain(name) || dropResponse.has(name) {
			k.addf("%s: cors_expose: %s is not a header that an answer can have here", where, outbound.Show(name))
		}
	}
	for _, origin := range b.Redirects {
		if !isOrigin(origin) {
			k.addf("%s: redirects: %s is not one exact origin: write for example https://pay.example.com, without a path", where, outbound.Show(origin))
		}
	}
}

// isInnerHeader reports whether a header can carry the inner token: HTTP itself
// and the gateway give it no other meaning.
func isInnerHeader(name string) bool {
	lower := strings.ToLower(name)
	return isPlain(name) && !hopByHop[http.CanonicalHeaderKey(name)] && !strings.HasPrefix(lower, "content-") && !strings.HasPrefix(lower, "x-forwarded-") &&
		!strings.HasPrefix(lower, "sec-") && !strings.HasPrefix(lower, "access-control-") && !strings.HasPrefix(lower, "if-") &&
		!slices.Contains([]string{"host", "cookie", "accept", "accept-encoding", "user-agent", "expect", "range", "date", "origin", "idempotency-key", "dpop", "traceparent"}, lower)
}
