package bff_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/bff"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	issuer = "https://auth.example.com"
	origin = "https://shop.example.com"
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

// memStore is bff.Store in memory; the real one has its contract in storetest.
type memStore struct {
	mu     sync.Mutex
	rows   map[secret.ID]bff.Session
	claims map[secret.ID]time.Time
	fail   error // of every method
	reads  int
}

func (m *memStore) AddBrowserSession(_ context.Context, s bff.Session, replaces secret.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, replaces)
	m.rows[s.ID] = s
	return m.fail
}

func (m *memStore) BrowserSession(_ context.Context, id secret.ID) (bff.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	s, ok := m.rows[id]
	if m.fail == nil && !ok {
		return s, bff.ErrNotFound
	}
	return s, m.fail
}

func (m *memStore) change(id secret.ID, f func(*bff.Session) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.rows[id]
	if !ok || m.fail != nil {
		return errors.Join(bff.ErrNotFound, m.fail)
	}
	err := f(&s)
	if err == nil {
		m.rows[id] = s
	}
	return err
}

func (m *memStore) TouchBrowserSession(_ context.Context, id secret.ID, seen, idle time.Time) error {
	return m.change(id, func(s *bff.Session) error { s.LastSeen, s.IdleUntil = seen, idle; return nil })
}

func (m *memStore) ClaimRenewal(_ context.Context, id secret.ID, version int64, now, until time.Time) error {
	return m.change(id, func(s *bff.Session) error {
		if s.Version != version || m.claims[id].After(now) {
			return bff.ErrStale
		}
		m.claims[id] = until
		return nil
	})
}

func (m *memStore) SaveRenewal(_ context.Context, id secret.ID, version int64, tokens string, seen, idle time.Time) error {
	return m.change(id, func(s *bff.Session) error {
		if s.Version != version {
			return bff.ErrStale
		}
		delete(m.claims, id)
		s.Version, s.Tokens, s.LastSeen, s.IdleUntil = version+1, tokens, seen, idle
		return nil
	})
}

func (m *memStore) ReleaseRenewal(_ context.Context, id secret.ID, _ int64) error {
	return m.change(id, func(*bff.Session) error { delete(m.claims, id); return nil })
}

func (m *memStore) EndBrowserSession(_ context.Context, id secret.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.rows[id]; !ok {
		return bff.ErrNotFound
	}
	delete(m.rows, id)
	return m.fail
}

// rows are the sessions that there are.
func (m *memStore) all() []bff.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.rows))
}

// fakeIssuer is an issuer that says yes.
type fakeIssuer struct {
	mu       sync.Mutex
	now      func() time.Time
	params   url.Values // of the last request
	nonce    string     // instead of that of the request
	renewed  int
	slow     time.Duration
	fail     error // of Redeem and Renew
	revoked  []string
	ended    []secret.ID
	verifier string
	n        int
}

func (f *fakeIssuer) Begin(_ context.Context, _ netip.Addr, params url.Values) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.params = params
	return issuer + "/oauth/authorize?" + params.Encode(), nil
}

func (f *fakeIssuer) tokens(nonce string) bff.Tokens {
	f.n++
	claims := map[string]json.RawMessage{"sub": []byte(`"ada"`), "name": []byte(`"Ada"`), "email": []byte(`"ada@example.com"`), "sid": []byte(`"s"`), "at_hash": []byte(`"h"`)}
	claims["nonce"], _ = json.Marshal(nonce)
	return bff.Tokens{
		Access: secret.NewHandle(secret.AccessToken), Refresh: secret.NewHandle(secret.RefreshToken),
		Expires: f.now().Add(10 * time.Minute), Lifetime: 10 * time.Minute, Grant: secret.NewID(f.now()), Claims: claims,
	}
}

func (f *fakeIssuer) Redeem(_ context.Context, _ secret.Value, _ string, verifier secret.Value) (bff.Tokens, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return bff.Tokens{}, f.fail
	}
	f.verifier = verifier.Reveal()
	nonce := f.params.Get("nonce")
	if f.nonce != "" {
		nonce = f.nonce
	}
	return f.tokens(nonce), nil
}

func (f *fakeIssuer) Renew(context.Context, secret.Value) (bff.Tokens, error) {
	f.mu.Lock()
	slow := f.slow
	f.mu.Unlock()
	time.Sleep(slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renewed++
	if f.fail != nil {
		return bff.Tokens{}, f.fail
	}
	return f.tokens(""), nil
}

func (f *fakeIssuer) Revoke(_ context.Context, refresh secret.Value) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = append(f.revoked, refresh.Reveal())
	return nil
}

func (f *fakeIssuer) Logout(_ context.Context, grant secret.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	f.ended = append(f.ended, grant)
	return nil
}

