package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"testing"

	"sallyport/internal/http1"
)

// said is an upstream that says the same bytes to whatever it is asked.
type said struct {
	net.Conn
	r *bytes.Reader
}

func (s said) Read(p []byte) (int, error)  { return s.r.Read(p) }
func (s said) Write(p []byte) (int, error) { return len(p), nil }
func (s said) Close() error                { return nil }

// FuzzAnswer: an answer that Transport takes, net/http reads as the same. The
// reverse does not hold: Transport is stricter.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		ok + "Content-Length: 2\r\n\r\nhi", ok + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nX-A: b\r\n\r\n", ok + "\r\nhi",
		"HTTP/1.0 404 No\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 100 C\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n", "HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n",
		ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ok + "X-A: b\r\n c\r\n\r\n", ok + "Trailer: X-A, X-B\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-B: 1\r\n\r\n",
	} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, wire []byte, isHead bool) {
		method := "GET"
		if isHead {
			method = "HEAD"
		}
		tr := http1.NewTransport(http1.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
			return said{r: bytes.NewReader(wire)}, nil
		}})
		req, _ := http.NewRequestWithContext(t.Context(), method, "http://a/", nil)
		res, err := tr.RoundTrip(req)
		if err != nil {
			return
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return
		}
		r := bufio.NewReader(bytes.NewReader(wire))
		theirs, err := http.ReadResponse(r, req)
		for err == nil && theirs.StatusCode < 200 {
			theirs, err = http.ReadResponse(r, req)
		}
		if err != nil {
			t.Fatalf("net/http refuses what is taken: %v\n%q", err, wire)
		}
		want, err := io.ReadAll(theirs.Body)
		theirs.Body.Close()
		if err != nil || !bytes.Equal(got, want) || res.StatusCode != theirs.StatusCode || res.ContentLength != theirs.ContentLength {
			t.Fatalf("%d %d %q, net/http has %d %d %q %v\n%q", res.StatusCode, res.ContentLength, got, theirs.StatusCode, theirs.ContentLength, want, err, wire)
		}
		for _, h := range []http.Header{res.Header, theirs.Header} {
			h.Del("Connection")
			h.Del("Trailer")
			if len(h["Content-Length"]) > 0 {
				h.Del("Content-Length") // compared as a number
			}
		}
		if !reflect.DeepEqual(res.Header, theirs.Header) {
			t.Fatalf("header %q, net/http has %q\n%q", res.Header, theirs.Header, wire)
		}
	})
}
