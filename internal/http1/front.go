package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Front serves a listener with an http.Server, and faster. It reads plain
// requests by itself: HTTP/1.1 in origin-form, with one Host, without transfer
// coding, upgrade or expectation, and a head and body of 16 KiB at most. It
// hands any other one, with its bytes and its connection, to the server, and
// HTTP/2 connections too. Both call the handler of the server, under the same
// limits of time, so there is one judge of what a request may do. Safe for
// concurrent use.
type Front struct {
	server  *http.Server
	handler http.Handler
	now     func() time.Time
	limits  frontTicks
	watch   watch
	handed  *handover
	closing atomic.Bool
	date    atomic.Pointer[dateLine]

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	clients   map[*client]struct{}
}

// frontTicks are the limits of the server; 0: none.
type frontTicks struct{ head, request, answer, idle int }

// NewFront makes a Front of a server that does not serve yet; it becomes the
// front's own, but for RegisterOnShutdown.
func NewFront(s *http.Server, now func() time.Time) *Front {
	f := &Front{
		server: s, handler: s.Handler, now: now, handed: newHandover(),
		listeners: map[net.Listener]struct{}{}, clients: map[*client]struct{}{},
	}
	ticks := func(limits ...time.Duration) int {
		for _, d := range limits {
			if d > 0 {
				return ticksOf(d)
			}
		}
		return 0
	}
	f.limits = frontTicks{
		head: ticks(s.ReadHeaderTimeout, s.ReadTimeout), request: ticks(s.ReadTimeout), answer: ticks(s.WriteTimeout),
		idle: ticks(s.IdleTimeout, s.ReadTimeout),
	}
	s.Handler = withState(s.Handler)
	s.ConnContext = stateOf
	return f
}

// Serve answers on l until Shutdown or Close, and then returns
// http.ErrServerClosed.
func (f *Front) Serve(l net.Listener) error { return f.serve(l, nil) }

// ServeTLS is Serve over TLS, as the server's TLSConfig has it. The file names
// must be empty: they make it a replacement for that of http.Server.
func (f *Front) ServeTLS(l net.Listener, certFile, keyFile string) error {
	if certFile != "" || keyFile != "" || f.server.TLSConfig == nil {
		return errors.New("http1: certificates come from TLSConfig")
	}
	config := f.server.TLSConfig.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	for _, p := range f.server.TLSConfig.NextProtos { // acme-tls/1, where certificates come from an authority
		if !slices.Contains(config.NextProtos, p) {
			config.NextProtos = append(config.NextProtos, p)
		}
	}
	f.server.TLSConfig = config
	return f.serve(l, config)
}

func (f *Front) serve(l net.Listener, config *tls.Config) error {
	f.mu.Lock()
	if f.closing.Load() {
		f.mu.Unlock()
		return http.ErrServerClosed
	}
	f.listeners[l] = struct{}{}
	f.mu.Unlock()
	f.handed.addr = l.Addr()
	failed := make(chan error, 1)
	go func() { failed <- f.server.Serve(f.handed) }()
	err := f.accept(l, config)
	if f.closing.Load() {
		return http.ErrServerClosed
	}
	_ = f.handed.Close()
	return errors.Join(err, <-failed)
}

// accept starts a goroutine for each connection. Out of files it waits, as
// net/http does.
func (f *Front) accept(l net.Listener, config *tls.Config) error {
	var wait time.Duration
	for {
		raw, err := l.Accept()
		var passing interface{ Temporary() bool }
		switch {
		case err == nil:
			wait = 0
			c := newClient(f, raw, config)
			if !f.track(c) {
				_ = raw.Close()
				return http.ErrServerClosed
			}
			go c.serve()
		case f.closing.Load():
			return http.ErrServerClosed
		case errors.As(err, &passing) && passing.Temporary():
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			f.logf("http: Accept error; retrying in %v", wait)
			time.Sleep(wait)
		default:
			return err
		}
	}
}

func (f *Front) logf(format string, args ...any) {
	if f.server.ErrorLog != nil {
		f.server.ErrorLog.Printf(format, args...)
	}
}

func (f *Front) track(c *client) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing.Load() {
		return false
	}
	f.clients[c] = struct{}{}
	f.watch.add(c)
	return true
}

func (f *Front) untrack(c *client) {
	f.watch.remove(c)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, c)
}

// Connections is how many there are that have not been handed over.
func (f *Front) Connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.clients)
}

// Shutdown stops listening, ends connections without a request, and waits for
// the others until ctx ends.
func (f *Front) Shutdown(ctx context.Context) error {
	f.stop()
	rest := make(chan error, 1)
	go func() { rest <- f.server.Shutdown(ctx) }()
	look := time.NewTicker(tick)
	defer look.Stop()
	for f.endIdle() > 0 {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), <-rest)
		case <-look.C:
		}
	}
	return <-rest
}

// Close ends everything at once.
func (f *Front) Close() error {
	f.stop()
	f.mu.Lock()
	for c := range f.clients {
		_ = c.raw.Close()
	}
	f.mu.Unlock()
	return f.server.Close()
}

func (f *Front) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closing.Store(true)
	for l := range f.listeners {
		_ = l.Close()
	}
}

// endIdle ends connections without a request, and counts the others.
func (f *Front) endIdle() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for c := range f.clients {
		if !c.endIfIdle() {
			n++
		}
	}
	return n
}

// dateLine is the Date of a second (RFC 9110 §6.6.1).
type dateLine struct {
	second int64
	line   string
}

func (f *Front) dateNow() string {
	now := f.now()
	d := f.date.Load()
	if d == nil || d.second != now.Unix() {
		d = &dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		f.date.Store(d)
	}
	return d.line
}