// fixture is a browser app and one browser.
type fixture struct {
	t       *testing.T
	now     time.Time
	mu      sync.Mutex
	store   *memStore
	issuer  *fakeIssuer
	ring    *token.Ring
	memory  *bff.Memory
	service *bff.Service
	options bff.Options
	dead    map[string]bool // access tokens that were revoked
	cookies map[string]string
	events  []audit.Event
}

func (f *fixture) clock() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.now }

func (f *fixture) advance(d time.Duration) { f.mu.Lock(); defer f.mu.Unlock(); f.now = f.now.Add(d) }

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t: t, now: time.Now().Truncate(time.Second), store: &memStore{rows: map[secret.ID]bff.Session{}, claims: map[secret.ID]time.Time{}},
		memory: bff.NewMemory(), dead: map[string]bool{}, cookies: map[string]string{},
	}
	f.issuer = &fakeIssuer{now: f.clock}
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	if f.ring, err = token.OpenRing(t.Context(), &memKeys{}, master, time.Now); err != nil {
		t.Fatal(err)
	}
	f.options = bff.Options{
		Issuer: issuer, Store: f.store, Ring: f.ring, Memory: f.memory, Now: f.clock,
		Revoked: func(v secret.Value) bool { f.mu.Lock(); defer f.mu.Unlock(); return f.dead[v.Reveal()] },
		Guarded: func(path string) bool { return strings.HasPrefix(path, "/catalog") },
		Apps: []bff.App{{
			Name: "shop", Origin: origin, Path: "/bff", ClientID: "shop", Client: f.issuer, APIs: []string{"catalog"}, Scope: "openid catalog.read",
			AfterLogin: "/home", Claims: []string{"sub", "name"}, Tier: token.TierStandard,
			Files: fstest.MapFS{"index.html": {Data: []byte("<!doctype html>app")}, "app.js": {Data: []byte("1")}, ".env": {Data: []byte("SECRET=1")}},
		}},
	}
	f.service = f.node(f.memory)
	return f
}

// node is the service on another node: the same store, memory of its own.
func (f *fixture) node(memory *bff.Memory) *bff.Service {
	f.t.Helper()
	o := f.options
	o.Memory = memory
	s, err := bff.New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// as says what a browser adds to a request.
type as map[string]string

var (
	visit = as{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
	page  = as{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "X-Sallyport-Csrf": "1"}
	post  = as{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "X-Sallyport-Csrf": "1", "Origin": origin}
)

func (a as) but(name, value string) as {
	out := maps.Clone(a)
	if out[name] = value; value == "" {
		delete(out, name)
	}
	return out
}

func (f *fixture) request(method, path string, h as) *http.Request {
	r := httptest.NewRequestWithContext(f.t.Context(), method, origin+path, nil)
	for name, value := range h {
		r.Header.Set(name, value)
	}
	for name, value := range f.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// do is a request of the browser, which keeps the cookies that it gets.
func (f *fixture) do(method, path string, h as) *http.Response {
	f.t.Helper()
	return f.send(f.request(method, path, h))
}

func (f *fixture) send(r *http.Request) *http.Response {
	f.t.Helper()
	rec := &audit.Record{}
	w := httptest.NewRecorder()
	if !f.service.Owns(r.Host, r.URL.EscapedPath()) {
		f.t.Fatalf("%s is not the app's", r.URL)
	}
	f.service.ServeHTTP(w, r.WithContext(audit.WithRecord(r.Context(), rec)))
	f.events = rec.Events()
	res := w.Result()
	for _, c := range res.Cookies() {
		if f.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(f.cookies, c.Name)
		}
	}
	return res
}

// begin starts to sign in and returns the query of the answer that would come.
func (f *fixture) begin(query string) url.Values {
	f.t.Helper()
	res := f.do("GET", "/bff/login"+query, visit)
	if res.StatusCode != http.StatusSeeOther {
		f.t.Fatalf("login: %d", res.StatusCode)
	}
	at, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		f.t.Fatal(err)
	}
	return url.Values{"code": {"c"}, "state": {at.Query().Get("state")}, "iss": {issuer}}
}

func (f *fixture) signIn() {
	f.t.Helper()
	if res := f.do("GET", "/bff/callback?"+f.begin("").Encode(), visit); res.StatusCode != http.StatusOK {
		f.t.Fatalf("callback: %d %v", res.StatusCode, f.events)
	}
}

const cookieName = "__Host-Http-shop"

// call asks for the access token of a call, as the gateway does.
func (f *fixture) call(s *bff.Service, h as) (secret.Value, string, error) {
	return s.Gate("catalog").AccessToken(f.request("GET", "/catalog/items/1", h))
}

func (f *fixture) reason() string {
	var list []string
	for _, e := range f.events {
		list = append(list, e.Reason)
	}
	return strings.Join(list, " ")
}
