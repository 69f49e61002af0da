package http1_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/http1"
)

// talk is a client that says some bytes, and no more. Its name tells it apart.
type talk struct {
	net.Conn
	name   string
	r      *bytes.Reader
	mu     sync.Mutex
	seen   []string // what the handler was asked
	closed chan struct{}
	once   sync.Once
}

func (c *talk) Read(p []byte) (int, error)       { return c.r.Read(p) }
func (c *talk) Write(p []byte) (int, error)      { return len(p), nil }
func (c *talk) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *talk) LocalAddr() net.Addr              { return addr("here") }
func (c *talk) RemoteAddr() net.Addr             { return addr(c.name) }
func (c *talk) SetDeadline(time.Time) error      { return nil }
func (c *talk) SetReadDeadline(time.Time) error  { return nil }
func (c *talk) SetWriteDeadline(time.Time) error { return nil }

type addr string

func (a addr) Network() string { return "talk" }
func (a addr) String() string  { return string(a) }

type talks chan net.Conn

func (l talks) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l talks) Close() error   { return nil }
func (l talks) Addr() net.Addr { return addr("here") }

const cutShort = "cut short"

// listen notes all that a handler can see of the requests of a talk.
func listen(talking *sync.Map) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		said := cutShort
		if err == nil {
			var names []string
			for name := range r.Header {
				names = append(names, fmt.Sprintf("%s=%q", name, r.Header[name]))
			}
			sort.Strings(names)
			said = fmt.Sprintf("%s %s|%+v|%s|%s|%d|%v|%v|%v|%q", r.Method, r.RequestURI, *r.URL, r.Host, r.Proto, r.ContentLength, r.Close, names, r.TransferEncoding, body)
		}
		v, _ := talking.Load(r.RemoteAddr)
		c := v.(*talk)
		c.mu.Lock()
		c.seen = append(c.seen, said)
		c.mu.Unlock()
	}
}

// FuzzConnection: whatever a client says, plain and unusual requests mixed, one
// behind the other, the handler behind Front is asked what the one behind a
// server of net/http is asked, in the same order.
func FuzzConnection(f *testing.F) {
	const get, post = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
	const chunks = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
	for _, s := range []string{
		get + post + chunks + get, chunks + get, get + "\r\n" + get, post + "x" + get, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get, "GET / HTTP/1.1\nHost: a\n\n" + get,
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get, "GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n" + get, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi",
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi" + get, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + strings.Repeat("0", 20) + "2\r\n\r\nhi" + get,
	} {
		f.Add([]byte(s))
	}
	var talking sync.Map
	server := func() *http.Server {
		return &http.Server{Handler: listen(&talking), ErrorLog: log.New(io.Discard, "", 0), MaxHeaderBytes: 32 << 10, DisableGeneralOptionsHandler: true}
	}
	ours, theirs := make(talks), make(talks)
	front, plain := http1.NewFront(server(), time.Now), server()
	go func() { _ = front.Serve(ours) }()
	go func() { _ = plain.Serve(theirs) }()
	n := 0
	f.Fuzz(func(t *testing.T, wire []byte) {
		var seen [2][]string
		for i, l := range []talks{ours, theirs} {
			n++
			c := &talk{name: fmt.Sprintf("127.0.0.1:%d", n), r: bytes.NewReader(wire), closed: make(chan struct{})}
			talking.Store(c.name, c)
			l <- c
			select {
			case <-c.closed:
			case <-time.After(10 * time.Second):
				t.Fatalf("connection %d of two does not end: %q", i, wire)
			}
			talking.Delete(c.name)
			c.mu.Lock()
			seen[i] = c.seen
			c.mu.Unlock()
		}
		// Front reads a small body before it asks: of one that is cut short nobody hears.
		if k := len(seen[1]); k > 0 && seen[1][k-1] == cutShort && len(seen[0]) == k-1 {
			seen[1] = seen[1][:k-1]
		}
		if got, want := strings.Join(seen[0], "\n"), strings.Join(seen[1], "\n"); got != want {
			t.Fatalf("%q\ngot\n%s\nnet/http has\n%s", wire, got, want)
		}
	})
}
