package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/http1"
)

// pair is a handler behind a Front and behind a server of net/http.
type pair struct {
	front *http1.Front
	addrs map[string]string
	cert  *tls.Config
	fast  atomic.Int64 // requests that Front has read itself
}

func newPair(t *testing.T, secured bool, h http.HandlerFunc) *pair {
	t.Helper()
	return newLimitedPair(t, secured, 10*time.Second, h)
}

func newLimitedPair(t *testing.T, secured bool, limit time.Duration, h http.HandlerFunc) *pair {
	t.Helper()
	p := &pair{addrs: map[string]string{}}
	keys := httptest.NewUnstartedServer(nil)
	keys.StartTLS()
	keys.Close()
	p.cert = keys.Client().Transport.(*http.Transport).TLSClientConfig
	server := func() *http.Server {
		s := &http.Server{
			Handler: h, ReadHeaderTimeout: limit / 2, ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: limit,
			MaxHeaderBytes: 32 << 10, ErrorLog: log.New(io.Discard, "", 0), DisableGeneralOptionsHandler: true,
		}
		if secured {
			s.TLSConfig = &tls.Config{Certificates: keys.TLS.Certificates}
		}
		return s
	}
	listen := func(name string) net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.addrs[name] = l.Addr().String()
		return l
	}
	fast, plain := server(), server()
	fast.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fmt.Sprintf("%T", w) == "*http1.response" {
			p.fast.Add(1)
		}
		h(w, r)
	})
	p.front = http1.NewFront(fast, time.Now)
	for name, s := range map[string]interface {
		Serve(net.Listener) error
		ServeTLS(net.Listener, string, string) error
	}{"front": p.front, "net/http": plain} {
		l := listen(name)
		go func() {
			if secured {
				_ = s.ServeTLS(l, "", "")
			} else {
				_ = s.Serve(l)
			}
		}()
	}
	t.Cleanup(func() { _ = p.front.Close(); _ = plain.Close() })
	return p
}

func (p *pair) dial(t *testing.T, name string, secured bool) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.addrs[name])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if secured {
		config := p.cert.Clone()
		config.ServerName = "example.com"
		return tls.Client(c, config)
	}
	return c
}

// answers sends wire and returns all answers, with their lines in order.
func (p *pair) answers(t *testing.T, name string, secured bool, wire string) string {
	t.Helper()
	c := p.dial(t, name, secured)
	if _, err := io.WriteString(c, wire); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(wire, " ")
	var out strings.Builder
	for r := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return out.String()
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		var lines []string
		for name, values := range res.Header {
			if name == "Date" {
				values = []string{fmt.Sprint(len(values))}
			}
			lines = append(lines, fmt.Sprintf("%s: %q", name, values))
		}
		sort.Strings(lines)
		fmt.Fprintf(&out, "%s %s length %d te %v close %v trailer %v\n%s\n%q %v\n", res.Proto, res.Status, res.ContentLength, res.TransferEncoding, res.Close, res.Trailer, strings.Join(lines, "\n"), body, err)
		if res.Close || err != nil {
			return out.String()
		}
	}
}

// echo tells all that a handler can see of a request.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var names []string
	for name := range r.Header {
		names = append(names, fmt.Sprintf("%s=%q", name, r.Header[name]))
	}
	sort.Strings(names)
	secured := r.TLS != nil && r.TLS.HandshakeComplete
	host, _, splits := net.SplitHostPort(r.RemoteAddr)
	_, hasServer := r.Context().Value(http.ServerContextKey).(*http.Server)
	_, hasAddr := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	fmt.Fprintf(w, "%s %s|%+v|%q|%s %s %d %v|%v %v %v|%q %v|%v", r.Method, r.RequestURI, *r.URL, r.URL.EscapedPath(), r.Host, r.Proto, r.ContentLength, r.Close,
		names, r.TransferEncoding, r.Trailer, body, err, fmt.Sprint(secured, host, splits, hasServer, hasAddr))
}

