package upstream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/upstream"
)

const ours = "https://auth.example.com"

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// keys live in memory.
type keys struct{ list []token.KeyRecord }

func (k *keys) Keys(context.Context) ([]token.KeyRecord, error) { return k.list, nil }

func (k *keys) AddFirstKey(_ context.Context, r token.KeyRecord) error {
	k.list = append(k.list, r)
	return nil
}

func newKey(t testing.TB, id string) (*token.Signer, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := token.ImportSigner(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), id)
	if err != nil {
		t.Fatal(err)
	}
	return s, key
}

// fake is a provider whose every answer a test can change.
type fake struct {
	t      testing.TB
	server *httptest.Server
	signer *token.Signer
	key    *ecdsa.PrivateKey

	mu       sync.Mutex
	metadata map[string]any
	claims   map[string]any // of the next ID token, over the right ones
	idToken  func(claims map[string]any) string
	answer   map[string]any // of the token endpoint, over the right one
	userinfo map[string]any
	emails   any
	nonce    string
	forms    []url.Values // that the token endpoint got
	basic    []string
}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{t: t, claims: map[string]any{}, answer: map[string]any{}, metadata: map[string]any{}}
	f.signer, f.key = newKey(t, "k1")
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	write := func(v any) {
		if err := json.NewEncoder(w).Encode(v); err != nil {
			f.t.Error(err)
		}
	}
	issuer := f.server.URL
	switch r.URL.Path {
	case "/.well-known/openid-configuration", "/common/v2.0/.well-known/openid-configuration":
		doc := map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/jwks",
			"userinfo_endpoint": issuer + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		}
		maps.Copy(doc, f.metadata)
		write(doc)
	case "/jwks":
		b, _ := f.key.PublicKey.Bytes()
		write(map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig",
			"x": base64.RawURLEncoding.EncodeToString(b[1:33]), "y": base64.RawURLEncoding.EncodeToString(b[33:]),
		}}})
	case "/token", "/login/oauth/access_token", "/par":
		if err := r.ParseForm(); err != nil {
			f.t.Error(err)
		}
		f.forms = append(f.forms, r.PostForm)
		user, _, _ := r.BasicAuth()
		f.basic = append(f.basic, user)
		out := map[string]any{"access_token": "at-1", "token_type": "Bearer", "expires_in": 60, "request_uri": "urn:ietf:params:oauth:request_uri:1"}
		if r.URL.Path == "/token" {
			out["id_token"] = f.makeIDToken()
		}
		for name, v := range f.answer {
			if out[name] = v; v == nil {
				delete(out, name)
			}
		}
		write(out)
	case "/userinfo", "/api/v3/user":
		if r.Header.Get("Authorization") != "Bearer at-1" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		write(f.userinfo)
	case "/api/v3/user/emails":
		write(f.emails)
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) makeIDToken() string {
	left := sha256.Sum256([]byte("at-1"))
	claims := map[string]any{
		"iss": f.server.URL, "sub": "u-1", "aud": "us", "exp": start.Unix() + 300, "iat": start.Unix(), "nonce": f.nonce, "sid": "s-1",
		"email": "ada@example.com", "email_verified": true, "name": "Ada", "at_hash": base64.RawURLEncoding.EncodeToString(left[:16]),
	}
	for name, v := range f.claims {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	if f.idToken != nil {
		return f.idToken(claims)
	}
	return f.sign("JWT", claims)
}

func (f *fake) sign(typ string, claims map[string]any) string {
	b, err := json.Marshal(claims)
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := f.signer.Sign(typ, b)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// house is the relying party.
type house struct {
	*upstream.Service
	t     testing.TB
	fake  *fake
	ring  *token.Ring
	at    time.Time
	spent map[secret.Hash]bool
}

func newHouse(t testing.TB, f *fake, change ...func(*upstream.Options)) *house {
	t.Helper()
	h := &house{t: t, fake: f, at: start, spent: map[secret.Hash]bool{}}
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err == nil {
		h.ring, err = token.OpenRing(t.Context(), &keys{}, master, func() time.Time { return h.at })
	}
	if err != nil {
		t.Fatal(err)
	}
	one := upstream.Options{
		Name: "corp", Kind: upstream.OIDC, Issuer: f.server.URL, ClientID: "us", Secret: secret.New("a secret of ours"),
		EmailDomains: []string{"example.com"}, Door: outbound.NewClient(outbound.Options{AllowLoopback: true}),
	}
	for _, c := range change {
		c(&one)
	}
	other := one
	other.Name = "other"
	h.Service, err = upstream.New(upstream.ServiceOptions{
		Issuer: ours, Providers: []upstream.Options{one, other}, Ring: h.ring, Now: func() time.Time { return h.at },
		Spend: func(_ context.Context, name secret.Hash, _ time.Time) (bool, error) {
			fresh := !h.spent[name]
			h.spent[name] = true
			return fresh, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var browser = secret.New("this browser")

// begin sends a browser away and returns what it brings back if all is well.
func (h *house) begin(s upstream.Start) (upstream.Arrival, url.Values) {
	h.t.Helper()
	if s.Browser.IsZero() {
		s.Browser = browser
	}
	d, err := h.Begin(h.t.Context(), "corp", s)
	if err != nil {
		h.t.Fatal(err)
	}
	u, err := url.Parse(d.Location)
	if err != nil {
		h.t.Fatal(err)
	}
	asked := u.Query()
	h.fake.nonce = asked.Get("nonce")
	return upstream.Arrival{
		Params: url.Values{"state": {asked.Get("state")}, "code": {"c-1"}}, Cookie: d.Cookie, Browser: s.Browser, Flow: s.Flow,
	}, asked
}

// signIn goes the whole way.
func (h *house) signIn(change ...func(*upstream.Arrival)) (upstream.Person, error) {
	h.t.Helper()
	a, _ := h.begin(upstream.Start{Flow: "flow-1"})
	for _, c := range change {
		c(&a)
	}
	who, _, err := h.Finish(h.t.Context(), "corp", a)
	return who, err
}

func segment(v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

func join(parts ...string) string { return strings.Join(parts, ".") }
