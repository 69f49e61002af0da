package chaos_test

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tag is how the backend knows which kind of call it is asked to answer.
const tag = "X-Chaos"

// backend can be killed and comes back at the same address. It remembers what it
// was asked to do.
type backend struct {
	t       *testing.T
	address string
	server  *http.Server
	asked   sync.Map // tag to *atomic.Int64
	bare    atomic.Int64
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{t: t, address: "127.0.0.1:0"}
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *backend) start() {
	b.t.Helper()
	var l net.Listener
	var err error
	for range 50 { // the port may still be closing
		if l, err = net.Listen("tcp", b.address); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.address = l.Addr().String()
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) { _ = s.Serve(l) }(b.server)
}

// kill ends the listener and all connections, as the end of a process does.
func (b *backend) kill() { _ = b.server.Close() }

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := b.asked.LoadOrStore(r.Header.Get(tag), new(atomic.Int64))
	n.(*atomic.Int64).Add(1) //nolint:forcetypeassert // nothing else is in it
	if r.Header.Get("Authorization") == "" {
		b.bare.Add(1)
	}
	if r.URL.Path != "/events" {
		_, _ = fmt.Fprint(w, "done")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		if _, err := fmt.Fprint(w, "data: still here\n\n"); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// executed is how many calls of a kind have reached it.
func (b *backend) executed(kind string) int64 {
	n, ok := b.asked.Load(kind)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load() //nolint:forcetypeassert // nothing else is in it
}
