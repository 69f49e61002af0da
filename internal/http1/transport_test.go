package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/http1"
)

// script is an upstream that answers each request on a connection with the next
// bytes of its list, whatever was asked, and closes when the list is through.
func script(t *testing.T, answers ...string) (url string, dials *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	dials = &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for _, a := range answers {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(c, a)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), dials
}

func do(t *testing.T, tr http.RoundTripper, method, url string, body io.Reader, lines ...string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		req.Header.Add(name, value)
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

const ok = "HTTP/1.1 200 OK\r\n"

func TestAnswersThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"GW22 length and coding":       ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GW22 two lengths":             ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
		"GW22 list of lengths":         ok + "Content-Length: 2, 2\r\n\r\nhi",
		"length with a sign":           ok + "Content-Length: +2\r\n\r\nhi",
		"negative length":              ok + "Content-Length: -2\r\n\r\nhi",
		"length of nothing":            ok + "Content-Length:\r\n\r\nhi",
		"length too large":             ok + "Content-Length: 9999999999999999999\r\n\r\nhi",
		"GW22 folded line":             ok + "X-A: b\r\n c: d\r\nContent-Length: 2\r\n\r\nhi",
		"GW22 first line folded":       ok + " X-A: b\r\nContent-Length: 2\r\n\r\nhi",
		"GW22 space before colon":      ok + "Content-Length : 2\r\n\r\nhi",
		"bare LF":                      ok + "X-A: b\nContent-Length: 2\r\n\r\nhi",
		"bare CR":                      ok + "X-A: b\rc\r\nContent-Length: 2\r\n\r\nhi",
		"NUL in a value":               ok + "X-A: b\x00\r\nContent-Length: 2\r\n\r\nhi",
		"no colon":                     ok + "X-A\r\nContent-Length: 2\r\n\r\nhi",
		"empty name":                   ok + ": b\r\nContent-Length: 2\r\n\r\nhi",
		"unknown coding":               ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"coding twice":                 ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"coding of HTTP/1.0":           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"coding of a 204":              "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"other version":                "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/2 in words":              "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/0.9":                     "hello\r\n\r\n",
		"status of two digits":         "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nhi",
		"status of four digits":        "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi",
		"status 600":                   "HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nhi",
		"status 099":                   "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nhi",
		"endless interim answers":      strings.Repeat("HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", 20) + ok + "Content-Length: 2\r\n\r\nhi",
		"upgrade that nobody wants":    "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		"GW22 head of 70 KiB":          ok + "X-A: " + strings.Repeat("a", 70<<10) + "\r\nContent-Length: 2\r\n\r\nhi",
		"300 fields":                   ok + strings.Repeat("X-A: b\r\n", 300) + "Content-Length: 2\r\n\r\nhi",
		"ends in the head":             ok + "Content-Le",
		"ends in the body":             ok + "Content-Length: 20\r\n\r\nhi",
		"ends in a chunk":              ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhi",
		"ends before the last chunk":   ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
		"chunk size of nothing":        ok + "Transfer-Encoding: chunked\r\n\r\n\r\nhi\r\n0\r\n\r\n",
		"chunk size with 0x":           ok + "Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
		"chunk size with a sign":       ok + "Transfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n",
		"chunk size overflows":         ok + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nhi\r\n0\r\n\r\n",
		"chunk line with a bare LF":    ok + "Transfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n",
		"chunk longer than it says":    ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhiho\r\n0\r\n\r\n",
		"chunk extension of 1 KiB":     ok + "Transfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("a", 1024) + "\r\nhi\r\n0\r\n\r\n",
		"CR in a chunk extension":      ok + "Transfer-Encoding: chunked\r\n\r\n2;a\rb\r\nhi\r\n0\r\n\r\n",
		"trailer that is malformed":    ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX A: b\r\n\r\n",
		"trailer of 20 KiB":            ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-A: " + strings.Repeat("a", 20<<10) + "\r\n\r\n",
		"nothing at all":               "",
		"another protocol's greeting":  "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"half a line, then the end":    "HTTP/1.",
		"GW22 NEL in a name":           ok + "X\u0085A: b\r\nContent-Length: 2\r\n\r\nhi",
		"trailer ends the connection?": ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := script(t, answer)
			tr := http1.NewTransport(http1.Options{HeaderTimeout: 5 * time.Second})
			if res, body, err := do(t, tr, "GET", url+"/", nil); err == nil {
				t.Errorf("taken as %d %v %q", res.StatusCode, res.Header, body)
			}
		})
	}
}

