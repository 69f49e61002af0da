package sallyport_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sallyport "sallyport/sdk/go"
	"sallyport/test/attack"
)

// gateway publishes keys and has a clock that the test turns.
type gateway struct {
	attack.Target
	server  *httptest.Server
	fetches atomic.Int64
	// handler answers for the key set; nil: set.
	handler http.HandlerFunc

	mu   sync.Mutex
	set  []byte
	time time.Time
}

func newGateway(t testing.TB, alg string) *gateway {
	g := &gateway{Target: attack.Target{
		Issuer: "https://issuer.example", Audience: "https://issuer.example/catalog", Type: "sallyport-inner+jwt",
		Key: attack.NewKey(alg, "current"), Retired: attack.NewKey(alg, "retired"), Foreign: attack.NewKey(alg, "current"),
		Now: time.Unix(1_800_000_000, 0),
	}}
	g.time = g.Now
	g.set = attack.Set(g.Key.JWK())
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.fetches.Add(1)
		g.mu.Lock()
		set, h := g.set, g.handler
		g.mu.Unlock()
		if h != nil {
			h(w, r)
			return
		}
		_, _ = w.Write(set)
	}))
	t.Cleanup(g.server.Close)
	g.JWKSURL = g.server.URL + "/jwks.json"
	return g
}

func (g *gateway) publish(set []byte, h http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set, g.handler = set, h
}

func (g *gateway) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.time
}

// pass moves the clock, and with it the times of the tokens that are made.
func (g *gateway) pass(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.time = g.time.Add(d)
	g.Now = g.time
}

func (g *gateway) verifier(t testing.TB) *sallyport.Verifier {
	t.Helper()
	v, err := sallyport.NewVerifier(sallyport.Options{
		Issuer: g.Issuer, Audience: g.Audience, JWKSURL: g.JWKSURL, AllowLoopbackHTTP: true, Now: g.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func reason(err error) sallyport.Reason {
	var e *sallyport.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
