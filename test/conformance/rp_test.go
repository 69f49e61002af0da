package conformance_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// rp is a relying party: one client at one issuer.
type rp struct {
	t        testing.TB
	s        *rig.Server
	id       string
	secret   string
	method   string // of client authentication
	redirect string
	scope    string
	pkce     bool
	algs     []string      // of ID tokens
	assert   func() string // makes a client assertion, for private_key_jwt

	meta map[string]any
}

// with returns a copy that reports to t.
func (c *rp) with(t testing.TB) *rp {
	t.Helper()
	next := *c
	next.t = t
	return &next
}

// discover reads the metadata as a client does, once for each relying party.
func (c *rp) discover() map[string]any {
	c.t.Helper()
	if c.meta == nil {
		c.getJSON(c.s.Issuer+"/.well-known/openid-configuration", &c.meta)
	}
	return c.meta
}

func (c *rp) endpoint(name string) string {
	c.t.Helper()
	address, ok := c.discover()[name].(string)
	if !ok {
		c.t.Fatalf("metadata has no %s", name)
	}
	return address
}

// lists reports whether a list of the metadata has a value.
func (c *rp) lists(name, value string) bool {
	c.t.Helper()
	list, _ := c.discover()[name].([]any)
	return slices.Contains(list, any(value))
}

func (c *rp) getJSON(address string, into any) {
	c.t.Helper()
	res, err := c.s.Client().Get(address)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s: status %d", address, res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		c.t.Fatalf("GET %s: %v", address, err)
	}
}

// asked is an authorization request and what belongs to it.
type asked struct {
	params   url.Values
	verifier string
}

// request makes an authorization request; changes are pairs of a parameter and
// its value, "-" to leave one out.
func (c *rp) request(changes ...string) asked {
	a := asked{verifier: rig.Random(), params: url.Values{
		"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {c.redirect}, "scope": {c.scope},
		"state": {rig.Random()}, "nonce": {rig.Random()},
	}}
	if c.pkce {
		sum := sha256.Sum256([]byte(a.verifier))
		a.params.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		a.params.Set("code_challenge_method", "S256")
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "-" {
			a.params.Del(changes[i])
			continue
		}
		a.params.Set(changes[i], changes[i+1])
	}
	return a
}

func (c *rp) address(a asked) string {
	return c.endpoint("authorization_endpoint") + "?" + a.params.Encode()
}

// authorize lets the person do what is asked and returns the response, of which
// state and iss have been checked.
func (c *rp) authorize(person *rig.Person, a asked) url.Values {
	c.t.Helper()
	return c.checked(a, person.Authorize(c.t, c.address(a), c.redirect).Query())
}

func (c *rp) checked(a asked, back url.Values) url.Values {
	c.t.Helper()
	if back.Get("state") != a.params.Get("state") {
		c.t.Fatalf("state is %q, want %q", back.Get("state"), a.params.Get("state"))
	}
	if back.Get("iss") != c.s.Issuer {
		c.t.Fatalf("iss is %q, want %q", back.Get("iss"), c.s.Issuer)
	}
	return back
}

// answer is what an endpoint answered.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// post sends a form, authenticated as the client is registered.
func (c *rp) post(address string, form url.Values) answer {
	c.t.Helper()
	form = clone(form)
	basic := false
	switch c.method {
	case "client_secret_post":
		form.Set("client_id", c.id)
		form.Set("client_secret", c.secret)
	case "none":
		form.Set("client_id", c.id)
	case "private_key_jwt":
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", c.assert())
	default:
		basic = true
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		req.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret))
	}
	return do(c.t, c.s.Client(), req)
}

func clone(v url.Values) url.Values {
	next := url.Values{}
	for name, values := range v {
		next[name] = slices.Clone(values)
	}
	return next
}

func do(t testing.TB, client *http.Client, req *http.Request) answer {
	t.Helper()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.raw, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(a.raw, &a.body); err != nil {
			t.Fatalf("%s: %v: %s", req.URL, err, a.raw)
		}
	}
	return a
}

// redeem presents a code.
func (c *rp) redeem(a asked, code string) answer {
	c.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.redirect}}
	if c.pkce || a.params.Get("code_challenge") != "" {
		form.Set("code_verifier", a.verifier)
	}
	return c.post(c.endpoint("token_endpoint"), form)
}

