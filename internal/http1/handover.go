package http1

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// handover is the listener from which the server of net/http takes connections
// that Front does not serve.
type handover struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandover() *handover { return &handover{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return h.addr }

// give passes c on, or closes it when the server takes no more.
func (h *handover) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.done:
		_ = c.Close()
	}
}

// handed is a connection of which something has been read.
type handed struct {
	net.Conn
	early []byte
	state *tls.ConnectionState // nil without TLS
}

// Read implements net.Conn.
func (c *handed) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite says that nothing more will be sent.
func (c *handed) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type stateKey struct{}

// stateOf keeps the state of TLS, which net/http asks a *tls.Conn for and
// nobody else.
func stateOf(ctx context.Context, c net.Conn) context.Context {
	if h, ok := c.(*handed); ok && h.state != nil {
		return context.WithValue(ctx, stateKey{}, h.state)
	}
	return ctx
}

// withState gives it to the requests of a connection that was handed over.
func withState(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			r.TLS, _ = r.Context().Value(stateKey{}).(*tls.ConnectionState)
		}
		next.ServeHTTP(w, r)
	})
}
