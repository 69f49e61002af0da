package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"
)

const clientBuffer = 4 << 10

// client is a connection of a client. One goroutine serves it; what mu guards
// is seen by the watch too.
type client struct {
	f      *Front
	raw    net.Conn
	nc     net.Conn // raw, or TLS over it
	tls    *tls.Conn
	state  *tls.ConnectionState
	remote string
	base   context.Context //nolint:containedctx // parent of those of its requests

	buf   []byte // buf[r:w] was read and not yet taken
	r, w  int
	plain http.Request // the request being read, before it has a context
	res   response

	mu     sync.Mutex
	stage  stage
	limit  int // ticks that the stage may take; 0: no limit
	age    int
	seen   bool // by the watch, since the stage began
	ended  bool // by a limit, or because the front stops
	cancel context.CancelCauseFunc
	early  *earlyRead // looks whether the client has left, while its request runs
}

type stage uint8

const (
	stageNew     stage = iota // handshake, and before the first byte of the first request
	stageIdle                 // before the first byte of another request
	stageReading              // head, body
	stageServing              // the handler runs
	stageGone                 // somebody else serves it
)

func newClient(f *Front, raw net.Conn, config *tls.Config) *client {
	c := &client{f: f, raw: raw, nc: raw, remote: raw.RemoteAddr().String(), limit: f.limits.head}
	if config != nil {
		c.tls = tls.Server(raw, config)
		c.nc = c.tls
	}
	c.base = connContext{context.WithValue(context.Background(), http.ServerContextKey, f.server), raw.LocalAddr()}
	c.plain.Header = http.Header{}
	c.res.c = c
	c.res.header = http.Header{}
	return c
}

// EndKey finds, in the context of a request that Front has read, the
// context.CancelCauseFunc that ends this context. Whoever would make a context of
// its own for that can spare it.
type EndKey struct{}

type requestContext struct {
	context.Context //nolint:containedctx // it is one
	end             context.CancelCauseFunc
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	if key == (EndKey{}) {
		return c.end
	}
	return c.Context.Value(key)
}

// connContext has what net/http tells handlers of a connection.
type connContext struct {
	context.Context //nolint:containedctx // it is one
	local           net.Addr
}

// Value implements context.Context.
func (c connContext) Value(key any) any {
	if key == http.LocalAddrContextKey {
		return c.local
	}
	return c.Context.Value(key)
}

// serve answers requests until the connection ends or somebody else serves it.
func (c *client) serve() {
	defer func() {
		c.f.untrack(c)
		if c.stage != stageGone { // nobody else changes it
			_ = c.nc.Close()
		}
	}()
	if c.tls != nil && !c.handshake() {
		return
	}
	c.buf = make([]byte, clientBuffer)
	for c.next() && c.answer() {
		if c.f.closing.Load() {
			return
		}
	}
}

// handshake reports false if there is nothing left to serve here.
func (c *client) handshake() bool {
	if err := c.tls.HandshakeContext(context.Background()); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && plain.Conn != nil && bytes.Contains([]byte("GET HEAD POST PUT OPTI"), plain.RecordHeader[:4]) {
			_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		}
		c.f.logf("http: TLS handshake error from %s: %v", c.remote, err)
		return false
	}
	state := c.tls.ConnectionState()
	c.state = &state
	if state.NegotiatedProtocol == "h2" {
		c.handOver(c.tls)
		return false
	}
	return true
}

// handOver gives the connection to the server of net/http.
func (c *client) handOver(to net.Conn) {
	c.enter(stageGone, 0)
	c.f.untrack(c)
	c.f.handed.give(to)
}

// next reads until a plain request is there. It reports false if there will be
// none: the connection has ended, or was handed over.
func (c *client) next() bool {
	from := 0
	for {
		if i := bytes.Index(c.buf[c.r+from:c.w], []byte("\r\n\r\n")); i >= 0 {
			end := c.r + from + i + 2
			clear(c.plain.Header)
			if !parsePlain(&c.plain, string(c.buf[c.r:end])) {
				break
			}
			c.r = end + 2
			return c.readBody()
		}
		if c.w-c.r >= maxPlain || hasBareLF(c.buf[c.r:c.w]) {
			break
		}
		from = max(c.w-c.r-3, 0)
		idle := c.r == c.w
		if !c.fill() {
			return false
		}
		if idle && !bytes.HasSuffix(c.buf[c.r:c.w], []byte("\r\n\r\n")) {
			c.enter(stageReading, c.f.limits.head)
		}
	}
	rest := c.buf[c.r:c.w]
	if c.plain.Method == http.MethodPost { // net/http, too, forgives the old clients that end a form so
		for n := 0; n < 4 && len(rest) > 0 && (rest[0] == '\r' || rest[0] == '\n'); n++ {
			rest = rest[1:]
		}
	}
	c.handOver(&handed{Conn: c.nc, early: bytes.Clone(rest), state: c.state})
	return false
}