func TestAnswersThatAreTaken(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 10_000)
	for name, tt := range map[string]struct {
		method, answer, body string
		again                bool // the connection can be used again
	}{
		"known length":                 {"GET", ok + "Content-Length: 2\r\n\r\nhi", "hi", true},
		"no body":                      {"GET", ok + "Content-Length: 0\r\n\r\n", "", true},
		"long body":                    {"GET", ok + "content-length: 100000\r\n\r\n" + long, long, true},
		"chunks":                       {"GET", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;a=b\r\n ho\r\n0\r\n\r\n", "hi ho", true},
		"one long chunk":               {"GET", ok + "Transfer-Encoding: Chunked\r\n\r\n186A0\r\n" + long + "\r\n0\r\n\r\n", long, true},
		"trailer":                      {"GET", ok + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n", "hi", true},
		"until the end":                {"GET", ok + "\r\nhi", "hi", false},
		"HTTP/1.0":                     {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", false},
		"asks for the end":             {"GET", ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi", "hi", false},
		"HEAD with a length":           {"HEAD", ok + "Content-Length: 2\r\n\r\n", "", true},
		"HEAD of chunks":               {"HEAD", ok + "Transfer-Encoding: chunked\r\n\r\n", "", true},
		"204":                          {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "", true},
		"304 with a length":            {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "", true},
		"after interim answers":        {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nSet-Cookie: a=b\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", "hi", true},
		"no reason phrase":             {"GET", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", "hi", true},
		"empty reason phrase":          {"GET", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", "hi", true},
		"J143 bytes behind the answer": {"GET", ok + "Content-Length: 2\r\n\r\nhi" + ok + "Content-Length: 4\r\n\r\nevil", "hi", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := []string{tt.answer, tt.answer}
			if !tt.again {
				answers = answers[:1]
			}
			url, dials := script(t, answers...)
			tr := http1.NewTransport(http1.Options{})
			for range 2 {
				res, body, err := do(t, tr, tt.method, url+"/", nil)
				if err != nil || body != tt.body || res.Header.Get("Set-Cookie") != "" {
					t.Fatalf("got %q (%d bytes) %v", body[:min(len(body), 40)], len(body), err)
				}
				if strings.HasPrefix(name, "trailer") && res.Trailer.Get("X-Sum") != "1" {
					t.Errorf("trailer %v", res.Trailer)
				}
			}
			if n := dials.Load(); (n == 1) != tt.again {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// An upstream that sends bytes while nobody has asked wants them to be taken for
// the answer to the next request, which may be another client's.
func TestJ143NothingIsTakenFromAnIdleConnection(t *testing.T) {
	t.Parallel()
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secured), func(t *testing.T) {
			t.Parallel()
			conns := make(chan net.Conn, 8)
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, ok+"Content-Length: 4\r\n\r\ngood")
				conns <- conn
			}))
			o := http1.Options{}
			if secured {
				s.StartTLS()
				o.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			tr := http1.NewTransport(o)
			if _, body, err := do(t, tr, "GET", s.URL, nil); err != nil || body != "good" {
				t.Fatal(body, err)
			}
			first := <-conns
			defer first.Close()
			if _, err := io.WriteString(first, ok+"Content-Length: 4\r\n\r\nevil"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond) // it has arrived
			if _, body, err := do(t, tr, "GET", s.URL, nil); err != nil || body != "good" {
				t.Errorf("the next request got %q %v", body, err)
			}
			(<-conns).Close()
		})
	}
}

func TestRequestsAsTheyArrive(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s len=%d te=%v ua=%q x=%q body=%d %v", r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding, r.Header["User-Agent"], r.Header["X-A"], len(b), err)
	}))
	t.Cleanup(s.Close)
	tr := http1.NewTransport(http1.Options{})
	host := strings.TrimPrefix(s.URL, "http://")
	large := strings.Repeat("x", 300_000)
	for _, tt := range []struct {
		method, target string
		body           io.Reader
		lines          []string
		want           string
	}{
		{"GET", "/a%2Fb?c=%20&", nil, []string{"X-A: 1", "X-A: 2"}, `GET /a%2Fb?c=%20& ` + host + ` len=0 te=[] ua=[] x=["1" "2"] body=0 <nil>`},
		{"GET", "/?", nil, nil, `GET /? ` + host + ` len=0 te=[] ua=[] x=[] body=0 <nil>`},
		{"POST", "/", strings.NewReader("hello"), nil, `POST / ` + host + ` len=5 te=[] ua=[] x=[] body=5 <nil>`},
		{"POST", "/", nil, nil, `POST / ` + host + ` len=0 te=[] ua=[] x=[] body=0 <nil>`},
		{"PUT", "/", strings.NewReader(large), nil, `PUT / ` + host + ` len=300000 te=[] ua=[] x=[] body=300000 <nil>`},
		{"PUT", "/", io.MultiReader(strings.NewReader(large)), nil, `PUT / ` + host + ` len=-1 te=[chunked] ua=[] x=[] body=300000 <nil>`},
		{"PUT", "/", strings.NewReader(large), []string{"Expect: 100-continue"}, `PUT / ` + host + ` len=300000 te=[] ua=[] x=[] body=300000 <nil>`},
		{"PUT", "/", strings.NewReader("hello"), []string{"Expect: 100-continue"}, `PUT / ` + host + ` len=5 te=[] ua=[] x=[] body=5 <nil>`},
	} {
		for range 3 {
			if sk, isSeeker := tt.body.(io.Seeker); isSeeker {
				_, _ = sk.Seek(0, io.SeekStart)
			}
			_, body, err := do(t, tr, tt.method, s.URL+tt.target, tt.body, tt.lines...)
			if err != nil || body != tt.want {
				t.Errorf("got  %s %v\nwant %s", body, err, tt.want)
			}
			if _, once := tt.body.(interface{ Len() int }); tt.body != nil && !once {
				break
			}
		}
	}
}

func TestRequestsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	url, dials := script(t, ok+"Content-Length: 0\r\n\r\n")
	for name, spoil := range map[string]func(*http.Request){
		"CRLF in a value":  func(r *http.Request) { r.Header["X-A"] = []string{"a\r\nX-B: c"} },
		"CRLF in a name":   func(r *http.Request) { r.Header["X-A\r\nX-B"] = []string{"c"} },
		"colon in a name":  func(r *http.Request) { r.Header["X-A:"] = []string{"c"} },
		"space in a name":  func(r *http.Request) { r.Header["X A"] = []string{"c"} },
		"CRLF in the host": func(r *http.Request) { r.Host = "a\r\nX-B: c" },
		"space in query":   func(r *http.Request) { r.URL.RawQuery = "a b" },
		"CRLF in query":    func(r *http.Request) { r.URL.RawQuery = "a\r\nX: y" },
		"method":           func(r *http.Request) { r.Method = "GET /x HTTP/1.1\r\n" },
		"target":           func(r *http.Request) { r.URL.Opaque = "x y" },
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		spoil(r)
		var broken *http1.ProtocolError
		if _, err := http1.NewTransport(http1.Options{}).RoundTrip(r); !errors.As(err, &broken) { //nolint:bodyclose // there is none
			t.Errorf("%s: %v", name, err)
		}
	}
	_ = dials
}