// tokens is a code that was redeemed.
type tokens struct {
	answer
	access, refresh string
	id              *oidc.IDToken
	claims          map[string]any
}

// signIn walks through the whole flow. The answer and the ID token have been
// checked as OpenID Connect Core §3.1.3 wants it.
func (c *rp) signIn(person *rig.Person, changes ...string) tokens {
	c.t.Helper()
	a := c.request(changes...)
	return c.finish(a, c.authorize(person, a))
}

func (c *rp) finish(a asked, back url.Values) tokens {
	c.t.Helper()
	if back.Get("code") == "" {
		c.t.Fatalf("no code: %v", back)
	}
	res := c.redeem(a, back.Get("code"))
	if res.status != http.StatusOK {
		c.t.Fatalf("token endpoint: status %d: %s", res.status, res.raw)
	}
	return c.judge(a, res)
}

func (c *rp) judge(a asked, res answer) tokens {
	c.t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store"} {
		if got := res.header.Get(name); !strings.Contains(got, want) {
			c.t.Errorf("token endpoint: %s: %q", name, got)
		}
	}
	tok := tokens{answer: res, access: res.text("access_token"), refresh: res.text("refresh_token")}
	if tok.access == "" || !slices.Contains([]string{"bearer", "dpop"}, strings.ToLower(res.text("token_type"))) {
		c.t.Fatalf("token endpoint: %s", res.raw)
	}
	if raw := res.text("id_token"); raw != "" {
		tok.id, tok.claims = c.idToken(raw)
		if tok.id.Nonce != a.params.Get("nonce") {
			c.t.Errorf("nonce is %q, want %q", tok.id.Nonce, a.params.Get("nonce"))
		}
		if tok.id.AccessTokenHash != "" {
			if err := tok.id.VerifyAccessToken(tok.access); err != nil {
				c.t.Errorf("at_hash: %v", err)
			}
		}
	} else if strings.Contains(" "+a.params.Get("scope")+" ", " openid ") {
		c.t.Errorf("no ID token: %s", res.raw)
	}
	return tok
}

// verify verifies a JWT of the issuer by its published keys and returns it.
func (c *rp) verify(jwt string) string {
	c.t.Helper()
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(c.t.Context(), c.s.Client()), c.endpoint("jwks_uri"))
	if _, err := keys.VerifySignature(c.t.Context(), jwt); err != nil {
		c.t.Fatalf("%v: %s", err, jwt)
	}
	return jwt
}

// idToken verifies an ID token with a library that is not ours.
func (c *rp) idToken(raw string) (*oidc.IDToken, map[string]any) {
	c.t.Helper()
	ctx := oidc.ClientContext(c.t.Context(), c.s.Client())
	provider, err := oidc.NewProvider(ctx, c.s.Issuer)
	if err != nil {
		c.t.Fatal(err)
	}
	id, err := provider.Verifier(&oidc.Config{ClientID: c.id, SupportedSigningAlgs: c.algs}).Verify(ctx, raw)
	if err != nil {
		c.t.Fatalf("ID token: %v", err)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		c.t.Fatal(err)
	}
	return id, claims
}

// userinfo asks with the token in the Authorization header.
func (c *rp) userinfo(method, access string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.endpoint("userinfo_endpoint"), http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+access)
	return do(c.t, c.s.Client(), req)
}

// wantError checks a refusal of an endpoint.
func (a answer) wantError(t testing.TB, codes ...string) {
	t.Helper()
	if a.status < 400 || a.status >= 500 || !slices.Contains(codes, a.text("error")) {
		t.Errorf("status %d: %s, want one of %v", a.status, a.raw, codes)
	}
}

// wantPage checks that a person was shown an error page with one of the codes as
// text, and was sent nowhere.
func wantPage(t testing.TB, p rig.Page, codes ...string) {
	t.Helper()
	if p.Status != http.StatusBadRequest || !slices.ContainsFunc(codes, func(code string) bool { return strings.Contains(p.Body, code) }) {
		t.Errorf("ended at %s with status %d, want an error page with one of %v:\n%s", p.URL, p.Status, codes, p.Body)
	}
}
