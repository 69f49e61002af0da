package conformance_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

// registrar registers relying parties as the suite does.
type registrar struct {
	s       *rig.Server
	initial string // access token
	site    *site
}

func servesRegistration(t *testing.T) *registrar {
	t.Helper()
	g := &registrar{}
	g.s = serve(t, func(s *rig.Server) string {
		g.site = newSite(t, s, nil)
		return "registration: {policy: token, profile: oidc-basic, scope: openid profile email offline_access}\n"
	})
	status, out, problem := rig.Run(t, "registration", "token", "create", "--uses", "100", "--json", "-c", filepath.Join(g.s.State, "serve.yaml"))
	var made struct {
		Token string `json:"initial_access_token"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || status != 0 {
		t.Fatalf("registration token create ends with %d: %s %s", status, out, problem)
	}
	g.s.Record().Add("initial access token", made.Token)
	g.initial = made.Token
	return g
}

// send sends JSON to the registration endpoint or the address of a client.
func (g *registrar) send(t testing.TB, method, address, token string, body any) answer {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	return do(t, g.s.Client(), req)
}

func (g *registrar) try(t testing.TB, metadata map[string]any) answer {
	t.Helper()
	c := &rp{t: t, s: g.s}
	return g.send(t, http.MethodPost, c.endpoint("registration_endpoint"), g.initial, metadata)
}

// dynamic is a relying party that has registered itself.
type dynamic struct {
	rp
	registered answer
	rsa        *rsa.PrivateKey
	kid        string
}

func (d *dynamic) with(t testing.TB) *dynamic {
	next := *d
	next.t = t
	return &next
}

// register registers a relying party, whose metadata are the suite's with changes.
func (g *registrar) register(t testing.TB, changes map[string]any) *dynamic {
	t.Helper()
	metadata := changed(map[string]any{
		"client_name": "Conformance", "redirect_uris": []string{basicCallback}, "grant_types": []string{"authorization_code"},
		"response_types": []string{"code"}, "contacts": []string{"certification@oidf.example"}, "token_endpoint_auth_method": "client_secret_basic",
	}, changes)
	res := g.try(t, metadata)
	if res.status != http.StatusCreated || res.text("client_id") == "" || res.text("registration_access_token") == "" || !strings.HasPrefix(res.text("registration_client_uri"), "https://") {
		t.Fatalf("registration: status %d: %s", res.status, res.raw)
	}
	for name, want := range changes {
		if got, wanted := text(t, res.body[name]), text(t, want); got != wanted {
			t.Errorf("registered %s %s, asked for %s", name, got, wanted)
		}
	}
	for _, name := range []string{"client_secret", "registration_access_token"} {
		g.s.Record().Add(name, res.text(name))
	}
	return &dynamic{registered: res, rp: rp{
		t: t, s: g.s, id: res.text("client_id"), secret: res.text("client_secret"), method: res.text("token_endpoint_auth_method"),
		redirect: metadata["redirect_uris"].([]string)[0], scope: "openid", algs: []string{"RS256"},
	}}
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// newRSA makes the relying party another key and returns the set with it alone.
func (d *dynamic) newRSA(t testing.TB) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	d.rsa, d.kid = key, rig.Random()
	return text(t, map[string]any{"keys": []any{d.jwk()}})
}

func (d *dynamic) jwk() map[string]any {
	public := map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "n": b64.EncodeToString(d.rsa.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(d.rsa.E)).Bytes()),
	}
	if d.kid != "" {
		public["kid"] = d.kid
	}
	return public
}

// signs lets the relying party prove itself by its key, with assertions for aud.
func (d *dynamic) signs(aud any) {
	d.assert = func() string {
		now := time.Now().Unix()
		return d.sign(map[string]any{"iss": d.id, "sub": d.id, "aud": aud, "iat": now, "exp": now + 60, "jti": rig.Random()})
	}
}

func (d *dynamic) sign(claims map[string]any) string {
	d.t.Helper()
	header := map[string]any{"alg": "RS256"}
	if d.kid != "" {
		header["kid"] = d.kid
	}
	return sign(d.t, d.rsa, header, claims)
}

// byKey registers a relying party that publishes its key.
func (g *registrar) byKey(t testing.TB, path string, changes map[string]any) *dynamic {
	t.Helper()
	own := &dynamic{}
	uri := g.site.put(path, "application/jwk-set+json", own.newRSA(t))
	d := g.register(t, changed(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri}, changes))
	d.rsa, d.kid = own.rsa, own.kid
	d.signs(g.s.Issuer)
	return d
}

// The plan oidcc-dynamic-certification-test-plan, of response_type code.
func TestID10CL12CL13OIDCDynamic(t *testing.T) {
	g := servesRegistration(t)
	s := g.s
	base := g.inline(t)
	rotated := g.keyRotation(t)
	for name, module := range map[string]func(t *testing.T){
		"oidcc-discovery-endpoint-verification": func(t *testing.T) {
			c := base.rp.with(t)
			for name, value := range map[string]string{
				"id_token_signing_alg_values_supported": "RS256", "userinfo_signing_alg_values_supported": "RS256",
				"request_object_signing_alg_values_supported": "RS256", "token_endpoint_auth_signing_alg_values_supported": "RS256",
			} {
				if !c.lists(name, value) {
					t.Errorf("%s does not list %s", name, value)
				}
			}
			if meta := c.discover(); meta["request_uri_parameter_supported"] != true || meta["require_request_uri_registration"] != true {
				t.Errorf("request_uri_parameter_supported %v, require_request_uri_registration %v", meta["request_uri_parameter_supported"], meta["require_request_uri_registration"])
			}
		},
		"oidcc-server": func(t *testing.T) {
			if tok := base.rp.with(t).signIn(s.Person(t)); tok.refresh != "" {
				t.Error("there is a refresh token, and the client is not registered for that grant type")
			}
		},
		"oidcc-idtoken-rs256": func(t *testing.T) {
			tok := base.rp.with(t).signIn(s.Person(t))
			if alg := part(t, tok.text("id_token"), 0)["alg"]; alg != "RS256" {
				t.Errorf("alg %v", alg)
			}
		},
		"oidcc-idtoken-unsigned": func(t *testing.T) { // which nobody gets
			g.try(t, map[string]any{"redirect_uris": []string{basicCallback}, "id_token_signed_response_alg": "none"}).wantError(t, "invalid_client_metadata")
		},
		"oidcc-userinfo-rs256": g.userinfoRS256,
		"CL12 no registration without a token": func(t *testing.T) {
			metadata := map[string]any{"redirect_uris": []string{basicCallback}}
			c := base.rp.with(t)
			if res := g.send(t, http.MethodPost, c.endpoint("registration_endpoint"), "", metadata); res.status != http.StatusUnauthorized || res.text("client_id") != "" {
				t.Errorf("status %d: %s", res.status, res.raw)
			}
		},
		"oidcc-refresh-token": func(t *testing.T) {
			d := g.register(t, map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}})
			tok := d.signIn(s.Person(t), "scope", "openid offline_access", "prompt", "consent")
			res := d.post(d.endpoint("token_endpoint"), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.refresh}})
			if res.status != http.StatusOK || res.text("access_token") == "" {
				t.Errorf("refresh: status %d: %s", res.status, res.raw)
			}
		},
		"oidcc-ensure-client-assertion-with-iss-aud-succeeds": func(t *testing.T) {
			d := g.byKey(t, "/iss-aud.jwks", nil)
			d.signIn(s.Person(t))
			d.signs(d.endpoint("token_endpoint")) // as the suite's other modules do
			d.signIn(s.Person(t))
			d.signs("https://other.example.com")
			a := d.request()
			d.redeem(a, d.authorize(s.Person(t), a).Get("code")).wantError(t, "invalid_client")
		},
		"oidcc-server-rotate-keys":                   g.serverRotates,
		"CL16 CL18 the relying party removes itself": g.removal,
	} {
		t.Run(name, module)
	}
	t.Run("redirect URIs", g.redirects)
	t.Run("registration", g.registrations)
	t.Run("request URIs", g.requestURIs)
	t.Run("oidcc-refresh-token-rp-key-rotation", rotated)
}

// inline registers a relying party whose only key is in its metadata, with no
// kid: that is what most modules use.
func (g *registrar) inline(t testing.TB) *dynamic {
	t.Helper()
	own := &dynamic{}
	own.newRSA(t)
	own.kid = ""
	d := g.register(t, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": []any{own.jwk()}}})
	d.rsa = own.rsa
	d.signs(g.s.Issuer)
	return d
}

func (g *registrar) userinfoRS256(t *testing.T) {
	d := g.register(t, map[string]any{"userinfo_signed_response_alg": "RS256"})
	tok := d.signIn(g.s.Person(t))
	res := d.userinfo(http.MethodGet, tok.access)
	if kind := res.header.Get("Content-Type"); kind != "application/jwt" || part(t, string(res.raw), 0)["alg"] != "RS256" {
		t.Fatalf("%s: %s", kind, res.raw)
	}
	claims := part(t, d.verify(string(res.raw)), 1)
	if claims["iss"] != g.s.Issuer || claims["aud"] != d.id || claims["sub"] != tok.id.Subject {
		t.Errorf("%v", claims)
	}
}

// keyRotation puts another key in the place of the relying party's, and returns
// what checks that it counts. The suite waits a minute in between, since an
// address is not asked for keys as often as somebody likes: here it is 30 s.
func (g *registrar) keyRotation(t *testing.T) func(t *testing.T) {
	d := g.byKey(t, "/rotation.jwks", map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}})
	tok := d.signIn(g.s.Person(t), "scope", "openid offline_access", "prompt", "consent")
	old := *d
	old.signs(g.s.Issuer)
	g.site.put("/rotation.jwks", "application/json", d.newRSA(t))
	ready := time.Now().Add(31 * time.Second)
	return func(t *testing.T) {
		time.Sleep(time.Until(ready))
		d, old := d.with(t), old.with(t)
		d.signs(g.s.Issuer)
		old.signs(g.s.Issuer)
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.refresh}}
		res := d.post(d.endpoint("token_endpoint"), form)
		if res.status != http.StatusOK {
			t.Fatalf("refresh with the new key: status %d: %s", res.status, res.raw)
		}
		form.Set("refresh_token", res.text("refresh_token"))
		old.post(old.endpoint("token_endpoint"), form).wantError(t, "invalid_client")
	}
}

// serverRotates: the operator makes another key, and both are published.
func (g *registrar) serverRotates(t *testing.T) {
	d := g.register(t, nil)
	tok := d.signIn(g.s.Person(t))
	status, out, problem := rig.Run(t, "key", "rotate", "sign_id_rsa", "--now", "-c", filepath.Join(g.s.State, "serve.yaml"))
	if status != 0 {
		t.Fatalf("key rotate ends with %d: %s %s", status, out, problem)
	}
	before := part(t, tok.text("id_token"), 0)["kid"]
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if after := part(t, d.signIn(g.s.Person(t)).text("id_token"), 0)["kid"]; after != before {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the new key is not used")
		}
	}
	if _, claims := d.idToken(tok.text("id_token")); claims["sub"] != tok.claims["sub"] {
		t.Error("the old key is not published any more")
	}
}

func (g *registrar) removal(t *testing.T) {
	d := g.register(t, nil)
	tok := d.signIn(g.s.Person(t))
	address, token := d.registered.text("registration_client_uri"), d.registered.text("registration_access_token")
	if res := g.send(t, http.MethodGet, address, token, nil); res.status != http.StatusOK || res.text("client_id") != d.id {
		t.Errorf("read: status %d: %s", res.status, res.raw)
	}
	if res := g.send(t, http.MethodDelete, address, g.initial, nil); res.status != http.StatusUnauthorized {
		t.Errorf("removed with another token: status %d", res.status)
	}
	if res := g.send(t, http.MethodDelete, address, token, nil); res.status != http.StatusNoContent {
		t.Fatalf("remove: status %d: %s", res.status, res.raw)
	}
	if res := g.send(t, http.MethodGet, address, token, nil); res.status != http.StatusUnauthorized {
		t.Errorf("read what is removed: status %d", res.status)
	}
	if res := d.userinfo(http.MethodGet, tok.access); res.status != http.StatusUnauthorized {
		t.Errorf("its token is good: status %d", res.status)
	}
	wantPage(t, g.s.Person(t).Go(t, d.address(d.request()), d.redirect), "invalid_client", "unauthorized_client", "invalid_request")
}

func (g *registrar) redirects(t *testing.T) {
	const withQuery = basicCallback + "?foo=bar"
	queried := g.register(t, map[string]any{"redirect_uris": []string{withQuery}})
	plain := g.register(t, nil)
	t.Run("oidcc-ensure-redirect-uri-in-authorization-request", func(t *testing.T) {
		c := plain.rp.with(t)
		wantPage(t, g.s.Person(t).Go(t, c.address(c.request("redirect_uri", "-")), "https://rp.example.com"), "invalid_request")
	})
	t.Run("oidcc-redirect-uri-query-OK", func(t *testing.T) {
		c := queried.rp.with(t)
		a := c.request()
		back := c.authorize(g.s.Person(t), a)
		if back.Get("foo") != "bar" {
			t.Errorf("came back with %v", back)
		}
		c.finish(a, back)
	})
	t.Run("oidcc-redirect-uri-query-mismatch", func(t *testing.T) {
		c := queried.rp.with(t)
		wantPage(t, g.s.Person(t).Go(t, c.address(c.request("redirect_uri", basicCallback+"?foo=baz")), "https://rp.example.com"), "invalid_request", "invalid_redirect_uri")
	})
	t.Run("oidcc-redirect-uri-query-added", func(t *testing.T) {
		c := plain.rp.with(t)
		wantPage(t, g.s.Person(t).Go(t, c.address(c.request("redirect_uri", withQuery)), "https://rp.example.com"), "invalid_request", "invalid_redirect_uri")
	})
	t.Run("oidcc-redirect-uri-regfrag", func(t *testing.T) {
		g.try(t, map[string]any{"redirect_uris": []string{basicCallback + "#foobar"}}).wantError(t, "invalid_redirect_uri", "invalid_client_metadata")
	})
}

func (g *registrar) registrations(t *testing.T) {
	shown := g.register(t, map[string]any{
		"logo_uri": "https://rp.example.com/logo.png", "policy_uri": "https://rp.example.com/privacy", "tos_uri": "https://rp.example.com/terms",
	})
	consent := func(t *testing.T) string {
		c, person := shown.rp.with(t), g.s.Person(t)
		page := person.SignIn(t, person.Go(t, c.address(c.request("prompt", "consent")), c.redirect), c.redirect)
		if !page.Has("allow") {
			t.Fatalf("no consent page: %s", page.Body)
		}
		return page.Body
	}
	// The suite wants a person to see the logo. Ours is kept and never shown: an
	// image of a stranger's server is a tracker, and a lie about who asks.
	t.Run("oidcc-registration-logo-uri", func(t *testing.T) {
		if page := consent(t); strings.Contains(page, "logo.png") {
			t.Error("the page loads something from a stranger")
		}
	})
	t.Run("oidcc-registration-policy-uri", func(t *testing.T) {
		if page := consent(t); !strings.Contains(page, `href="https://rp.example.com/privacy"`) {
			t.Errorf("no link: %s", page)
		}
	})
	t.Run("oidcc-registration-tos-uri", func(t *testing.T) {
		if page := consent(t); !strings.Contains(page, `href="https://rp.example.com/terms"`) {
			t.Errorf("no link: %s", page)
		}
	})
	t.Run("oidcc-registration-jwks-uri", func(t *testing.T) {
		d := g.byKey(t, "/client.jwks", nil)
		d.signIn(g.s.Person(t))
		d.newRSA(t) // which is nowhere published
		a := d.request()
		d.redeem(a, d.authorize(g.s.Person(t), a).Get("code")).wantError(t, "invalid_client")
	})
	const other = "https://other.example.com/callback"
	t.Run("oidcc-registration-sector-uri", func(t *testing.T) {
		uri := g.site.put("/sector.json", "application/json", text(t, []string{basicCallback, other}))
		// The suite asks for pairwise subjects with it. An address on this machine
		// is no sector, so they are asked for beside it, in that of the redirect URI.
		g.register(t, map[string]any{"redirect_uris": []string{basicCallback, other}, "sector_identifier_uri": uri})
		g.try(t, map[string]any{"redirect_uris": []string{basicCallback}, "sector_identifier_uri": uri, "subject_type": "pairwise"}).wantError(t, "invalid_client_metadata")
		d := g.register(t, map[string]any{"subject_type": "pairwise"})
		if sub, public := d.signIn(g.s.Person(t)).id.Subject, shown.rp.with(t).signIn(g.s.Person(t)).id.Subject; sub == public {
			t.Errorf("both know the person as %s", sub)
		}
	})
	t.Run("oidcc-registration-sector-bad", func(t *testing.T) {
		uri := g.site.put("/bad.json", "application/json", text(t, []string{other}))
		g.try(t, map[string]any{"redirect_uris": []string{basicCallback}, "sector_identifier_uri": uri}).wantError(t, "invalid_client_metadata", "invalid_redirect_uri")
	})
}

func (g *registrar) requestURIs(t *testing.T) {
	uri := g.site.URL + "/request.jwt"
	d := g.byKey(t, "/request.jwks", map[string]any{"request_uris": []string{uri}, "request_object_signing_alg": "RS256"})
	byReference := func(t *testing.T, a asked, object string) rig.Page {
		t.Helper()
		g.site.put("/request.jwt", "application/oauth-authz-req+jwt", object)
		outer := url.Values{"request_uri": {uri}, "client_id": {d.id}, "response_type": {"code"}, "scope": {"openid"}}
		person, c := g.s.Person(t), d.rp.with(t)
		page := person.Go(t, c.endpoint("authorization_endpoint")+"?"+outer.Encode(), d.redirect)
		if page.Has("login") {
			page = person.SignIn(t, page, d.redirect)
		}
		if page.Has("allow") {
			page = person.Press(t, page, "allow", nil, d.redirect)
		}
		return page
	}
	// As OpenID Connect Core §6.1 has it: of iss, aud and the parameters.
	object := func(a asked) map[string]any {
		claims := map[string]any{"iss": d.id, "aud": g.s.Issuer}
		for name := range a.params {
			claims[name] = a.params.Get(name)
		}
		return claims
	}
	t.Run("oidcc-request-uri-signed-rs256", func(t *testing.T) {
		d := d.with(t)
		a := d.request()
		d.finish(a, d.checked(a, byReference(t, a, d.sign(object(a))).URL.Query()))
	})
	t.Run("oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", func(t *testing.T) {
		a := d.with(t).request()
		jwt := b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + b64.EncodeToString([]byte(text(t, object(a)))) + "."
		page := byReference(t, a, jwt)
		code := page.URL.Query().Get("error")
		for _, want := range []string{"invalid_request_object", "request_uri_not_supported", "invalid_request"} {
			if code == want || code == "" && strings.Contains(page.Body, want) {
				return
			}
		}
		t.Errorf("error %q at %s: %s", code, page.URL, page.Body)
	})
	t.Run("oidcc-ensure-request-object-with-redirect-uri", func(t *testing.T) {
		d := d.with(t)
		a := d.request()
		claims := changed(object(a), map[string]any{"exp": time.Now().Unix() + 60})
		// The redirect URI outside is another, and only the one in the object counts.
		outer := url.Values{"request": {d.sign(claims)}, "client_id": {d.id}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {basicCallback + "/other"}}
		back := g.s.Person(t).Authorize(t, d.endpoint("authorization_endpoint")+"?"+outer.Encode(), d.redirect)
		d.finish(a, d.checked(a, back.Query()))
	})
	t.Run("PR11 an address that is not registered is not asked", func(t *testing.T) {
		d := d.with(t)
		outer := url.Values{"request_uri": {g.site.URL + "/elsewhere.jwt"}, "client_id": {d.id}, "response_type": {"code"}, "scope": {"openid"}}
		wantPage(t, g.s.Person(t).Go(t, d.endpoint("authorization_endpoint")+"?"+outer.Encode(), d.redirect), "invalid_request_uri")
	})
}
