package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/passkey"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
	"sallyport/internal/store"
	"sallyport/internal/token"
	"sallyport/internal/web"
)

const (
	issuer   = "https://auth.example.com"
	callback = "https://app.example.com/cb"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	password = "quiet otter lantern 93"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// syncBuffer is a log that requests write and tests read.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// house is the edge over a real issuer and a real SQLite database.
type house struct {
	language string
	t        testing.TB
	clock    *clock
	store    *store.Store
	ring     *token.Ring
	master   *token.Master
	oauth    *oauth.Service
	feed     *revocation.Follower
	accounts *account.Service
	handler  http.Handler
	log      *syncBuffer
	registry *prometheus.Registry
	signals  *signals.Service
	secret   secret.Value
	user     account.User
}

type options struct {
	issuer  string
	gateway http.Handler
	origins []string
	clients []oauth.Client
	log     io.Writer // nil: kept for the test to read
	store   string    // connection string; empty: a new SQLite file

	mutualTLS string
	language  string // chosen in every browser; empty: none
	change    func(*oauth.Options)
	people    func(*account.Options)
	edge      func(*web.Options)
	// push answers what is sent to receivers of signals; nil: there are no signals.
	push func(url string, header map[string]string, body []byte) (int, []byte, error)
}

func newHouse(t testing.TB, o options) *house {
	t.Helper()
	if o.issuer == "" {
		o.issuer = issuer
	}
	h := &house{
		language: o.language,
		t:        t, clock: &clock{t: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}, log: &syncBuffer{},
		registry: prometheus.NewRegistry(), secret: secret.NewHandle(secret.ClientSecret),
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if o.log == nil {
		o.log = h.log
	}
	var err error
	if o.store == "" {
		o.store = "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	}
	h.store, err = store.Open(t.Context(), o.store, store.Options{Now: h.clock.now})
	must(err)
	t.Cleanup(func() { _ = h.store.Close() })
	must(h.store.Migrate(t.Context()))
	h.master, err = token.NewMaster(secret.NewHandle(secret.MasterKey))
	must(err)
	ring, err := token.OpenRing(t.Context(), h.store.Keys(), h.master, h.clock.now)
	must(err)
	h.ring = ring
	feed := revocation.NewFollower(h.store.Feed(), h.clock.now)
	proofs, err := token.NewProofs(token.ProofOptions{Ring: ring, Replay: token.NewReplayTable(0, h.clock.now), Now: h.clock.now})
	must(err)
	opts := oauth.Options{
		Issuer: o.issuer, Store: h.store.OAuth(), Users: h.store.OAuth(), Ring: ring, Feed: feed, Proofs: proofs, Now: h.clock.now, MutualTLS: o.mutualTLS,
		Signals: o.push != nil,
		Replay:  token.NewReplayTable(0, h.clock.now),
		Clients: append(h.clients(), o.clients...),
		Resources: []oauth.Resource{
			{Name: "catalog", Audience: "https://api.example.com/catalog", Tier: token.TierStandard, Scopes: []string{"catalog.read", "catalog.write"}},
		},
		ScopeText: map[string]string{"catalog.read": "Look at the catalog", "catalog.write": "Change the catalog"},
		DetailsTypes: []oauth.DetailsType{{
			Type: "order", APIs: []string{"catalog"}, Text: "Order {count} times {item}",
			Fields: []oauth.DetailsField{
				{Name: "item", Label: "Article", Required: true},
				{Name: "count", Label: "How many", Kind: "integer", Required: true, Max: 100},
				{Name: "note", Label: "Note"},
			},
		}},
	}
	if o.change != nil {
		o.change(&opts)
	}
	h.oauth, err = oauth.New(opts)
	must(err)
	must(feed.CatchUp(t.Context()))
	h.feed = feed
	passkeys, err := passkey.New(o.issuer)
	must(err)
	people := account.Options{Store: h.store.Account(), Now: h.clock.now, Ring: ring, Issuer: o.issuer, WebAuthn: passkeys, Params: account.Argon2Params{MemoryKiB: 64, Passes: 1, Threads: 1}}
	if o.people != nil {
		o.people(&people)
	}
	h.accounts = account.New(people)
	h.user, err = h.accounts.AddUser(t.Context(), account.NewUser{Username: "ada", Name: "Ada L.", Email: "ada@example.com", Password: secret.New(password)})
	must(err)
	if o.push != nil {
		h.signals, err = signals.New(signals.Options{
			Issuer: o.issuer, Store: h.store.Signals(), Ring: ring, Keep: time.Hour, Now: h.clock.now, Check: outbound.NewClient(outbound.Options{}).Check,
			Post: func(_ context.Context, url string, header map[string]string, body []byte) (int, []byte, error) {
				return o.push(url, header, body)
			},
			Receives: h.oauth.Receives, Person: h.oauth.Known, Session: h.oauth.KnownSession,
		})
		must(err)
	}
	edge := web.Options{
		Issuer: o.issuer, OAuth: h.oauth, Accounts: h.accounts, Ring: ring, Gateway: o.gateway, Now: h.clock.now,
		Logger:      slog.New(slog.NewJSONHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		SessionTier: token.TierStandard, Signals: h.signals, MutualTLS: o.mutualTLS, Registerer: h.registry, BrowserOrigins: o.origins, Audiences: []string{"https://api.example.com/catalog"},
	}
	if o.edge != nil {
		o.edge(&edge)
	}
	h.handler, err = web.New(edge)
	must(err)
	return h
}

func (h *house) clients() []oauth.Client {
	hashed := []oauth.ClientSecret{{Hash: h.secret.Hash()}}
	all := "openid profile email offline_access catalog.read catalog.write"
	return []oauth.Client{
		{ID: "shop", Name: "Shop", Type: oauth.Native, Scope: all, RedirectURIs: []string{callback, "com.example.shop:/cb", "http://127.0.0.1/cb"}},
		{ID: "web", Name: "Web shop", Type: oauth.Server, Scope: all, RedirectURIs: []string{callback}, Secrets: hashed, PostLogoutRedirectURIs: []string{"https://app.example.com/bye"}},
		{ID: "job", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: hashed},
		{ID: "rs", Type: oauth.ServiceClient, Secrets: hashed, Resources: []string{"catalog"}},
	}
}

// RoundTrip lets an http.Client speak to the handler without a network.
func (h *house) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Clone(context.WithoutCancel(req.Context()))
	r.RequestURI = req.URL.RequestURI()
	r.URL.Scheme, r.URL.Host = "", ""
	r.Host = req.URL.Host
	if req.Host != "" {
		r.Host = req.Host
	}
	r.RemoteAddr = "192.0.2.7:4711"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	h.handler.ServeHTTP(rec, r)
	res := rec.Result()
	res.Request = req
	return res, nil
}

// reply is an answer that has been read.
type reply struct {
	*http.Response
	body string
}

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("status %d: %v: %q", r.StatusCode, err, r.body)
	}
	return m
}

// browser keeps cookies and follows nothing by itself.
type browser struct {
	*house
	client *http.Client
	jar    http.CookieJar
	agent  string // User-Agent; empty: none
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.language != "" {
		jar.SetCookies(&url.URL{Scheme: "https", Host: "auth.example.com"}, []*http.Cookie{{Name: "__Host-sallyport-language", Value: h.language, Path: "/", Secure: true}})
	}
	return &browser{house: h, jar: jar, client: &http.Client{
		Transport: h, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *browser) do(req *http.Request) reply {
	b.t.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{res, string(body)}
}

// from sends a request from the nth address, without keeping cookies.
func (b *browser) from(req *http.Request, n int) reply {
	r := req.Clone(req.Context())
	r.RequestURI, r.Host = req.URL.RequestURI(), req.URL.Host
	r.URL.Scheme, r.URL.Host = "", ""
	r.RemoteAddr = fmt.Sprintf("10.%d.%d.1:4711", n/250, n%250)
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	res := rec.Result()
	res.Request = req
	return reply{res, rec.Body.String()}
}

func absolute(address string) string {
	if strings.HasPrefix(address, "/") {
		return issuer + address
	}
	return address
}

func (b *browser) request(method, address, body string, header ...string) *http.Request {
	b.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, absolute(address), reader)
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.agent != "" {
		req.Header.Set("User-Agent", b.agent)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "User-Agent" {
			req.Header.Del(header[i])
		}
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

func (b *browser) get(address string, header ...string) reply {
	b.t.Helper()
	return b.do(b.request(http.MethodGet, address, "", header...))
}

// post sends a form as a page of another site or an app would, without a word
// on where it comes from.
func (b *browser) post(address string, form url.Values, header ...string) reply {
	b.t.Helper()
	return b.do(b.request(http.MethodPost, address, form.Encode(), header...))
}

// follow goes to where a redirect points, as long as that is ours.
func (b *browser) follow(r reply) reply {
	b.t.Helper()
	for range 5 {
		location := r.Header.Get("Location")
		if location == "" || !strings.HasPrefix(absolute(location), issuer) {
			return r
		}
		r = b.get(location)
	}
	b.t.Fatal("too many redirects")
	return r
}

var (
	hidden     = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
)

// form returns the action and hidden fields of the page's form.
func (b *browser) form(page reply) (string, url.Values) {
	b.t.Helper()
	action := formAction.FindStringSubmatch(page.body)
	if action == nil {
		b.t.Fatalf("no form on the page, status %d:\n%s", page.StatusCode, page.body)
	}
	fields := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page.body, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	return html.UnescapeString(action[1]), fields
}

// submit fills a page's form and sends it as a browser does.
func (b *browser) submit(page reply, fill ...string) reply {
	b.t.Helper()
	action, fields := b.form(page)
	for i := 0; i < len(fill); i += 2 {
		fields.Set(fill[i], fill[i+1])
	}
	return b.post(action, fields, "Sec-Fetch-Site", "same-origin", "Origin", "null")
}

func challenge(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizeURL is a request with nothing wrong; change adds, replaces or (with
// an empty value) removes.
func authorizeURL(change ...string) string {
	return "/oauth/authorize?" + authorizeParams(change...).Encode()
}

func authorizeParams(change ...string) url.Values {
	p := url.Values{
		"client_id": {"shop"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid catalog.read"},
		"state": {"st"}, "nonce": {"no"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			p.Del(change[i])
		} else {
			p.Set(change[i], change[i+1])
		}
	}
	return p
}

// loginPage, consentPage and callback are the stations of a sign-in.
func (b *browser) loginPage(change ...string) reply {
	b.t.Helper()
	return b.follow(b.get(authorizeURL(change...)))
}

func (b *browser) signIn(change ...string) reply {
	b.t.Helper()
	return b.follow(b.submit(b.loginPage(change...), "username", "ada", "password", password))
}

func (b *browser) callback(change ...string) url.Values {
	b.t.Helper()
	r := b.signIn(change...)
	if r.Header.Get("Location") == "" {
		r = b.submit(r, "decision", "allow")
	}
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" {
		b.t.Fatalf("no code: status %d, Location %q", r.StatusCode, r.Header.Get("Location"))
	}
	return u.Query()
}

// tokens signs in at the client web and redeems the code.
func (b *browser) tokens() map[string]any {
	b.t.Helper()
	code := b.callback("client_id", "web").Get("code")
	return b.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"web"}, "client_secret": {b.secret.Reveal()},
		"code": {code}, "code_verifier": {verifier}, "redirect_uri": {callback},
	}).json(b.t)
}

func (b *browser) cookie(name string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func wantStatus(t testing.TB, r reply, want int) {
	t.Helper()
	if r.StatusCode != want {
		t.Errorf("%s %s = %d, want %d: %.300s", r.Request.Method, r.Request.URL.Path, r.StatusCode, want, r.body)
	}
}

func nopBody(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }
