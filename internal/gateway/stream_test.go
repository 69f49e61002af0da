package gateway_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// streaming answers with events, or with an echo over a WebSocket.
func streaming(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "websocket" {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: evil=1\r\nServer: x\r\nSec-WebSocket-Accept: y\r\n\r\n")
			_, _ = io.Copy(conn, buf)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// stream is an open stream over TLS.
type stream struct {
	conn net.Conn
	r    *bufio.Reader
	head *http.Response
}

// plainTimeout is what the server of these tests allows a request that is no
// stream: long enough for a handshake on a busy machine.
const plainTimeout = 1500 * time.Millisecond

// open starts an event stream or a WebSocket over a real TLS front with
// timeouts for whole requests that streams outlive.
func open(t *testing.T, f *fixture, authorization string, upgrade bool, lines ...string) stream {
	t.Helper()
	front := httptest.NewUnstartedServer(f.handler())
	front.Config.ReadTimeout, front.Config.WriteTimeout = plainTimeout, plainTimeout
	front.StartTLS()
	t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	conn, err := tls.Dial("tcp", front.Listener.Addr().String(), &tls.Config{RootCAs: front.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	lines = append([]string{"GET /catalog/items/live HTTP/1.1", "Host: a", "Authorization: " + authorization}, lines...)
	if upgrade {
		lines = append(lines, "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: k", "Sec-WebSocket-Version: 13")
	}
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil) //nolint:bodyclose // the body is the connection, which is closed
	if err != nil {
		t.Fatal(err)
	}
	return stream{conn, r, res}
}

// ends reads until the stream ends and returns how long that took.
func (s stream) ends(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	_ = s.conn.SetReadDeadline(begin.Add(15 * time.Second))
	if _, err := io.Copy(io.Discard, s.r); err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // as it comes
			t.Fatal("the stream goes on")
		}
	}
	return time.Since(begin)
}

// alive checks that data flows.
func (s stream) alive(t *testing.T, upgrade bool) {
	t.Helper()
	if upgrade {
		if _, err := io.WriteString(s.conn, "ping\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := s.r.ReadString('\n'); err != nil || line != "ping\n" {
			t.Fatalf("echo %q %v", line, err)
		}
		return
	}
	for range 3 {
		if _, err := s.r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGW26StreamsEnd(t *testing.T) {
	t.Parallel()
	for _, upgrade := range []bool{false, true} {
		kind := map[bool]string{false: "SSE", true: "WebSocket"}[upgrade]
		for name, tt := range map[string]struct {
			end    func(f *fixture, a token.Access)
			within time.Duration
			cause  string
		}{
			"on revocation":                       {func(f *fixture, a token.Access) { f.log.add(revocationOf(a)); f.catchUp() }, 3 * time.Second, "token revoked"},
			"on expiry":                           {func(*fixture, token.Access) {}, 8 * time.Second, "token expired"},
			"when revocations cannot be followed": {func(f *fixture, _ token.Access) { f.ahead.Store(int64(11 * time.Second)) }, 4 * time.Second, "revocations cannot be followed"},
			"when the gateway closes":             {func(f *fixture, _ token.Access) { f.gateway.Close() }, 3 * time.Second, "the gateway is closing"},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, streaming(t))
				a := f.access()
				if strings.Contains(name, "expiry") {
					a.Lifetime = 6
				}
				s := open(t, f, "Bearer "+f.seal(a), upgrade)
				if want := map[bool]int{false: 200, true: 101}[upgrade]; s.head.StatusCode != want {
					t.Fatalf("status %d", s.head.StatusCode)
				}
				if s.head.Header.Get("Set-Cookie") != "" || s.head.Header.Get("Server") != "" {
					t.Errorf("header %v", s.head.Header)
				}
				s.alive(t, upgrade)
				time.Sleep(plainTimeout + 200*time.Millisecond) // longer than the server allows a plain request
				s.alive(t, upgrade)
				tt.end(f, a)
				if took := s.ends(t); took > tt.within {
					t.Errorf("it took %s", took)
				}
				time.Sleep(50 * time.Millisecond)
				var causes []string
				for _, attr := range f.record.Attrs() {
					if attr.Key == "stream_ended" {
						causes = append(causes, attr.Value.String())
					}
				}
				if len(causes) != 1 || causes[0] != tt.cause {
					t.Errorf("noted %q, want %q", causes, tt.cause)
				}
			})
		}
	}
}

func TestRevokingOneLeavesOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, streaming(t))
	a, b := f.access(), f.access()
	first, second := open(t, f, "Bearer "+f.seal(a), false), open(t, f, "Bearer "+f.seal(b), true)
	f.log.add(revocationOf(a))
	f.catchUp()
	first.ends(t)
	second.alive(t, true)
}

func TestClosedGatewayStartsNoStream(t *testing.T) {
	t.Parallel()
	f := newFixture(t, streaming(t))
	f.gateway.Close()
	for _, upgrade := range []bool{false, true} {
		if s := open(t, f, f.bearer(), upgrade); s.head.StatusCode != 503 {
			t.Errorf("status %d", s.head.StatusCode)
		}
	}
}

func TestCloseLetsAnswersFinish(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first half, ")
		_ = http.NewResponseController(w).Flush() // so its length is not known
		<-closed
		_, _ = io.WriteString(w, "second half")
	})
	req, _ := http.NewRequest("GET", f.front.URL+"/catalog/items/1", nil)
	req.Header.Set("Authorization", f.bearer())
	res, err := http.DefaultClient.Do(req) // returns when the answer has begun
	if err != nil {
		t.Fatal(err)
	}
	f.gateway.Close()
	close(closed)
	if got := read(t, res); got.Status != 200 || got.Body != "first half, second half" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
}

func TestGW26Upgrades(t *testing.T) {
	t.Parallel()
	f := newFixture(t, streaming(t))
	for _, tt := range []struct {
		name, authorization string
		lines               []string
		status              int
	}{
		{"no origin, as apps send", f.bearer(), nil, 101},
		{"allowed origin", f.bearer(), []string{"Origin: https://app.example.com"}, 101},
		{"foreign origin", f.bearer(), []string{"Origin: https://evil.example"}, 403},
		{"suffix of an allowed origin", f.bearer(), []string{"Origin: https://app.example.com.evil.example"}, 403},
		{"allowed origin over http", f.bearer(), []string{"Origin: http://app.example.com"}, 403},
		{"null origin", f.bearer(), []string{"Origin: null"}, 403},
		{"two origins", f.bearer(), []string{"Origin: https://app.example.com", "Origin: https://evil.example"}, 403},
		{"empty origin", f.bearer(), []string{"Origin:"}, 403},
		{"no credential", "", nil, 400},
		{"bad token", "Bearer x", nil, 401},
		{"wrong scope", f.bearer(withScope("x")), nil, 403},
		{"forged identity", f.bearer(), []string{"X-User-Id: evil"}, 101},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.taken()
			s := open(t, f, tt.authorization, true, tt.lines...)
			if s.head.StatusCode != tt.status {
				t.Errorf("status %d, want %d", s.head.StatusCode, tt.status)
			}
			calls := f.taken()
			if (len(calls) == 1) != (tt.status == 101) {
				t.Fatalf("the backend got %d calls", len(calls))
			}
			if len(calls) == 1 && (calls[0].Header.Get("X-User-Id") != "" || !strings.HasPrefix(calls[0].Header.Get("Authorization"), "Bearer eyJ")) {
				t.Errorf("the backend got %v", calls[0].Header)
			}
		})
	}
}

func TestUpstreamCannotUpgradeUnasked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	}, func(o *gateway.Options) { o.UpstreamTimeout = time.Second })
	if got := f.get("/catalog/items/1", f.bearer()); got.Status != 502 {
		t.Errorf("status %d", got.Status)
	}
}

// KY08: whoever has a key can make a token and open a stream with it. When the
// key is compromised the stream ends, as a revoked one does; others go on.
func TestKY08StreamsEndWithTheKeyOfTheirToken(t *testing.T) {
	t.Parallel()
	for purpose, tok := range map[token.Purpose]func(*fixture) string{
		token.SealAccess: func(f *fixture) string { return f.bearer() },
		token.SignAccess: func(f *fixture) string { return f.jwt() },
	} {
		for _, upgrade := range []bool{false, true} {
			t.Run(fmt.Sprint(purpose, " upgrade ", upgrade), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, streaming(t))
				drop := func(p token.Purpose) {
					for _, r := range f.stored.rows {
						if r.Purpose == p {
							f.ring.Drop(r.ID)
						}
					}
				}
				s := open(t, f, tok(f), upgrade)
				drop(token.MACForm)
				time.Sleep(600 * time.Millisecond) // it has been looked at
				s.alive(t, upgrade)
				drop(purpose)
				if took := s.ends(t); took > 5*time.Second {
					t.Errorf("it ended after %s", took)
				}
			})
		}
	}
}
