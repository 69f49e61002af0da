package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"sallyport/internal/audit"
	"sallyport/internal/revocation"
)

// newProxy returns the one proxy of all APIs; what differs is in the call.
// Rewrite, not Director: a client's "Connection: Authorization" would make the
// latter drop what we add.
func newProxy(t http.RoundTripper) httputil.ReverseProxy {
	return httputil.ReverseProxy{
		Rewrite:        func(pr *httputil.ProxyRequest) { callOf(pr.In.Context()).rewrite(pr) },
		ModifyResponse: func(res *http.Response) error { return callOf(res.Request.Context()).clean(res) },
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			c := callOf(r.Context())
			c.refuse(c.failure(err))
		},
		Transport:  quietTransport{t},
		BufferPool: &buffers{},
		ErrorLog:   log.New(io.Discard, "", 0), // the request's event says it
	}
}

// checkShape refuses what is wrong with the request whoever sends it.
func (c *call) checkShape() refusal {
	h := c.r.Header
	if overridesMethod(h) {
		return refusal{problem: invalidRequest, reason: "method_override"}
	}
	for _, line := range h["Sec-Websocket-Protocol"] {
		if carriesToken(line) {
			return refusal{problem: invalidRequest, reason: "token_in_subprotocol"}
		}
	}
	if c.r.ContentLength > c.g.maxBody {
		return refusal{problem: bodyTooLarge, reason: "body_size"}
	}
	return c.checkUpgrade()
}

// checkUpgrade lets WebSocket through and nothing else: an upgrade to h2c
// would be a tunnel past every check. Pages can open sockets across origins
// without CORS, so the origin is checked here.
func (c *call) checkUpgrade() refusal {
	if !hasToken(c.r.Header["Connection"], "upgrade") {
		return handled
	}
	if u := c.r.Header["Upgrade"]; len(u) != 1 || !strings.EqualFold(u[0], "websocket") || c.r.Method != http.MethodGet || c.r.ContentLength != 0 {
		return refusal{problem: invalidRequest, reason: "upgrade"}
	}
	if c.r.Header["Origin"] != nil && c.origin == "" {
		return refusal{problem: wrongOrigin, reason: "origin"}
	}
	c.upgrade = true
	return handled
}

func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// forward sends the call to its upstream and the answer back.
func (c *call) forward() refusal {
	c.Context, c.cancel = context.WithCancelCause(c.Context)
	defer c.cancel(nil)
	defer c.unwatch()
	c.endless = c.upgrade
	if c.upgrade && !c.watch() {
		return c.failure(context.Cause(c.Context))
	}
	out := c.r.WithContext(c)
	if out.Body != nil && out.Body != http.NoBody {
		c.body = &limitedBody{ReadCloser: http.MaxBytesReader(c.w.ResponseWriter, out.Body, c.g.maxBody)}
		out.Body = c.body
	}
	c.g.proxy.ServeHTTP(&c.w, out)
	if c.res != nil && len(c.res.Trailer) > 0 {
		c.cleanTrailer()
	}
	return handled
}

// rewrite makes the request to the upstream: the same bytes of path and query,
// what the client may say, and what the gateway says.
func (c *call) rewrite(pr *httputil.ProxyRequest) {
	path := c.api.base + c.rest
	plain, err := url.PathUnescape(path)
	if err != nil {
		panic(err) // checked by readTarget: better no call than another one
	}
	pr.Out.URL = &url.URL{
		Scheme: c.api.upstream.Scheme, Host: c.api.upstream.Host,
		Path: plain, RawPath: path, RawQuery: c.query,
		ForceQuery: c.query == "" && strings.HasSuffix(c.r.RequestURI, "?"),
	}
	if pr.Out.URL.EscapedPath() != path {
		panic("path would be forwarded in another form than was judged")
	}
	pr.Out.Host = ""
	pr.Out.Trailer = nil
	strip(pr.Out.Header, &dropRequest)
	pr.SetXForwarded()
	if c.bearer != nil {
		pr.Out.Header["Authorization"] = c.bearer
	}
}

// clean makes the answer of the upstream ready for the client.
func (c *call) clean(res *http.Response) error {
	c.res = res
	strip(res.Header, &dropResponse)
	keepPrivate(res.Header)
	c.setCORS(res.Header)
	c.setNonce(res.Header)
	if !c.upgrade && isStream(res) {
		c.endless = isEvents(res)
		if !c.watch() {
			return context.Cause(c.Context)
		}
		c.unlimitTime()
	}
	return nil
}

// cleanTrailer removes from the trailer what is removed from a header. The
// proxy has put it into the writer's header, where the server takes it from
// when the handler returns.
func (c *call) cleanTrailer() {
	h := c.w.Header()
	for name := range c.res.Trailer {
		if strings.IndexByte(name, '_') >= 0 || dropResponse.has(name) {
			delete(h, name)
			delete(h, http.TrailerPrefix+name)
		}
	}
}

// failure says what an error of the exchange with the upstream means. None of
// its text leaves: it names addresses.
func (c *call) failure(err error) refusal {
	switch cause := context.Cause(c.Context); {
	case c.body != nil && c.body.over.Load():
		return refusal{problem: bodyTooLarge, reason: "body_size"}
	case c.body != nil && c.body.bad.Load():
		return refusal{problem: invalidRequest, reason: "body_malformed"}
	case errors.Is(cause, revocation.CauseRevoked):
		return c.invalid("token_revoked")
	case errors.Is(cause, revocation.CauseExpired):
		return c.invalid("token_expired")
	case errors.Is(cause, errStale):
		return refusal{problem: unavailable, reason: "feed_stale", event: audit.FeedStale}
	case errors.Is(cause, errClosing):
		return refusal{problem: unavailable, reason: "closing"}
	case errors.Is(cause, context.DeadlineExceeded):
		return refusal{problem: gatewayTimeout, reason: "deadline"}
	case cause != nil:
		return refusal{problem: clientGone, reason: "client_gone"}
	}
	why, no := "upstream_failed", badGateway
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		why, no = "upstream_timeout", gatewayTimeout
	case errors.As(err, &dns):
		why = "upstream_name"
	case errors.As(err, &op) && op.Op == "dial":
		why = "upstream_dial"
	}
	return refusal{problem: no, reason: why}
}

// responseWriter remembers whether an answer has begun.
type responseWriter struct {
	http.ResponseWriter
	wrote bool
}

// WriteHeader implements http.ResponseWriter.
func (w *responseWriter) WriteHeader(status int) {
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

// Hijack implements http.Hijacker: after it there is nobody to answer to.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.wrote = w.wrote || err == nil
	return conn, buf, err
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// limitedBody remembers how reading the request body ended.
type limitedBody struct {
	io.ReadCloser
	over, bad, done atomic.Bool
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		var over *http.MaxBytesError
		b.over.Store(errors.As(err, &over))
		b.done.Store(errors.Is(err, io.EOF))
		b.bad.Store(!b.over.Load() && !b.done.Load())
	}
	return n, err
}

// buffers implements httputil.BufferPool.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return make([]byte, bufferSize)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) { b.pool.Put((*[bufferSize]byte)(p)) }