const end = " HTTP/1.1\r\nHost: a.example:8443\r\nConnection: close\r\n"

func TestFrontServesAsNetHTTPDoes(t *testing.T) {
	t.Parallel()
	for _, secured := range []bool{false, true} {
		p := newPair(t, secured, echo)
		for name, tt := range map[string]struct {
			wire  string
			plain bool // Front reads it itself
		}{
			"GET":                     {"GET /a/b?c=d" + end + "X-A: b\r\nx-a: c\r\nAUTHORIZATION: Bearer x\r\n\r\n", true},
			"escapes":                 {"GET /a%20b/%2F?c=%zz" + end + "\r\n", true},
			"reserved characters":     {"GET /a;b=c,d@e:f!g$h&i'j(k)l*m+n" + end + "\r\n", true},
			"empty query":             {"GET /?" + end + "\r\n", true},
			"two question marks":      {"GET /?a?" + end + "\r\n", true},
			"body":                    {"POST /a" + end + "Content-Length: 5\r\n\r\nhello", true},
			"empty body":              {"POST /a" + end + "Content-Length: 0\r\n\r\n", true},
			"GET with a body":         {"GET /a" + end + "Content-Length: 5\r\n\r\nhello", true},
			"no-cache":                {"GET /a" + end + "Pragma: no-cache\r\n\r\n", true},
			"spaces around a value":   {"GET /a" + end + "X-A: \t b c \t \r\nX-B:\r\n\r\n", true},
			"other bytes in a value":  {"GET /a" + end + "X-A: \xff\xfe\r\n\r\n", true},
			"keep-alive":              {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET /b" + end + "\r\n", true},
			"two at once":             {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /b" + end + "\r\n", true},
			"HEAD":                    {"HEAD /a" + end + "\r\n", true},
			"chunks":                  {"POST /a" + end + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n", false},
			"expectation":             {"POST /a" + end + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", false},
			"large body":              {"POST /a" + end + "Content-Length: 40000\r\n\r\n" + strings.Repeat("x", 40000), false},
			"large head":              {"GET /a" + end + "X-A: " + strings.Repeat("x", 20000) + "\r\n\r\n", false},
			"HTTP/1.0":                {"GET /a HTTP/1.0\r\nHost: a\r\n\r\n", false},
			"no host":                 {"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", false},
			"two hosts":               {"GET /a" + end + "Host: b\r\n\r\n", false},
			"absolute form":           {"GET http://b/a" + end + "\r\n", false},
			"asterisk":                {"OPTIONS *" + end + "\r\n", false},
			"double slash":            {"GET //b/a" + end + "\r\n", false},
			"CONNECT":                 {"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\nConnection: close\r\n\r\n", false},
			"unknown method":          {"BREW /a" + end + "\r\n", false},
			"connection option":       {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close, x-a\r\nX-A: b\r\n\r\n", false},
			"bare LF":                 {"GET /a HTTP/1.1\nHost: a\nConnection: close\n\n", false},
			"folded":                  {"GET /a" + end + "X-A: b\r\n c\r\n\r\n", false},
			"space before the colon":  {"GET /a" + end + "X-A : b\r\n\r\n", false},
			"two lengths":             {"POST /a" + end + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", false},
			"lengths that differ":     {"POST /a" + end + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", false},
			"length and coding":       {"POST /a" + end + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
			"signed length":           {"POST /a" + end + "Content-Length: +2\r\n\r\nhi", false},
			"control byte in a value": {"GET /a" + end + "X-A: b\x01\r\n\r\n", false},
			"space in the target":     {"GET /a b" + end + "\r\n", false},
			"empty line first":        {"\r\nGET /a" + end + "\r\n", false},
			"HTTP/0.9":                {"GET /a\r\n\r\n", false},
		} {
			t.Run(fmt.Sprint(name, " TLS ", secured), func(t *testing.T) {
				p.fast.Store(0)
				got, want := p.answers(t, "front", secured, tt.wire), p.answers(t, "net/http", secured, tt.wire)
				if got != want {
					t.Errorf("got\n%s\nnet/http says\n%s", got, want)
				}
				if got == "" {
					t.Error("no answer")
				}
				if (p.fast.Load() > 0) != tt.plain {
					t.Errorf("Front has read %d requests itself", p.fast.Load())
				}
			})
		}
	}
}

func TestFrontWritesAsNetHTTPDoes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 10_000)
	for name, h := range map[string]http.HandlerFunc{
		"nothing":      func(http.ResponseWriter, *http.Request) {},
		"status alone": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"no content":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); _, _ = io.WriteString(w, "x") },
		"not modified": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Etag", `"x"`); w.WriteHeader(304) },
		"short":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hi") },
		"typed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			_, _ = io.WriteString(w, "hi")
		},
		"untyped on purpose": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "hi")
		},
		"encoded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "hi")
		},
		"dated": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "x")
			_, _ = io.WriteString(w, "hi")
		},
		"long": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) },
		"long of known length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, long)
		},
		"in pieces": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 10 {
				_, _ = io.WriteString(w, long[:i*1000])
			}
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "b")
		},
		"flushed first": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); _, _ = io.WriteString(w, "b") },
		"header too late": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.Header().Set("X-A", "b")
			w.WriteHeader(500)
			_, _ = io.WriteString(w, "hi")
		},
		"CRLF in a value": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", "b\r\nX-B: c")
			_, _ = io.WriteString(w, "hi")
		},
		"CRLF in a name": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["X-A\r\nX-B"] = []string{"c"}
			_, _ = io.WriteString(w, "hi")
		},
		"two values": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=b", "c=d"}
			_, _ = io.WriteString(w, "hi")
		},
		"too little": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "hi")
		},
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1")
			_, err := io.WriteString(w, "hi")
			_, _ = io.WriteString(w, "x")
			_ = err
		},
		"asks for the end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, "hi")
		},
		"panic": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"panic in a body": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			panic("x")
		},
		"announced trailer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-T")
			_, _ = io.WriteString(w, "hi")
			w.Header().Set("X-T", "1")
		},
		"trailer by prefix": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hi")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-T", "1")
		},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			if method == "HEAD" && (name == "long" || name == "in pieces") {
				continue // Front tells the length, which net/http does for 2 KiB only
			}
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				p := newPair(t, false, h)
				wire := method + " / HTTP/1.1\r\nHost: a\r\n\r\n" + method + " /" + end + "\r\n"
				if got, want := p.answers(t, "front", false, wire), p.answers(t, "net/http", false, wire); got != want {
					t.Errorf("got\n%s\nnet/http says\n%s", got, want)
				}
			})
		}
	}
}

