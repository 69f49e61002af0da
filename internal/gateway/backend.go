package gateway

import (
	"crypto/tls"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Backend is what an upstream is told, and how. The zero value is the usual
// one: HTTP/1.1, the inner token in Authorization, the limits of Options.
type Backend struct {
	Protocol Protocol
	TLS      *tls.Config // to an https upstream; nil for the authorities of the system and no certificate of ours

	ConnectTimeout time.Duration // until there is a connection; 0 for 5 s
	AnswerTimeout  time.Duration // until an answer begins; 0 for Options.UpstreamTimeout
	IdleTimeout    time.Duration // between two parts of an answer or of a request; 0 for a minute, and for no limit of event streams and gRPC
	MaxBodyBytes   int64         // of a request; 0 for Options.MaxBodyBytes

	InnerHeader string   // which carries the inner token, without a scheme; "" for Authorization, with "Bearer"
	Cookies     bool     // the upstream may set cookies for the gateway's host, and gets them back
	Says        []string // names of headers that the gateway would otherwise take from answers
	Redirects   []string // origins that answers may lead to, beside the API itself

	ExposeHeaders []string      // of answers, for the scripts of browser apps
	PreflightAge  time.Duration // for which a browser need not ask again; 0 for ten minutes
}

// Protocol is what an upstream speaks.
type Protocol string

// The protocols. gRPC needs one of the last two.
const (
	HTTP1 Protocol = "http1" // HTTP/1.1, as "" means too
	H2    Protocol = "h2"    // HTTP/2 over TLS
	H2C   Protocol = "h2c"   // HTTP/2 without TLS, known beforehand (RFC 9113 §3.3)
)

// Protocols lists the names that a configuration may use.
var Protocols = []Protocol{HTTP1, H2, H2C}

const (
	defaultIdle      = time.Minute
	defaultPreflight = 10 * time.Minute
	maxPreflight     = 2 * time.Hour // no browser remembers longer
)

// backend is a compiled Backend.
type backend struct {
	Backend
	header  string // canonical name of InnerHeader, or ""
	folded  string // and as a backend might read its spellings
	drop    *names // what is taken from answers
	maxBody int64
	host    string // of the upstream, lower case

	expose, preflight string // CORS header values
}

// exposed are what scripts of browser apps may read of answers, beside what the
// Fetch standard lets them.
const exposed = "WWW-Authenticate, DPoP-Nonce, Retry-After, RateLimit, RateLimit-Policy, ETag, Idempotent-Replayed, Location, Link, X-Request-Id"

func compileBackend(o *Options, a *API) backend {
	b := backend{Backend: a.Backend, drop: &dropResponse, maxBody: a.Backend.MaxBodyBytes, host: strings.ToLower(a.Upstream.Host)}
	if b.maxBody == 0 {
		b.maxBody = o.MaxBodyBytes
	}
	if b.maxBody == 0 {
		b.maxBody = defaultMaxBody
	}
	if b.PreflightAge == 0 {
		b.PreflightAge = defaultPreflight
	}
	b.expose = strings.Join(append([]string{exposed}, b.ExposeHeaders...), ", ")
	b.preflight = strconv.FormatInt(int64(b.PreflightAge/time.Second), 10)
	if b.InnerHeader != "" && !strings.EqualFold(b.InnerHeader, "Authorization") {
		b.header, b.folded = http.CanonicalHeaderKey(b.InnerHeader), foldHeader(b.InnerHeader)
	}
	if len(b.Says) > 0 || b.Cookies {
		says := b.Says
		if b.Cookies {
			says = append([]string{"Set-Cookie"}, says...)
		}
		b.drop = dropResponse.without(says)
	}
	return b
}

// idleAfter is how long the exchange of the call may stand still; 0 for ever.
func (c *call) idleAfter(endless bool) time.Duration {
	switch idle := c.api.backend.IdleTimeout; {
	case idle > 0:
		return idle
	case endless || c.isGRPC():
		return 0
	}
	return defaultIdle
}

// setInner puts the inner token where the backend expects it. No client can
// send that header: whatever a backend could read as it is not passed on.
func (c *call) setInner(out http.Header) {
	if c.api.backend.header != "" {
		for name := range out {
			if foldHeader(name) == c.api.backend.folded {
				delete(out, name)
			}
		}
	}
	switch {
	case c.bearer == nil:
	case c.api.backend.header == "":
		out["Authorization"] = c.bearer
	default:
		out[c.api.backend.header] = []string{strings.TrimPrefix(c.bearer[0], "Bearer ")}
	}
}

// foldHeader is how the most careless reader sees a header name: case and
// everything that is neither letter nor digit are the same to CGI and its heirs.
func foldHeader(name string) string {
	b := []byte(name)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c | 0x20
		case (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			b[i] = '-'
		}
	}
	return string(b)
}
