package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/gateway"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

type memKeys struct {
	mu   sync.Mutex
	rows []token.KeyRecord
}

func (m *memKeys) Keys(context.Context) ([]token.KeyRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows), nil
}

func (m *memKeys) AddFirstKey(_ context.Context, k token.KeyRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = append(m.rows, k)
	return nil
}

type memLog struct {
	mu      sync.Mutex
	entries []revocation.Entry
}

func (l *memLog) Entries(_ context.Context, after int64, _ int) ([]revocation.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries[after:]), nil
}

func (l *memLog) Head(context.Context, int64) (revocation.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return revocation.Head{Seq: int64(len(l.entries)), Mark: "one feed", MarkAt: "one feed"}, nil
}

func (l *memLog) Hint() <-chan struct{} { return nil }

func (l *memLog) add(e revocation.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq = int64(len(l.entries)) + 1
	l.entries = append(l.entries, e)
}

const (
	issuer   = "https://auth.example.com"
	audience = "https://api.example.com/catalog"
)

// seen is a request as the backend got it.
type seen struct {
	Method, URI, Body string
	Header            http.Header
	Trailer           http.Header
	Host              string
}

// fixture is a gateway between a real server and a real backend.
type fixture struct {
	t       testing.TB
	ring    *token.Ring
	stored  *memKeys
	log     *memLog
	feed    *revocation.Follower
	backend *httptest.Server
	gateway *gateway.Gateway
	front   *httptest.Server
	ahead   atomic.Int64 // how far the clock is ahead, in nanoseconds
	stopped time.Time    // where the clock stands still

	mu     sync.Mutex
	calls  []seen
	record *audit.Record // of the last request
}

func (f *fixture) now() time.Time {
	at := f.stopped
	if at.IsZero() {
		at = time.Now()
	}
	return at.Add(time.Duration(f.ahead.Load()))
}

func newRing(t testing.TB) *token.Ring { return newRingOver(t, &memKeys{}) }

