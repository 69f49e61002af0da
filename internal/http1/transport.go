package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"sallyport/internal/outbound"
)

// Options configure a Transport. The zero value of each has the default told.
type Options struct {
	Dial          func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer, 5 s
	TLS           *tls.Config                                                          // to https upstreams; nil: TLS 1.2 or later
	HeaderTimeout time.Duration                                                        // from the end of a request to the end of the head of its answer; 0: 30 s
	IdleTimeout   time.Duration                                                        // of a connection without a request; 0: 90 s
	MaxIdle       int                                                                  // connections without a request to one upstream; 0: 1024
	MaxConns      int                                                                  // connections to one upstream; 0: 8192
	MaxHeadBytes  int                                                                  // of an answer; 0: 64 KiB
}

// Transport is an http.RoundTripper over HTTP/1.1. A connection is used by one
// request at a time and by nobody in between: bytes that come while it is idle
// end it, as they may be meant to answer somebody else's request. A request
// that met a connection which the upstream had just closed is sent once more if
// it is a GET or HEAD without a body. Errors say nothing of what was sent. Safe
// for concurrent use.
type Transport struct {
	o     Options
	mu    sync.RWMutex
	pools map[place]*pool
	watch watch
}

type place struct{ scheme, host string }

// NewTransport returns a Transport. It has no goroutine while it has no
// connection, and one for all connections otherwise.
func NewTransport(o Options) *Transport {
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: outbound.CipherSuites}
	}
	for _, d := range []struct{ have, or *time.Duration }{{&o.HeaderTimeout, ptr(30 * time.Second)}, {&o.IdleTimeout, ptr(90 * time.Second)}} {
		if *d.have == 0 {
			*d.have = *d.or
		}
	}
	for _, n := range []struct{ have, or *int }{{&o.MaxIdle, ptr(1024)}, {&o.MaxConns, ptr(8192)}, {&o.MaxHeadBytes, ptr(64 << 10)}} {
		if *n.have == 0 {
			*n.have = *n.or
		}
	}
	return &Transport{o: o, pools: map[place]*pool{}}
}

func ptr[T any](v T) *T { return &v }

const dialTimeout = 5 * time.Second

var (
	errScheme   = errors.New("http1: scheme other than http and https")
	errTooMany  = errors.New("http1: too many connections to the upstream")
	errBodySize = errors.New("http1: body has another length than was said")
)

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	m := message{r: r}
	if err := m.readSmallBody(); err != nil {
		return nil, err
	}
	p, err := t.pool(r.URL)
	if err != nil {
		m.closeBody()
		return nil, err
	}
	for again := false; ; again = true {
		if err := ctx.Err(); err != nil {
			m.closeBody()
			return nil, context.Cause(ctx)
		}
		c, err := p.get(ctx, again)
		if err != nil {
			m.closeBody()
			return nil, err
		}
		res, err := c.exchange(ctx, &m)
		if err == nil {
			return res, nil
		}
		var stale staleError
		if again || !errors.As(err, &stale) || !m.repeatable() {
			m.closeBody()
			return nil, err
		}
	}
}

// CloseIdleConnections ends the connections that have no request.
func (t *Transport) CloseIdleConnections() {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, p := range t.pools {
		p.drain()
	}
}

// pool finds or makes the pool of an upstream. There are as many as there are
// upstreams in the configuration.
func (t *Transport) pool(u *url.URL) (*pool, error) {
	key := place{u.Scheme, u.Host}
	t.mu.RLock()
	p := t.pools[key]
	t.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	address, port := u.Host, map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if port == "" || address == "" {
		return nil, errScheme
	}
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), port)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p = t.pools[key]; p == nil {
		p = &pool{t: t, address: address}
		if u.Scheme == "https" {
			p.tls = t.o.TLS.Clone()
			p.tls.NextProtos = []string{"http/1.1"}
			if p.tls.ServerName == "" {
				p.tls.ServerName = u.Hostname()
			}
		}
		t.pools[key] = p
	}
	return p, nil
}

// staleError is the end of a connection that had served before, met before the
// first byte of an answer.
type staleError struct{ error }

// Unwrap is for errors.Is.
func (e staleError) Unwrap() error { return e.error }

// timeoutError is a net.Error.
type timeoutError struct{}

func (timeoutError) Error() string   { return "http1: the upstream did not answer in time" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

var _ net.Error = timeoutError{}

// eof makes the end of a connection an error where more was due.
func eof(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