func TestFrontTellsWhenTheClientHasLeft(t *testing.T) {
	t.Parallel()
	left := make(chan error, 1)
	p := newPair(t, true, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			left <- r.Context().Err()
		case <-time.After(5 * time.Second):
			left <- nil
		}
	})
	c := p.dial(t, "front", true)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	time.Sleep(100 * time.Millisecond)
	c.Close()
	if err := <-left; err == nil {
		t.Error("the handler was not told")
	}
}

// What a client sends while its request runs belongs to the next one.
func TestFrontKeepsWhatComesEarly(t *testing.T) {
	t.Parallel()
	p := newPair(t, true, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(150 * time.Millisecond)
		_, _ = io.WriteString(w, r.URL.Path)
		if r.Context().Err() != nil && r.URL.Path != "/5" { // nobody waits for that one
			t.Error("the request was cancelled")
		}
	})
	c := p.dial(t, "front", true)
	r := bufio.NewReader(c)
	_, _ = io.WriteString(c, "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n")
	for i := range 5 {
		time.Sleep(30 * time.Millisecond)
		_, _ = fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i+1)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(res.Body); string(b) != fmt.Sprint("/", i) {
			t.Errorf("got %s, want /%d", b, i)
		}
		res.Body.Close()
	}
}

func TestFrontEndsWhatWaitsTooLong(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	p := newLimitedPair(t, false, limit, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(3 * limit / 2)
		}
		if r.URL.Path == "/lifted" {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
			time.Sleep(3 * limit / 2)
		}
	})
	var waits sync.WaitGroup
	for name, tt := range map[string]struct {
		send     string
		answered bool
	}{
		"nothing":           {"", false},
		"half a head":       {"GET / HTT", false},
		"half a body":       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx", false},
		"slow handler":      {"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", false},
		"its limit is gone": {"GET /lifted HTTP/1.1\r\nHost: a\r\n\r\n", true},
		"idle":              {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
	} {
		c := p.dial(t, "front", false)
		waits.Go(func() {
			_, _ = io.WriteString(c, tt.send)
			begin := time.Now()
			b, err := io.ReadAll(c)
			if took := time.Since(begin); took < limit/3 || took > 9*time.Second || bytes.HasPrefix(b, []byte("HTTP/1.1 200")) != tt.answered {
				t.Errorf("%s: %q %v after %s", name, b, err, took)
			}
		})
	}
	waits.Wait()
}