func newRingOver(t testing.TB, keys *memKeys) *token.Ring {
	t.Helper()
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := token.OpenRing(context.Background(), keys, master, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// newProofs are proofs of a node that stands alone.
func newProofs(t testing.TB, ring *token.Ring, now func() time.Time) *token.Proofs {
	t.Helper()
	p, err := token.NewProofs(token.ProofOptions{Ring: ring, Replay: token.NewReplayTable(0, now), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// operations of the API "catalog" in most tests.
func operations() []gateway.Operation {
	return []gateway.Operation{
		{Method: "GET", Path: "/items/{id}", Scope: "catalog.read"},
		{Method: "PUT", Path: "/items/{id}", Scope: "catalog.write"},
		{Method: "POST", Path: "/items", Scope: "catalog.write"},
		{Method: "GET", Path: "/items/secret", Scope: "catalog.admin"},
		{Method: "GET", Path: "/strong", Scope: "catalog.read", ACR: token.ACRMFA, MaxAge: 5 * time.Minute},
		{Method: "GET", Path: "/recent", Scope: "catalog.read", MaxAge: 5 * time.Minute},
	}
}

// change alters the options before the gateway is made.
type change func(*gateway.Options)

func withOperations(ops ...gateway.Operation) change {
	return func(o *gateway.Options) { o.APIs[0].Operations = ops }
}

// newFixture starts everything. A nil backend echoes.
func newFixture(t testing.TB, backend http.HandlerFunc, changes ...change) *fixture {
	t.Helper()
	keys := &memKeys{}
	f := &fixture{t: t, ring: newRingOver(t, keys), stored: keys, log: &memLog{}}
	f.feed = revocation.NewFollower(f.log, f.now)
	f.catchUp()
	if backend == nil {
		backend = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") }
	}
	f.backend = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		if r.Header.Get("Upgrade") == "" && r.ContentLength != 0 {
			body, _ = io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		f.mu.Lock()
		f.calls = append(f.calls, seen{r.Method, r.RequestURI, string(body), r.Header.Clone(), r.Trailer.Clone(), r.Host})
		f.mu.Unlock()
		backend(w, r)
	}))
	t.Cleanup(f.backend.Close)
	upstream, err := url.Parse(f.backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := gateway.Options{
		Issuer: issuer, Ring: f.ring, Feed: f.feed, Proofs: newProofs(t, f.ring, f.now), Now: f.now,
		APIs: []gateway.API{{
			Name: "catalog", Audience: audience, Path: "/catalog", Upstream: upstream,
			Tier: token.TierStandard, Operations: operations(), CORSOrigins: []string{"https://app.example.com"},
		}},
	}
	for _, c := range changes {
		c(&o)
	}
	if o.APIs[0].Tier == token.TierHigh {
		// A slow machine would let a second go by, after which the tier refuses.
		f.stopped = time.Now()
		f.catchUp()
	}
	if f.gateway, err = gateway.New(o); err != nil {
		t.Fatal(err)
	}
	f.front = httptest.NewUnstartedServer(f.handler())
	f.front.Config.DisableGeneralOptionsHandler = true
	f.front.Start()
	t.Cleanup(f.front.Close)
	t.Cleanup(f.gateway.Close)
	return f
}

// handler is the gateway with a record around it, as the HTTP edge has it.
func (f *fixture) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &audit.Record{}
		f.mu.Lock()
		f.record = rec
		f.mu.Unlock()
		f.gateway.ServeHTTP(w, r.WithContext(audit.WithRecord(r.Context(), rec)))
	})
}

func (f *fixture) catchUp() {
	f.t.Helper()
	if err := f.feed.CatchUp(context.Background()); err != nil {
		f.t.Fatal(err)
	}
}

// access is a token that passes in most tests.
func (f *fixture) access() token.Access {
	now := f.now()
	return token.Access{
		GrantID: secret.NewID(now), Serial: secret.NewID(now), ClientID: "shop-app", Subject: "u1",
		Audience: audience, Scope: "openid catalog.read", IssuedAt: now.Unix(), Lifetime: 600,
		AuthTime: now.Unix() - 5, ACR: token.ACRPassword, AMR: "pwd", Tier: token.TierStandard,
	}
}

func (f *fixture) seal(a token.Access) string {
	f.t.Helper()
	v, err := f.ring.SealAccess(&a)
	if err != nil {
		f.t.Fatal(err)
	}
	return v.Reveal()
}

// bearer is a header line with a good token, changed by mod.
func (f *fixture) bearer(mods ...func(*token.Access)) string {
	a := f.access()
	for _, m := range mods {
		m(&a)
	}
	return "Bearer " + f.seal(a)
}

func (f *fixture) taken() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.calls
	f.calls = nil
	return out
}

// reasons are the reasons in the record of the last request.
func (f *fixture) reasons() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, e := range f.record.Events() {
		out = append(out, string(e.Name)+" "+e.Reason)
	}
	return out
}

// answer is a response with its body read.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Code   string // of a problem
}

// raw sends lines as they are over one connection and returns the answer.
func (f *fixture) raw(lines ...string) answer {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.front.Listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		f.t.Fatal(err)
	}
	method, _, _ := strings.Cut(lines[0], " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		f.t.Fatalf("read answer to %q: %v", lines[0], err)
	}
	return read(f.t, res)
}

func read(t testing.TB, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
		var p struct {
			Type, Title, Detail, Code string
			Status                    int
		}
		if len(body) > 0 {
			if err := json.Unmarshal(body, &p); err != nil || p.Status != res.StatusCode || p.Title == "" || p.Detail == "" || p.Type != "about:blank" {
				t.Errorf("not a problem document: %s (%v)", body, err)
			}
		}
		if cc := res.Header.Get("Cache-Control"); cc != "no-store" {
			t.Errorf("a refusal has Cache-Control %q, want no-store", cc)
		}
		a.Code = p.Code
	}
	return a
}

// get sends a plain request with the given header lines.
func (f *fixture) call(method, target string, lines ...string) answer {
	f.t.Helper()
	return f.raw(append([]string{method + " " + target + " HTTP/1.1", "Host: api.example.com", "Connection: close"}, lines...)...)
}

func (f *fixture) get(target, authorization string) answer {
	f.t.Helper()
	if authorization == "" {
		return f.call("GET", target)
	}
	return f.call("GET", target, "Authorization: "+authorization)
}
