package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

const (
	issuer   = "https://auth.example.com"
	catalog  = "https://api.example.com/catalog"
	pay      = "https://api.example.com/pay"
	weather  = "https://api.example.com/weather"
	callback = "https://app.example.com/cb"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// clock is a clock that only moves when told to.
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

// rig is an issuer over a real SQLite database.
type rig struct {
	*oauth.Service
	t       *testing.T
	clock   *clock
	store   *store.Store
	ring    *token.Ring
	master  *token.Master
	feed    *revocation.Follower
	proofs  *token.Proofs
	user    account.User
	session *oauth.Session
	secret  secret.Value // of the clients web, job and rs
}

func newRig(t *testing.T) *rig {
	t.Helper()
	c := &clock{t: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := token.OpenRing(t.Context(), s.Keys(), master, c.now)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, clock: c, store: s, ring: ring, master: master, feed: revocation.NewFollower(s.Feed(), c.now), secret: secret.NewHandle(secret.ClientSecret)}
	if r.proofs, err = token.NewProofs(token.ProofOptions{Ring: ring, Replay: token.NewReplayTable(0, c.now), Now: c.now}); err != nil {
		t.Fatal(err)
	}
	r.Service = r.node(r.feed)
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.addUser()
	return r
}

// node makes one more issuer over the same store and keys.
func (r *rig) node(feed oauth.Feed, changes ...func(*oauth.Options)) *oauth.Service {
	r.t.Helper()
	o := oauth.Options{
		Issuer: issuer, Store: r.store.OAuth(), Users: r.store.OAuth(), Ring: r.ring, Feed: feed, Proofs: r.proofs, Now: r.clock.now, Clients: r.clients(),
		Resources: []oauth.Resource{
			{Name: "catalog", Audience: catalog, Tier: token.TierStandard, Scopes: []string{"catalog.read", "catalog.write"}},
			{Name: "pay", Audience: pay, Tier: token.TierHigh, Scopes: []string{"pay"}},
			{Name: "weather", Audience: weather, Tier: token.TierLow, Scopes: []string{"weather.read"}},
		},
		ScopeText: map[string]string{"catalog.read": "Look at the catalog"},
	}
	for _, change := range changes {
		change(&o)
	}
	service, err := oauth.New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return service
}

func (r *rig) clients() []oauth.Client {
	hashed := []oauth.ClientSecret{{Hash: r.secret.Hash()}}
	all := "openid profile email offline_access catalog.read catalog.write pay weather.read"
	return []oauth.Client{
		{ID: "app", Name: "Shop", Type: oauth.Native, Scope: all, RedirectURIs: []string{callback, "http://127.0.0.1/cb", "http://[::1]:80/cb", "com.example.shop:/cb"}},
		{ID: "other", Type: oauth.Native, Scope: all, RedirectURIs: []string{callback}},
		{ID: "web", Type: oauth.Server, Scope: all, RedirectURIs: []string{callback}, Secrets: hashed, PostLogoutRedirectURIs: []string{"https://app.example.com/bye"}},
		{ID: "job", Type: oauth.ServiceClient, Scope: "catalog.read weather.read", Secrets: hashed},
		{ID: "bound", Type: oauth.Native, Scope: all, RedirectURIs: []string{callback}, DPoPBound: true},
		{ID: "bound-job", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: hashed, DPoPBound: true},
		{ID: "cert-app", Type: oauth.Native, Scope: all, RedirectURIs: []string{callback}, CertificateBound: true},
		{ID: "cert-job", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: hashed, CertificateBound: true},
		{ID: "rs", Type: oauth.ServiceClient, Secrets: hashed, Resources: []string{"catalog"}},
		{ID: "rs2", Type: oauth.ServiceClient, Secrets: hashed, Resources: []string{"weather"}},
	}
}

func (r *rig) addUser() {
	r.t.Helper()
	now := r.clock.now()
	r.user = account.User{ID: secret.NewID(now).String(), Username: "ada", Name: "Ada L.", Email: "ada@example.com", EmailVerified: true, CreatedAt: now}
	if err := r.store.Account().AddUser(r.t.Context(), r.user); err != nil {
		r.t.Fatal(err)
	}
	r.signIn()
}

func (r *rig) signIn() {
	r.t.Helper()
	now := r.clock.now()
	user, err := r.store.Account().UserByID(r.t.Context(), r.user.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	s := account.Session{
		ID: secret.NewID(now), UserID: user.ID, UserVersion: user.Version, ACR: token.ACRPassword, AMR: "pwd", AuthTime: now, CreatedAt: now,
		LastSeen: now, IdleUntil: now.Add(24 * time.Hour), AbsoluteUntil: now.Add(24 * time.Hour),
	}
	if err := r.store.Account().AddSession(r.t.Context(), s, secret.ID{}); err != nil {
		r.t.Fatal(err)
	}
	r.session = &oauth.Session{ID: s.ID, SID: s.ID, UserID: s.UserID, Username: "ada", ACR: s.ACR, AMR: s.AMR, AuthTime: s.AuthTime}
}

func challenge(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizeParams is a request with nothing wrong; change adds, replaces or
// (with an empty value) removes.
func authorizeParams(change ...string) url.Values {
	p := url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid catalog.read"},
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

// code walks the authorization endpoint as a person who agrees.
func (r *rig) code(change ...string) string {
	r.t.Helper()
	a, err := r.Authorize(r.t.Context(), authorizeParams(change...))
	if err != nil {
		r.t.Fatal(err)
	}
	outcome, err := r.Approve(r.t.Context(), a, r.session)
	if err != nil {
		r.t.Fatal(err)
	}
	return query(r.t, outcome.Location).Get("code")
}

func query(t *testing.T, location string) url.Values {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// form builds a request to a protocol endpoint by a public client, or by a
// confidential one if "client_secret" is given as "yes".
func (r *rig) form(pairs ...string) oauth.Request {
	p := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		p.Add(pairs[i], pairs[i+1])
	}
	if p.Get("client_secret") == "yes" {
		p.Set("client_secret", r.secret.Reveal())
	}
	return oauth.Request{Params: p}
}

func (r *rig) redeem(code string, change ...string) (*oauth.TokenResponse, error) {
	pairs := []string{"grant_type", "authorization_code", "client_id", "app", "code", code, "code_verifier", verifier, "redirect_uri", callback}
	req := r.form(pairs...)
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			req.Params.Del(change[i])
		} else {
			req.Params.Set(change[i], change[i+1])
		}
	}
	return r.Token(r.t.Context(), req)
}

func (r *rig) refresh(tok secret.Value, change ...string) (*oauth.TokenResponse, error) {
	req := r.form("grant_type", "refresh_token", "client_id", "app", "refresh_token", tok.Reveal())
	for i := 0; i < len(change); i += 2 {
		req.Params.Set(change[i], change[i+1])
	}
	return r.Token(r.t.Context(), req)
}

// tokens signs in and redeems.
func (r *rig) tokens(change ...string) *oauth.TokenResponse {
	r.t.Helper()
	res, err := r.redeem(r.code(change...))
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// active asks as the client that the token was issued to would (its resource
// server for public ones).
func (r *rig) active(tok secret.Value) bool {
	r.t.Helper()
	return r.introspect("rs", tok)["active"] == true
}

func (r *rig) introspect(caller string, tok secret.Value) map[string]any {
	r.t.Helper()
	b, err := r.Introspect(r.t.Context(), r.form("client_id", caller, "client_secret", "yes", "token", tok.Reveal()))
	if err != nil {
		r.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		r.t.Fatalf("%s: %v", b, err)
	}
	return m
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("error = %v, want %s", err, code)
	}
}

// webTokens signs in to the client web and redeems.
func (r *rig) webTokens() *oauth.TokenResponse {
	r.t.Helper()
	res, err := r.redeem(r.code("client_id", "web"), "client_id", "web", "client_secret", r.secret.Reveal())
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// forget does what a node does when the feed says that clients have changed.
func (r *rig) forget(s *oauth.Service) {
	for _, c := range r.clients() {
		s.ForgetClient(c.ID)
	}
}

func accountSession(r *rig, id secret.ID, cookie secret.Value) account.Session {
	now := r.clock.now()
	return account.Session{
		ID: id, SID: id, Hash: cookie.Hash(), UserID: r.user.ID, ACR: token.ACRPassword, AMR: "pwd", AuthTime: now, CreatedAt: now,
		LastSeen: now, IdleUntil: now.Add(24 * time.Hour), AbsoluteUntil: now.Add(24 * time.Hour),
	}
}