func TestFrontDrains(t *testing.T) {
	t.Parallel()
	begun := make(chan bool, 4)
	p := newPair(t, true, func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		time.Sleep(200 * time.Millisecond)
		_, _ = io.WriteString(w, "whole")
	})
	idle := p.dial(t, "front", true)
	_, _ = io.WriteString(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	if _, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil {
		t.Fatal(err)
	}
	var running []net.Conn
	for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
		c := p.dial(t, "front", true)
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n"+expect+"\r\n")
		running = append(running, c)
		<-begun
	}
	done := make(chan error, 1)
	go func() { done <- p.front.Shutdown(context.Background()) }()
	for _, c := range running {
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(res.Body); string(b) != "whole" || !res.Close {
			t.Errorf("got %q, close %v", b, res.Close)
		}
		res.Body.Close()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := p.front.Connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
	if _, err := net.Dial("tcp", p.addrs["front"]); err == nil {
		t.Error("it still listens")
	}
}

func TestFrontSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	p := newPair(t, true, echo)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: p.cert.Clone(), ForceAttemptHTTP2: true}}
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
	res, err := client.Get("https://" + p.addrs["front"] + "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.ProtoMajor != 2 || !strings.Contains(string(b), "true") {
		t.Errorf("%s %s", res.Proto, b)
	}
}

// FuzzRequest: a request that Front reads itself, net/http reads as the same.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /a/b?c=d HTTP/1.1\r\nHost: a.example\r\nX-A: b\r\nx-a: c\r\n\r\n", "POST /%41?a?b HTTP/1.1\r\nhost: [::1]:80\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
		"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\nDPoP: x\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n", "GET /;?# HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "GET /:a//b/../c HTTP/1.1\r\nHost: a:b\r\nX:\t\xff\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		got, size := http1.ParsePlain(wire)
		if size == 0 {
			return
		}
		reader := bufio.NewReader(bytes.NewReader(wire))
		want, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("net/http refuses what is taken: %v\n%q", err, wire)
		}
		a := fmt.Sprintf("%s|%+v|%s|%s|%s|%d|%v|%q|%v", got.Method, *got.URL, got.RequestURI, got.Host, got.Proto, got.ContentLength, got.Close, got.Header, got.TransferEncoding)
		b := fmt.Sprintf("%s|%+v|%s|%s|%s|%d|%v|%q|%v", want.Method, *want.URL, want.RequestURI, want.Host, want.Proto, want.ContentLength, want.Close, want.Header, want.TransferEncoding)
		if a != b {
			t.Fatalf("%s\nnet/http has\n%s", a, b)
		}
		body, err := io.ReadAll(want.Body)
		left, _ := io.ReadAll(reader)
		if n := int(got.ContentLength); err == nil && (len(body) != n || !bytes.Equal(append(body, left...), wire[size:])) {
			t.Fatalf("body %q and %q of %q", body, left, wire[size:])
		}
	})
}
