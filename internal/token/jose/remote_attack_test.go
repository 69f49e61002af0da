package jose_test

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/outbound"
	"sallyport/internal/token/jose"
)

// site serves keys over TLS until it is told to misbehave.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	next  http.HandlerFunc
	asked atomic.Int64
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		next := s.next
		s.mu.Unlock()
		next(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *site) serve(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = h
}

func answer(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body)
	}
}

// door is the client of the product, which may reach this machine here.
func door(s *site) *outbound.Client {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return outbound.NewClient(outbound.Options{AllowLoopback: true, RootCAs: pool, Timeout: 300 * time.Millisecond})
}

// ticker is a clock that the test moves.
type ticker struct{ at atomic.Int64 }

func (c *ticker) now() time.Time           { return now.Add(time.Duration(c.at.Load())) }
func (c *ticker) forward(by time.Duration) { c.at.Add(int64(by)) }

func TestMD08J132HostileKeyServers(t *testing.T) {
	t.Parallel()
	fine := jwks(public("k1", ecKey))
	evil := jwks(public("k1", otherKey), public("k2", otherKey))
	s, elsewhere := newSite(t), newSite(t)
	elsewhere.serve(answer("application/json", evil))
	var zip bytes.Buffer
	z := gzip.NewWriter(&zip)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 16<<20))
	_ = z.Close()

	c := &ticker{}
	s.serve(answer("application/jwk-set+json", fine))
	keys := must(jose.NewRemoteKeys(jose.RemoteOptions{URL: s.URL + "/jwks", Fetch: door(s).Get, Now: c.now}))
	v := profile(func(p *jose.Profile) { p.Keys = keys })
	forged := raw(goodHeader, claims(nil), es(otherKey, crypto.SHA256))
	for name, h := range map[string]http.HandlerFunc{
		"redirect":    http.RedirectHandler(elsewhere.URL+"/jwks", http.StatusFound).ServeHTTP,
		"redirect 2":  http.RedirectHandler("http://169.254.169.254/", http.StatusPermanentRedirect).ServeHTTP,
		"wrong type":  answer("text/html", evil),
		"empty set":   answer("application/json", `{"keys":[]}`),
		"empty body":  answer("application/json", ``),
		"poisoned":    answer("application/json", jwks(public("k1", ecKey), public("k1", otherKey))),
		"500":         func(w http.ResponseWriter, _ *http.Request) { http.Error(w, evil, http.StatusInternalServerError) },
		"slow":        func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"endless":     endless,
		"gzip bomb":   gzipped(zip.Bytes()),
		"broken off":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"slow drip":   dripping,
		"long header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", string(make([]byte, 900<<10))) },
	} {
		t.Run(name, func(t *testing.T) {
			s.serve(answer("application/json", fine))
			c.forward(31 * time.Minute)
			if _, err := keys.Set(t.Context()); err != nil || keys.Status().Err != nil {
				t.Fatalf("before: %v, %+v", err, keys.Status())
			}
			s.serve(h)
			before := s.asked.Load()
			c.forward(11 * time.Minute)
			_, _ = keys.Key(t.Context(), "k2", jose.ES256) // waits for the fetch
			if s.asked.Load() != before+1 || keys.Status().Err == nil {
				t.Fatalf("asked %d times, status %+v", s.asked.Load()-before, keys.Status())
			}
			set, err := keys.Set(t.Context())
			if err != nil || len(set.Keys()) != 1 || !ecKey.PublicKey.Equal(set.Keys()[0].Public()) {
				t.Errorf("the last good set is not kept: %v", err)
			}
			if _, err := v.Verify(t.Context(), good()); err != nil {
				t.Errorf("valid traffic: %v", err)
			}
			if _, err := v.Verify(t.Context(), forged); jose.ReasonOf(err) != jose.ReasonSignature {
				t.Errorf("forged: %v", err)
			}
		})
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("the target of a redirect was asked %d times", n)
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for range 100 << 10 {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<10)); err != nil {
			return
		}
	}
}

func gzipped(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b)
	}
}

func dripping(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

// Whatever a token says of where its key is, nobody connects there; and the
// URL that is asked is the registered one.
func TestJ031J032J039NoPacketForWhatATokenSays(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var came atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	s := newSite(t)
	s.serve(answer("application/json", jwks(public("k1", ecKey))))
	keys := must(jose.NewRemoteKeys(jose.RemoteOptions{URL: s.URL + "/jwks", Fetch: door(s).Get, Now: clock}))
	v := profile(func(p *jose.Profile) { p.Keys = keys })

	there := l.Addr().String()
	host := s.Listener.Addr().String()
	sign := es(otherKey, crypto.SHA256)
	for _, url := range []string{
		"https://" + there + "/jwks", "http://" + there + "/jwks", s.URL + "@" + there + "/jwks", "https://" + host + "@" + there + "/",
		s.URL + "/redirect?to=https://" + there, s.URL + "/uploads/jwks.json", s.URL + "/jwks", s.URL + "/jwks/../evil",
	} {
		for _, member := range []string{"jku", "x5u"} {
			token := raw(fmt.Sprintf(`{"alg":"ES256","kid":"k1","typ":"at+jwt",%q:%q}`, member, url), claims(nil), sign)
			if _, err := v.Verify(t.Context(), token); jose.ReasonOf(err) != jose.ReasonHeaderKey {
				t.Errorf("%s %s: %v", member, url, err)
			}
		}
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d fetches for tokens that no key could have saved", n)
	}
	for _, url := range []string{"https://" + there, "http://" + there + "/jwks", s.URL + "@" + there} {
		for name, token := range map[string]string{
			"kid": raw(fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, url), claims(nil), sign),
			"iss": raw(goodHeader, claims(map[string]any{"iss": url, "tid": url}), sign),
		} {
			if c, err := v.Verify(t.Context(), token); c != nil || err == nil {
				t.Errorf("%s %s: accepted", name, url)
			}
		}
	}
	if _, err := v.Verify(t.Context(), good()); err != nil {
		t.Errorf("the token that is not attacked: %v", err)
	}
	time.Sleep(50 * time.Millisecond)
	if n := came.Load(); n != 0 {
		t.Errorf("%d connections arrived where tokens pointed", n)
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}