// hasBareLF reports whether a line ends in another way than all plain ones do:
// who waits for CRLF CRLF might wait in vain.
func hasBareLF(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\n')
		switch {
		case i < 0:
			return false
		case i == 0 || b[i-1] != '\r':
			return true
		}
		b = b[i+1:]
	}
}

func (c *client) fill() bool {
	if c.r == c.w {
		c.r, c.w = 0, 0
		if len(c.buf) > clientBuffer {
			c.buf = make([]byte, clientBuffer)
		}
	}
	if c.w == len(c.buf) {
		if c.r > 0 {
			c.w = copy(c.buf, c.buf[c.r:c.w])
			c.r = 0
		} else {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
	}
	n, _ := c.nc.Read(c.buf[c.w:])
	c.w += n
	return n > 0
}

// readBody reads the whole body, which is small.
func (c *client) readBody() bool {
	n := int(c.plain.ContentLength)
	c.plain.Body = http.NoBody
	if n == 0 {
		return true
	}
	body := make([]byte, n)
	have := copy(body, c.buf[c.r:c.w])
	c.r += have
	if have < n {
		c.enter(stageReading, c.f.limits.request)
		if _, err := io.ReadFull(c.nc, body[have:]); err != nil {
			return false
		}
	}
	c.plain.Body = io.NopCloser(bytes.NewReader(body))
	return true
}

// answer runs the handler. It reports whether another request may follow.
func (c *client) answer() bool {
	ctx, cancel := context.WithCancelCause(c.base)
	defer cancel(nil)
	c.plain.RemoteAddr, c.plain.TLS = c.remote, c.state
	r := c.plain.WithContext(&requestContext{ctx, cancel})
	c.res.reset(r)
	c.mu.Lock()
	c.cancel = cancel
	c.mu.Unlock()
	if !c.enter(stageServing, c.f.limits.answer) {
		return false // the client will get no answer, so nothing must be done for it
	}
	whole := c.run(r)
	c.stopEarly()
	if !whole || c.res.finish() != nil {
		_ = c.raw.Close() // what was sent must not look whole
		return false
	}
	c.enter(stageIdle, c.f.limits.idle)
	return !c.res.last
}

// run reports false if the handler has panicked.
func (c *client) run(r *http.Request) (whole bool) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		whole = false
		if v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			buf := make([]byte, 64<<10)
			c.f.logf("http: panic serving %v: %v\n%s", c.remote, v, buf[:runtime.Stack(buf, false)])
		}
	}()
	c.f.handler.ServeHTTP(&c.res, r)
	return true
}

// enter reports false if the connection was ended from outside.
func (c *client) enter(s stage, limit int) bool {
	c.mu.Lock()
	c.stage, c.limit, c.age, c.seen = s, limit, 0, false
	ended := c.ended
	c.mu.Unlock()
	if s != stageIdle {
		c.f.watch.begun()
	}
	return !ended
}

// lift takes the limit of the server off the request that runs.
func (c *client) lift() {
	c.mu.Lock()
	c.limit = 0
	c.mu.Unlock()
}

// tick implements watched.
func (c *client) tick(ticks int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen {
		c.seen, ticks = true, 1
	}
	c.age += ticks
	if c.stage == stageGone {
		return false
	}
	if c.limit > 0 && c.age > c.limit {
		c.ended = true
		_ = c.raw.Close()
		if c.stage == stageServing {
			c.cancel(nil)
		}
		return false
	}
	if c.stage == stageServing && c.age > earlyTicks && c.early == nil {
		c.early = c.readEarly()
	}
	return c.stage != stageIdle
}

// earlyTicks is how long a request runs before anybody looks whether its client
// has left. Under load all requests take some milliseconds, and to look costs as
// much as a tenth of one.
const earlyTicks = 2

// newGrace is how long a connection that has asked nothing yet is waited for when
// the front stops, as net/http does: a request may be on its way.
const newGrace = 5 * time.Second

// endIfIdle reports false if a request is being read or answered, or may come.
func (c *client) endIfIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle := c.stage == stageIdle || c.stage == stageNew && c.age > ticksOf(newGrace)
	if idle {
		c.ended = true
		_ = c.raw.Close()
	}
	return idle
}
