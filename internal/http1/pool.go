package http1

import (
	"context"
	"crypto/tls"
	"sync"
	"syscall"
)

// pool has the connections to one upstream. The one that was used last is used
// first: it is the least likely to have been closed, and the others may age.
type pool struct {
	t       *Transport
	address string
	tls     *tls.Config // nil for http

	mu    sync.Mutex
	idle  []*conn
	total int
}

// get returns a connection that nobody uses. fresh asks for a new one.
func (p *pool) get(ctx context.Context, fresh bool) (*conn, error) {
	for !fresh {
		c := p.take()
		if c == nil {
			break
		}
		if c.quiet() {
			c.used = true
			return c, nil
		}
		c.shut()
	}
	p.mu.Lock()
	if p.total >= p.t.o.MaxConns {
		p.mu.Unlock()
		return nil, errTooMany
	}
	p.total++
	p.mu.Unlock()
	c, err := p.dial(ctx)
	if err != nil {
		p.mu.Lock()
		p.total--
		p.mu.Unlock()
		return nil, err
	}
	p.t.watch.add(c)
	return c, nil
}

func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	c := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return c
}

// put keeps c for the next request.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	if len(p.idle) < p.t.o.MaxIdle {
		p.idle = append(p.idle, c)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	c.shut()
}

// forget removes c from the idle ones. It reports false if somebody has taken it.
func (p *pool) forget(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.idle {
		if p.idle[i] == c {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return true
		}
	}
	return false
}

func (p *pool) gone() {
	p.mu.Lock()
	p.total--
	p.mu.Unlock()
}

func (p *pool) drain() {
	for c := p.take(); c != nil; c = p.take() {
		c.shut()
	}
}

func (p *pool) dial(ctx context.Context) (*conn, error) {
	raw, err := p.t.o.Dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	c := &conn{p: p, raw: raw, nc: raw, buf: make([]byte, connBuffer)}
	if s, ok := raw.(syscall.Conn); ok {
		c.socket, _ = s.SyscallConn() // without it the connection is not used twice
	}
	c.look = c.peek
	if p.tls == nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	secured := tls.Client(raw, p.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	c.nc = secured
	state := secured.ConnectionState()
	c.state = &state
	return c, nil
}
