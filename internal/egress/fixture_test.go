package egress_test

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/egress"
	"sallyport/internal/gateway"
	"sallyport/internal/outbound"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	issuer   = "https://auth.example.com"
	audience = issuer + "/egress/maps"
	key      = "sk-live+4f9Zq81/LmX0vB7tRc2Wd"
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

type noNews struct{}

func (noNews) Entries(context.Context, int64, int) ([]revocation.Entry, error) { return nil, nil }
func (noNews) Head(context.Context, int64) (revocation.Head, error) {
	return revocation.Head{Mark: "one feed", MarkAt: "one feed"}, nil
}
func (noNews) Hint() <-chan struct{} { return nil }

// vault is a store of secrets.
type vault struct {
	mu     sync.Mutex
	values map[string][]string // the newest first
	err    error
}

func (v *vault) Secret(_ context.Context, name string) (secret.Value, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return secret.Value{}, v.err
	}
	return secret.New(v.values[name][0]), nil
}

func (v *vault) Values(_ context.Context, name string) ([]secret.Value, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []secret.Value
	for _, s := range v.values[name] {
		list = append(list, secret.New(s))
	}
	return list, v.err
}

func (v *vault) set(name string, values ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values[name] = values
}

// got is a request as the upstream had it.
type got struct {
	Method, URI, Body, Host string
	Header                  http.Header
}

// house is a gateway with one connector, in front of a real upstream.
type house struct {
	t        testing.TB
	ring     *token.Ring
	feed     *revocation.Follower
	upstream *httptest.Server
	front    *httptest.Server
	vault    *vault
	state    *egress.State

	mu     sync.Mutex
	at     time.Time
	calls  []got
	record *audit.Record
	ended  chan struct{} // a call has
}

func (h *house) now() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.at }

func (h *house) advance(d time.Duration) {
	h.mu.Lock()
	h.at = h.at.Add(d)
	h.mu.Unlock()
	h.ok(h.feed.CatchUp(h.t.Context()))
}

type setup struct {
	answer http.HandlerFunc // of the upstream
	server *httptest.Server // in place of one with answer
	change func(*egress.Options)
	ledger egress.Ledger
	door   *outbound.Options
}

func newHouse(t testing.TB, s setup) *house {
	t.Helper()
	h := &house{t: t, at: time.Now(), vault: &vault{values: map[string][]string{"maps_key": {key}}}, ended: make(chan struct{}, 100)}
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	h.ok(err)
	h.ring, err = token.OpenRing(t.Context(), &memKeys{}, master, h.now)
	h.ok(err)
	h.feed = revocation.NewFollower(noNews{}, h.now)
	h.ok(h.feed.CatchUp(t.Context()))
	proofs, err := token.NewProofs(token.ProofOptions{Ring: h.ring, Replay: token.NewReplayTable(0, h.now), Now: h.now})
	h.ok(err)
	if h.upstream = s.server; h.upstream == nil {
		h.upstream = httptest.NewUnstartedServer(h.listen(s.answer))
		h.upstream.EnableHTTP2 = true
		h.upstream.StartTLS()
		t.Cleanup(h.upstream.Close)
	}
	base, err := url.Parse(h.upstream.URL)
	h.ok(err)
	door := outbound.Options{AllowLoopback: true, RootCAs: x509.NewCertPool()}
	if c := h.upstream.Certificate(); c != nil {
		door.RootCAs.AddCert(c)
	}
	if s.door != nil {
		door = *s.door
	}
	h.state = egress.NewState(s.ledger, h.now)
	o := egress.Options{
		Name: "maps", Upstream: base, State: h.state, Now: h.now, Transport: outbound.NewTransport(door, 2*time.Second),
		Inject:     &egress.HeaderInjector{Secrets: h.vault, Name: "X-Api-Key", Secret: "maps_key"},
		Operations: []egress.Operation{{Query: []string{"address"}, Cost: 3}, {}, {}},
	}
	if s.change != nil {
		s.change(&o)
	}
	c, err := egress.New(o)
	h.ok(err)
	g, err := gateway.New(gateway.Options{
		Issuer: issuer, Ring: h.ring, Feed: h.feed, Proofs: proofs, Now: h.now,
		APIs: []gateway.API{{
			Name: "maps", Audience: audience, Path: "/egress/maps", Upstream: o.Upstream, Tier: token.TierStandard, NoInner: true, PeopleOnly: true, Transport: c, Screen: c.Screen,
			Operations: []gateway.Operation{
				{Method: "GET", Path: "/v1/geocode", Scope: "egress.maps"}, {Method: "POST", Path: "/v1/places", Scope: "egress.maps"}, {Method: "GET", Path: "/v1/places/{id}", Scope: "egress.maps"},
			},
		}},
	})
	h.ok(err)
	h.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &audit.Record{}
		h.mu.Lock()
		h.record = rec
		h.mu.Unlock()
		defer func() { h.ended <- struct{}{} }()
		g.ServeHTTP(w, r.WithContext(audit.WithRecord(r.Context(), rec)))
	}))
	t.Cleanup(h.front.Close)
	t.Cleanup(g.Close)
	return h
}

// listen notes what the upstream gets.
func (h *house) listen(answer http.HandlerFunc) http.Handler {
	if answer == nil {
		answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ok":true}`)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.calls = append(h.calls, got{r.Method, r.RequestURI, string(body), r.Host, r.Header.Clone()})
		h.mu.Unlock()
		answer(w, r)
	})
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// token is a good one of a person.
func (h *house) token(subject string) string {
	h.t.Helper()
	now := h.now()
	v, err := h.ring.SealAccess(&token.Access{
		GrantID: secret.NewID(now), Serial: secret.NewID(now), ClientID: "shop-app", Subject: subject, Audience: audience, Scope: "egress.maps",
		IssuedAt: now.Unix(), Lifetime: 300, AuthTime: now.Unix(), ACR: token.ACRPassword, AMR: "pwd", Tier: token.TierStandard,
	})
	h.ok(err)
	return v.Reveal()
}

// answer is what a client has got.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Cut    bool // in its middle
}

// all is everything that a client can see.
func (a answer) all() string {
	var b strings.Builder
	_ = a.Header.Write(&b)
	return b.String() + a.Body
}

func (h *house) send(method, target, body string, header http.Header) answer {
	h.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.front.URL+target, r)
	h.ok(err)
	req.Header.Set("Authorization", "Bearer "+h.token("ada"))
	for name, lines := range header {
		req.Header[name] = lines
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer{Cut: true}
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(all), err != nil}
}

func (h *house) get(target string) answer { h.t.Helper(); return h.send("GET", target, "", nil) }

func (h *house) taken() []got {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.calls
	h.calls = nil
	return list
}

// events are those of the last call, with their reasons.
func (h *house) events() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, e := range h.record.Events() {
		list = append(list, string(e.Name)+" "+e.Reason)
	}
	return strings.Join(list, ", ")
}

func (h *house) attr(name string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.record.Attrs() {
		if a.Key == name {
			return a.Value.String()
		}
	}
	return ""
}