// A connection that the upstream has closed in the meantime is noticed before it
// is used, or the request is sent once more if it may be.
func TestClosedConnectionsAreNotNoticedByClients(t *testing.T) {
	t.Parallel()
	url, dials := script(t, ok+"Content-Length: 2\r\n\r\nhi") // one answer for each connection
	tr := http1.NewTransport(http1.Options{})
	for i := range 20 {
		method, body := "GET", io.Reader(nil)
		if i%2 == 1 {
			method, body = "POST", strings.NewReader("x")
			time.Sleep(20 * time.Millisecond) // the end has arrived
		}
		if _, _, err := do(t, tr, method, url, body); err != nil {
			t.Fatal(method, err)
		}
	}
	if dials.Load() != 20 {
		t.Errorf("%d connections", dials.Load())
	}
}

func TestPostIsNotSentTwice(t *testing.T) {
	t.Parallel()
	var got atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got.Add(1) == 1 {
			return
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	tr := http1.NewTransport(http1.Options{})
	if _, _, err := do(t, tr, "GET", s.URL, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, tr, "POST", s.URL, strings.NewReader("x")); err == nil || got.Load() != 2 {
		t.Errorf("%d requests, %v", got.Load(), err)
	}
	if _, _, err := do(t, tr, "GET", s.URL, nil); err == nil {
		t.Error("an upstream that always hangs up has answered")
	}
}

func TestWaitsAreBounded(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(hang) })
	tr := http1.NewTransport(http1.Options{HeaderTimeout: 200 * time.Millisecond})
	begin := time.Now()
	_, _, err := do(t, tr, "GET", s.URL+"/", nil)
	var timeout net.Error
	if took := time.Since(begin); !errors.As(err, &timeout) || !timeout.Timeout() || took < 150*time.Millisecond || took > 3*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	for _, path := range []string{"/", "/body"} {
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", s.URL+path, nil)
		time.AfterFunc(50*time.Millisecond, cancel)
		res, err := tr.RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A body may take its time: only the head has a limit.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range 4 {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	}))
	t.Cleanup(s.Close)
	tr := http1.NewTransport(http1.Options{HeaderTimeout: 150 * time.Millisecond})
	slow, w := io.Pipe()
	go func() {
		for range 4 {
			_, _ = w.Write([]byte("y"))
			time.Sleep(100 * time.Millisecond)
		}
		_ = w.Close()
	}()
	if _, body, err := do(t, tr, "POST", s.URL, slow); err != nil || body != "xxxx" {
		t.Errorf("%q %v", body, err)
	}
}

