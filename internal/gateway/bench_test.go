package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// nothing is a response writer without a connection.
type nothing struct{ h http.Header }

func (n nothing) Header() http.Header         { return n.h }
func (n nothing) Write(b []byte) (int, error) { return len(b), nil }
func (n nothing) WriteHeader(int)             {}
func (n nothing) Flush()                      {}

func (n nothing) SetReadDeadline(time.Time) error  { return nil }
func (n nothing) SetWriteDeadline(time.Time) error { return nil }

type body struct{ left int }

func (b *body) Read(p []byte) (int, error) {
	n := min(b.left, len(p))
	b.left -= n
	if b.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (*body) Close() error { return nil }

// answering is an upstream without a network: 1 KiB of JSON.
func answering(length int64) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Request: r, ContentLength: length, Body: &body{1024},
			Header: http.Header{"Content-Type": {"application/json"}, "Date": {"x"}},
		}, nil
	})
}

func BenchmarkServeHTTP(b *testing.B) {
	for name, length := range map[string]int64{"known length": 1024, "watched": -1} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(b, nil, func(o *gateway.Options) { o.Transport = answering(length) })
			r := httptest.NewRequest("GET", "/catalog/items/1?q=x", nil)
			r.Header = http.Header{"Authorization": {f.bearer()}, "Accept": {"application/json"}, "User-Agent": {"bench"}, "Accept-Encoding": {"gzip"}}
			b.ReportAllocs()
			for b.Loop() {
				w := nothing{http.Header{}}
				f.gateway.ServeHTTP(w, r)
				if len(w.h["Content-Type"]) == 0 || w.h["Content-Type"][0] != "application/json" {
					b.Fatal(w.h)
				}
			}
		})
	}
}

func BenchmarkRefusal(b *testing.B) {
	f := newFixture(b, nil)
	r := httptest.NewRequest("GET", "/catalog/items/1", nil)
	b.ReportAllocs()
	for b.Loop() {
		f.gateway.ServeHTTP(nothing{http.Header{}}, r)
	}
}

func BenchmarkOpenAccess(b *testing.B) {
	f := newFixture(b, nil)
	tok := f.seal(f.access())
	var a token.Access
	b.ReportAllocs()
	for b.Loop() {
		if err := f.ring.OpenAccess(tok, &a); err != nil {
			b.Fatal(err)
		}
	}
}
