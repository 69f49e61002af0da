package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"

	"sallyport/internal/apikey"
	"sallyport/internal/audit"
	"sallyport/internal/token"
)

// call is one request on its way through. It is the context of the request to
// the upstream, so that the hooks of the proxy find it without another map.
type call struct {
	context.Context //nolint:containedctx // it is one, for the outgoing request

	g   *Gateway
	w   responseWriter
	r   *http.Request
	rec *audit.Record

	path, query string // as received, and as forwarded
	api         *route
	op          *operation
	rest        string // path below the API
	origin      string // allowed origin of a browser app, or empty
	upgrade     bool

	cred      credential
	access    token.Access
	cookie    bool        // the credential is a cookie of a browser app
	key       *apikey.Key // that was sent in place of a token, or nil
	opened    bool        // access is what a token of ours says
	drops     uint64      // of the ring when it was opened
	proof     token.Proof // of possession of the token's DPoP key
	proved    bool        // there is one, and it has yet to be used up
	nonce     string      // for the client's next proof, or empty
	bearer    []string    // Authorization header for the upstream
	forwarded [2]string   // what the upstream is told of the client
	body      *limitedBody
	whole     []byte // the body, where a step had to read it
	read      bool   // whole is set
	cancel    context.CancelCauseFunc
	stop      func()         // ends the watch of a stream
	endless   bool           // a stream that would not end by itself
	res       *http.Response // of the upstream

	sent     bool   // the upstream may have seen the request
	claim    *claim // of an Idempotency-Key whose call this is; nil: none
	answered bool   // a step has written the answer
	seats    seats
	rate     rateNote
	rateLine [1]string

	onResponse []onResponse
	onEnd      []onEnd
	complete   bool // the whole answer of the upstream was written
	cut        bool // the answer ended in its middle
}

type callKey struct{}

// Value implements context.Context.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// ServeHTTP answers the documents of the gateway and the calls to its APIs,
// and refuses everything else.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Context: r.Context(), g: g, r: r, rec: audit.FromContext(r.Context())}
	c.w.ResponseWriter = w
	no := refusal{problem: internalError, reason: "panic"}
	defer c.ended(&no)
	defer c.recover()
	if no = c.serve(); no.refused() { //nolint:contextcheck // the call is the context
		c.refuse(no)
	}
}

// ended tells those who asked to be told.
func (c *call) ended(no *refusal) {
	for i := len(c.onEnd) - 1; i >= 0; i-- {
		c.onEnd[i](*no)
	}
	c.countFailure(*no)
	c.leave()
	c.measure(*no)
}

// serve is the list of steps. Nothing is forwarded before all have passed.
func (c *call) serve() refusal {
	if no := c.readTarget(); no.refused() {
		return no
	}
	if doc, ok := c.g.documents[c.path]; ok {
		return c.serveDocument(doc)
	}
	if no := c.findAPI(); no.refused() {
		return no
	}
	c.allowOrigin()
	if c.r.Method == http.MethodOptions {
		return c.preflight()
	}
	for _, step := range [...]func(*call) refusal{
		(*call).findOperation, (*call).checkShape, (*call).admit, (*call).authenticate, (*call).authorize, (*call).screen, (*call).limit,
		(*call).checkObjects, (*call).checkContract, (*call).spend, (*call).claimKey, (*call).mint,
	} {
		if no := step(c); no.refused() || c.answered {
			return no
		}
	}
	c.note()
	return c.forward()
}

// note tells the request's event who called what.
func (c *call) note() {
	if c.rec == nil {
		return
	}
	if c.api != nil {
		c.rec.Set(slog.String("api", c.api.name))
	}
	if c.op != nil {
		c.rec.Set(slog.String("operation", c.op.label), slog.String("tier", c.op.tier.String()))
	}
	if c.opened {
		c.rec.Set(slog.String("client_id", c.access.ClientID), slog.String("subject", c.access.Subject))
		if grant := c.grant(); grant != "" {
			c.rec.Set(slog.String("grant_id", grant))
		}
	}
}

// grant names the grant of the token, "" for a client that acts for itself.
func (c *call) grant() string {
	if c.access.GrantID.IsZero() {
		return ""
	}
	return c.access.GrantID.String()
}

// recover turns a panic into a 500. It runs before anything was forwarded or
// after the upstream failed us; it never lets a call through. The value of the
// panic may hold data of the request, so only a runtime error is noted.
func (c *call) recover() {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // the server compares it so
		c.cut = true
		panic(v)
	}
	if err, ok := v.(runtime.Error); ok {
		c.rec.Set(slog.String("panic", err.Error()))
	}
	c.rec.Set(slog.String("stack", string(debug.Stack())))
	if c.w.wrote {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	c.refuse(refusal{problem: internalError, reason: "panic"})
}