// One goroutine for all connections, and none when there are none.
func TestGoroutines(t *testing.T) { //nolint:paralleltest // it counts goroutines
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { time.Sleep(20 * time.Millisecond) }))
	tr := http1.NewTransport(http1.Options{MaxIdle: 20})
	before := runtime.NumGoroutine()
	done := make(chan error, 50)
	for range 50 {
		go func() {
			_, _, err := do(t, tr, "GET", s.URL, nil)
			done <- err
		}()
	}
	for range 50 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	s.Config.SetKeepAlivesEnabled(false)
	tr.CloseIdleConnections()
	s.Close()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	var stacks [64 << 10]byte
	t.Errorf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, bytes.TrimSpace(stacks[:runtime.Stack(stacks[:], true)]))
}

// An upstream that answers instead of asking for the body is still owed it: what is sent
// next on that connection could be read as that body, and the request after it as
// somebody else's.
func TestJ143APromisedBodyThatIsNotSentEndsTheConnection(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var dials atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for { // it never reads a body
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					_, _ = io.WriteString(c, ok+"Content-Length: 4\r\n\r\ngood")
				}
			}()
		}
	}()
	tr := http1.NewTransport(http1.Options{})
	url := "http://" + l.Addr().String()
	for range 2 {
		if _, body, err := do(t, tr, "PUT", url, strings.NewReader(strings.Repeat("x", 300_000)), "Expect: 100-continue"); err != nil || body != "good" {
			t.Fatal(body, err)
		}
	}
	if _, body, err := do(t, tr, "GET", url, nil); err != nil || body != "good" {
		t.Fatal(body, err)
	}
	if _, body, err := do(t, tr, "GET", url, nil); err != nil || body != "good" {
		t.Fatal(body, err)
	}
	if n := dials.Load(); n != 3 {
		t.Errorf("%d connections, want 3: one for each body that was not sent, and one for the rest", n)
	}
}
