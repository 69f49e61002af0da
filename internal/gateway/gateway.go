// Package gateway decides which call reaches which backend, and with what.
// Everything is refused unless an operation of an API allows it. It opens
// access tokens and never issues them; how they come about it refuses to know.
// Start at Gateway.ServeHTTP, then call.go, which is the list of steps.
package gateway

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/idempotency"
	"sallyport/internal/ratelimit"
	"sallyport/internal/token"
)

// API is a protected upstream (RFC 6749 §1.1, resource server).
type API struct {
	Name         string // short, for logs and for the operator
	Audience     string // absolute URI; a token must name it exactly
	Path         string // prefix at the gateway, "/catalog"; "/" for all of it
	Upstream     *url.URL
	Tier         token.Tier
	Operations   []Operation
	DetailsTypes []string // of authorization_details (RFC 9396) that may be asked for it
	CORSOrigins  []string // exact origins of browser apps, "https://app.example.com"

	Backend    Backend           // what the upstream is told, and how
	Limits     Limits            // of all its operations together
	Browser    BrowserSessions   // cookies of browser apps; nil: none is accepted
	APIKeys    bool              // API keys are accepted where the tier is low
	PeopleOnly bool              // clients that act for themselves are refused
	Transport  http.RoundTripper // to the upstream; nil for that of Options
	NoInner    bool              // the upstream gets no inner token: it is somebody else's
	Screen     Screen            // judges requests further; nil: there is no more to judge
}

// Operation is what a token may be allowed to do: a method and a path
// template. GET allows HEAD too.
type Operation struct {
	Method string // upper case
	Path   string // template below API.Path, "/items/{id}"; a parameter is one whole segment
	Scope  string // one value that the token must have
	ACR    string // weakest authentication of a person, "" for what the tier asks
	MaxAge time.Duration
	// MaxAge is how long ago the person may have signed in; 0 for any time. With
	// ACR or MaxAge set, a client that acts for itself is refused.

	FormToken   bool         // the token may come in the body of a form (RFC 6750 §2.2)
	Tier        *token.Tier  // nil for that of the API
	Objects     []ObjectRule // whose objects may be touched
	Limits      Limits       // of this operation
	Contract    *Contract    // what requests and answers look like; nil: not checked
	Idempotency Idempotency
}

// Feed is what the gateway needs to know of revocations.
type Feed interface {
	// Fresh reports whether the knowledge is young enough for the tier.
	Fresh(token.Tier) bool
	// Revoked reports whether the token is dead.
	Revoked(*token.Access) bool
	// Watch returns a context that ends when the token is revoked or expires.
	Watch(context.Context, *token.Access) (watched context.Context, stop func())
}

// Options configure a Gateway. Those up to Now are needed.
type Options struct {
	Issuer string // iss of inner tokens and authorization server in the metadata
	APIs   []API
	Ring   *token.Ring
	Feed   Feed
	Proofs *token.Proofs // of DPoP; those of the issuer, so that a jti counts once for both
	Now    func() time.Time

	Keys Keys // API keys; nil: there are none

	// MutualTLS is the base URL of the listener that asks for client certificates,
	// without which certificate-bound tokens (RFC 8705 §3) cannot be used; empty
	// if there is none.
	MutualTLS string

	MaxBodyBytes    int64             // of a request; 0 for 10 MiB
	UpstreamTimeout time.Duration     // until an answer begins; 0 for 30 s
	Transport       http.RoundTripper // to the upstreams; nil for HTTP/1.1
	State           *State            // what outlives a change of the configuration; nil for a new one
	Meters          Meters            // nil: nothing is counted

	Records  IdempotencyRecords // that nodes share; nil: this node alone has its own
	KeepKeys time.Duration      // an Idempotency-Key; 0 for 24 h, which is the most
	Traced   bool               // requests may carry a trace.Span

	Failures    ratelimit.Rate // of credentials that prove to be none, by address; zero: not limited
	Concurrency int            // calls under way at once, without streams; 0: not limited
	MaxDelay    time.Duration  // what may run may wait for a processor this long before calls are shed; 0: for ever
}

const (
	defaultMaxBody         = 10 << 20
	defaultUpstreamTimeout = 30 * time.Second
)

// Gateway is the guard of the APIs. Safe for concurrent use.
type Gateway struct {
	issuer    string
	table     table
	documents map[string]document // by path
	ring      *token.Ring
	reader    *token.AccessReader
	feed      Feed
	proofs    *token.Proofs
	keys      Keys
	mutualTLS bool // certificate-bound tokens can be used
	now       func() time.Time
	maxBody   int64
	state     *State
	records   IdempotencyRecords
	keepKeys  time.Duration
	traced    bool
	transport http.RoundTripper // to upstreams that have none of their own

	failures    *ratelimit.Counter
	concurrency int
	maxDelay    time.Duration
}

// New returns a Gateway. It refuses whatever would leave an operation
// unguarded or a call ambiguous; the error lists every problem with the API,
// the field and what to do.
func New(o Options) (*Gateway, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	reader, err := token.NewAccessReader(o.Ring, o.Issuer, o.Now)
	if err != nil {
		return nil, err
	}
	if o.State == nil {
		o.State = NewState()
	}
	g := &Gateway{
		issuer: o.Issuer, ring: o.Ring, reader: reader, feed: o.Feed, proofs: o.Proofs, keys: o.Keys, mutualTLS: o.MutualTLS != "", now: o.Now,
		maxBody: o.MaxBodyBytes, state: o.State, traced: o.Traced, failures: o.State.rates.Local(failuresName, o.Failures), concurrency: o.Concurrency, maxDelay: o.MaxDelay,
	}
	if g.records, g.keepKeys = o.Records, o.KeepKeys; g.records == nil {
		g.records = g.state.ownRecords(o.Now)
	}
	if g.keepKeys == 0 {
		g.keepKeys = idempotency.MaxKeep
	}
	if g.maxBody == 0 {
		g.maxBody = defaultMaxBody
	}
	if o.UpstreamTimeout == 0 {
		o.UpstreamTimeout = defaultUpstreamTimeout
	}
	if o.Transport == nil {
		o.Transport = newUpstreams(o.UpstreamTimeout)
	}
	g.transport = o.Transport
	g.table = compile(&o)
	g.documents = g.compileDocuments()
	return g, nil
}

// JWKS returns the public keys of inner tokens (RFC 7517 §5), for backends, as
// of now: keys come and go.
func (g *Gateway) JWKS() ([]byte, error) { return g.ring.JWKS(token.SignInner) }

// Close ends event streams and upgraded connections, which a server's Shutdown
// would wait for in vain or does not know of, and refuses new ones. Other calls
// go on: register it with RegisterOnShutdown.
func (g *Gateway) Close() {
	g.state.streams.close()
	if t, ok := g.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
