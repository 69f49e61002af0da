package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"
)

// BenchmarkHandler calls the handlers without a network, so that a change in
// them shows in allocations and in CPU time of a few microseconds.
func BenchmarkHandler(b *testing.B) {
	for _, side := range []struct {
		name string
		make func(context.Context, string, string) (http.Handler, hello, error)
	}{{"bare", newBareSQLite}, {"product", newProduct}} {
		for _, w := range workloads {
			b.Run(w.name+"/"+side.name, func(b *testing.B) {
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				handler, h, err := side.make(ctx, b.TempDir(), "http://127.0.0.1:9")
				if err != nil {
					b.Fatal(err)
				}
				h.URL = "http://127.0.0.1:9"
				call(b, handler, &server{role: side.name, hello: h}, w)
			})
		}
	}
}

func call(b *testing.B, handler http.Handler, s *server, w workload) {
	req, err := w.request(s, 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	var cpu time.Duration
	rec := &recorder{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		if w.name == "refresh" && rec.status != 0 { // each answer is the next question
			b.StopTimer()
			if req, err = w.request(s, 0, rec.body); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		in := incoming(b, req)
		clear(rec.header)
		rec.status, rec.body = 0, rec.body[:0]
		before := used(b)
		handler.ServeHTTP(rec, in)
		cpu += used(b) - before
		if rec.status != http.StatusOK && rec.status != 0 {
			b.Fatalf("status %d: %s", rec.status, rec.body)
		}
		rec.status = http.StatusOK
	}
	b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
}

// incoming makes a client's request look as the server gives it to a handler.
func incoming(b *testing.B, out *http.Request) *http.Request {
	in := &http.Request{
		Method: out.Method, Host: "127.0.0.1:9", RemoteAddr: "127.0.0.1:4711", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.Header, ContentLength: out.ContentLength, Body: http.NoBody, RequestURI: out.URL.RequestURI(),
		URL: &url.URL{Path: out.URL.Path, RawQuery: out.URL.RawQuery},
	}
	if out.GetBody != nil {
		body, err := out.GetBody()
		if err != nil {
			b.Fatal(err)
		}
		in.Body = body
	}
	return in
}

func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// recorder keeps what the next request needs.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}

var _ io.Writer = (*recorder)(nil)
