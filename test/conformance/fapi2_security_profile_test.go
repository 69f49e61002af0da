package conformance_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

// The plan fapi2-security-profile-final-test-plan, in its four variants of client
// authentication and sender constraint.
func TestID10FAPI2SecurityProfileFinal(t *testing.T) {
	t.Parallel()
	first, second := fapiServer(t, "fapi2", "")
	for name, c := range first {
		t.Run(name, func(t *testing.T) { fapiPlan(t, c, second[name]) })
	}
}

// fapiModule is one module of the plan. other is the second client.
type fapiModule struct {
	name string
	only string // of client authentication; empty: both
	test func(c, other *fapi)
}

func fapiPlan(t *testing.T, c, other *fapi) {
	t.Helper()
	for _, m := range fapiModules {
		if m.only != "" && m.only != c.auth && m.only != c.bind {
			continue
		}
		t.Run("fapi2-security-profile-final-"+m.name, func(t *testing.T) { m.test(c.with(t), other.with(t)) })
	}
}

var fapiModules = []fapiModule{
	{name: "discovery-end-point-verification", test: fapiDiscovery},
	{name: "happy-flow", test: func(c, _ *fapi) {
		tok := c.signIn(c.s.Person(c.t))
		if res := c.use(tok.access, c.scheme(), c.proofs, nil); res.status != http.StatusOK {
			c.t.Errorf("resource: status %d: %s", res.status, res.raw)
		}
	}},
	{name: "user-rejects-authentication", test: func(c, _ *fapi) {
		a := c.ask("prompt", "consent")
		person := c.s.Person(c.t)
		page := person.SignIn(c.t, person.Go(c.t, c.pushed(a, nil), ""), "")
		page = person.Press(c.t, page, "deny", nil, c.redirect)
		if back := c.response(a, page.URL); back.Get("error") != "access_denied" {
			c.t.Errorf("response %v", back)
		}
	}},
	{name: "ensure-authorization-request-without-state-success", test: func(c, _ *fapi) { c.signIn(c.s.Person(c.t), "state", "-") }},
	{name: "ensure-authorization-request-without-nonce-success", test: func(c, _ *fapi) { c.signIn(c.s.Person(c.t), "nonce", "-") }},
	{name: "ensure-request-object-with-long-nonce", test: func(c, _ *fapi) { c.signIn(c.s.Person(c.t), "nonce", strings.Repeat("n", 384)) }},
	{name: "ensure-request-object-with-long-state", test: func(c, _ *fapi) { c.signIn(c.s.Person(c.t), "state", strings.Repeat("s", 384)) }},
	{name: "ensure-other-scope-order-succeeds", test: func(c, _ *fapi) { c.signIn(c.s.Person(c.t), "scope", "catalog.read openid") }},
	{name: "ensure-different-nonce-inside-and-outside-request-object", test: func(c, _ *fapi) {
		a := c.ask()
		address := c.pushed(a, nil) + "&" + url.Values{"nonce": {"other"}, "scope": {"openid"}}.Encode()
		back := c.response(a, c.s.Person(c.t).Authorize(c.t, address, c.redirect))
		c.judge(a, c.send("token_endpoint", call{form: c.redeemForm(a, back.Get("code"))}))
	}},
	{name: "state-only-outside-request-object-not-used", test: func(c, _ *fapi) {
		a := c.ask("state", "-")
		back := c.s.Person(c.t).Authorize(c.t, c.pushed(a, nil)+"&state=outside", c.redirect)
		if got := c.response(a, back); got.Get("state") != "" {
			c.t.Errorf("state of outside the request came back: %v", got)
		}
	}},
	{name: "ensure-redirect-uri-with-query-succeeds", test: func(c, _ *fapi) { c.signIn(c.s.Person(c.t), "redirect_uri", c.redirect+"?dummy1=lorem&dummy2=ipsum") }},
	{name: "access-token-type-header-case-sensitivity", test: func(c, _ *fapi) {
		tok := c.signIn(c.s.Person(c.t))
		for _, scheme := range []string{strings.ToLower(c.scheme()), strings.ToUpper(c.scheme())} {
			if res := c.use(tok.access, scheme, c.proofs, nil); res.status != http.StatusOK {
				c.t.Errorf("%s: status %d: %s", scheme, res.status, res.raw)
			}
		}
	}},

	// What must not be asked.
	{name: "ensure-response-type-token-fails", test: func(c, _ *fapi) {
		c.push(c.ask("response_type", "token"), nil).wantError(c.t, "unsupported_response_type", "invalid_request", "invalid_request_object")
	}},
	{name: "ensure-response-type-code-idtoken-fails", test: func(c, _ *fapi) {
		c.push(c.ask("response_type", "code id_token"), nil).wantError(c.t, "unsupported_response_type", "invalid_request", "invalid_request_object")
	}},
	{name: "ensure-unregistered-redirect-uri-fails", test: func(c, _ *fapi) {
		c.push(c.ask("redirect_uri", "https://evil.example.com/callback"), nil).wantError(c.t, "invalid_request", "invalid_request_object", "invalid_redirect_uri")
	}},
	{name: "ensure-redirect-uri-is-required", test: func(c, _ *fapi) {
		c.push(c.ask("redirect_uri", "-"), nil).wantError(c.t, "invalid_request", "invalid_request_object")
	}},
	{name: "ensure-request-outside-of-par-fails", test: func(c, _ *fapi) {
		page := c.s.Person(c.t).Go(c.t, c.address(c.request()), "https://fapi.example.com")
		if code := page.URL.Query().Get("code"); code != "" || page.Has("login") {
			c.t.Errorf("a request that was not pushed is taken: %s", page.URL)
		}
	}},
	{name: "ensure-pkce-required", test: func(c, _ *fapi) {
		c.push(c.ask("code_challenge", "-", "code_challenge_method", "-"), nil).wantError(c.t, "invalid_request", "invalid_request_object")
	}},
	{name: "plain-pkce-rejected", test: func(c, _ *fapi) {
		a := c.ask()
		a.params.Set("code_challenge", a.verifier)
		a.params.Set("code_challenge_method", "plain")
		c.push(a, nil).wantError(c.t, "invalid_request", "invalid_request_object")
	}},
	{name: "pkce-code-verifier-required", test: func(c, _ *fapi) {
		a := c.ask()
		form := c.redeemForm(a, c.code(c.s.Person(c.t), a))
		form.Del("code_verifier")
		c.send("token_endpoint", call{form: form}).wantError(c.t, "invalid_grant", "invalid_request")
	}},
	{name: "incorrect-pkce-code-verifier-rejected", test: func(c, _ *fapi) {
		a := c.ask()
		form := c.redeemForm(a, c.code(c.s.Person(c.t), a))
		form.Set("code_verifier", rig.Random())
		c.send("token_endpoint", call{form: form}).wantError(c.t, "invalid_grant")
	}},

	// Pushed requests.
	{name: "par-attempt-reuse-request_uri", test: func(c, _ *fapi) {
		a := c.ask()
		address := c.pushed(a, nil)
		person := c.s.Person(c.t)
		// It may be opened again until the person has done what is asked.
		if page := person.Go(c.t, address, c.redirect); !page.Has("login") {
			c.t.Fatalf("no login page: %s", page.URL)
		}
		c.response(a, person.Authorize(c.t, address, c.redirect))
		page := person.Go(c.t, address, c.redirect)
		wantPage(c.t, page, "invalid_request_uri", "invalid_request")
	}},
	{name: "par-attempt-to-use-request_uri-for-different-client", test: func(c, other *fapi) {
		a := c.ask()
		res := c.push(a, nil)
		page := c.s.Person(c.t).Go(c.t, other.authorizeAt(res.text("request_uri")), "https://fapi.example.com")
		wantPage(c.t, page, "invalid_request_uri", "invalid_request")
		back := c.response(a, c.s.Person(c.t).Authorize(c.t, c.authorizeAt(res.text("request_uri")), c.redirect))
		if back.Get("code") == "" {
			c.t.Error("the stranger's attempt spent the request")
		}
	}},
	{name: "par-authorization-request-containing-request_uri-form-param", test: func(c, _ *fapi) {
		form := c.ask().params
		form.Set("request_uri", "urn:ietf:params:oauth:request_uri:x")
		if c.signed {
			form = url.Values{"client_id": {c.id}, "request": {c.object(c.ask(), nil)}, "request_uri": form["request_uri"]}
		}
		c.send("pushed_authorization_request_endpoint", call{form: form}).wantError(c.t, "invalid_request")
	}},
	{name: "par-attempt-invalid-http-method", test: func(c, _ *fapi) {
		if res := c.send("pushed_authorization_request_endpoint", call{form: c.ask().params, method: http.MethodPut}); res.status != http.StatusMethodNotAllowed {
			c.t.Errorf("status %d", res.status)
		}
	}},
	{name: "par-pushed-authorization-url-as-audience-in-request-object", test: func(c, _ *fapi) {
		if !c.signed {
			return // the claim exists only with Message Signing
		}
		c.push(c.ask(), map[string]any{"aud": c.endpoint("pushed_authorization_request_endpoint")}).wantError(c.t, "invalid_request_object", "invalid_request")
	}},

	// Client authentication.
	{name: "ensure-client-id-in-token-endpoint", only: "mtls", test: func(c, _ *fapi) {
		if c.auth != "mtls" {
			return
		}
		a := c.ask()
		c.send("token_endpoint", call{form: c.redeemForm(a, c.code(c.s.Person(c.t), a)), noAuth: true}).wantError(c.t, "invalid_client", "invalid_request")
	}},
	{name: "client-without-its-certificate-fails", only: "mtls", test: func(c, _ *fapi) {
		if c.auth == "mtls" {
			res := c.send("pushed_authorization_request_endpoint", call{form: c.ask().params, noCert: true})
			res.wantError(c.t, "invalid_client", "invalid_request")
		}
	}},
	{name: "ensure-signed-client-assertion-with-RS256-fails", only: "private_key_jwt", test: func(c, _ *fapi) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			c.t.Fatal(err)
		}
		c.authFails(sign(c.t, key, map[string]any{"alg": "RS256", "kid": "sig"}, c.assertionClaims(nil)))
	}},
	{name: "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", only: "private_key_jwt", test: func(c, _ *fapi) {
		past := time.Now().Add(-5 * time.Minute).Unix()
		c.authFails(c.assertion(map[string]any{"exp": past, "iat": past - 60}))
	}},
	{name: "ensure-client-assertion-with-wrong-aud-fails", only: "private_key_jwt", test: func(c, _ *fapi) {
		for _, aud := range []any{"https://other.example.com", c.endpoint("token_endpoint"), c.endpoint("pushed_authorization_request_endpoint"), []string{c.s.Issuer}, []string{c.s.Issuer, "https://other.example.com"}} {
			c.authFails(c.assertion(map[string]any{"aud": aud}))
		}
	}},
	{name: "ensure-client-assertion-with-no-sub-fails", only: "private_key_jwt", test: func(c, _ *fapi) { c.authFails(c.assertion(map[string]any{"sub": nil})) }},
	{name: "ensure-client-assertion-with-iat-and-nbf-up-to-10-seconds-ahead-succeeds", only: "private_key_jwt", test: func(c, _ *fapi) {
		ahead := time.Now().Add(8 * time.Second).Unix()
		res := c.send("pushed_authorization_request_endpoint", call{form: c.pushForm(), assertion: c.assertion(map[string]any{"iat": ahead, "nbf": ahead})})
		if res.status != http.StatusCreated {
			c.t.Errorf("status %d: %s", res.status, res.raw)
		}
	}},
	{name: "ensure-client-assertion-used-twice-fails", only: "private_key_jwt", test: func(c, _ *fapi) {
		once := c.assertion(nil)
		if res := c.send("pushed_authorization_request_endpoint", call{form: c.pushForm(), assertion: once}); res.status != http.StatusCreated {
			c.t.Fatalf("status %d: %s", res.status, res.raw)
		}
		c.authFails(once)
	}},

	// Codes and tokens.
	{name: "ensure-authorization-code-is-bound-to-client", test: func(c, other *fapi) {
		a := c.ask()
		code := c.code(c.s.Person(c.t), a)
		other.send("token_endpoint", call{form: c.redeemForm(a, code)}).wantError(c.t, "invalid_grant")
		if res := c.send("token_endpoint", call{form: c.redeemForm(a, code)}); res.status != http.StatusOK {
			c.t.Errorf("the stranger's attempt spent the code: %s", res.raw)
		}
	}},
	{name: "attempt-reuse-authorization-code-after-one-second", test: func(c, _ *fapi) {
		a := c.ask()
		form := c.redeemForm(a, c.code(c.s.Person(c.t), a))
		c.judge(a, c.send("token_endpoint", call{form: form}))
		time.Sleep(time.Second)
		c.send("token_endpoint", call{form: form}).wantError(c.t, "invalid_grant")
	}},
	{name: "ensure-holder-of-key-required", test: func(c, _ *fapi) {
		a := c.ask()
		form := c.redeemForm(a, c.code(c.s.Person(c.t), a))
		if c.bind == "dpop" {
			c.send("token_endpoint", call{form: form, noProof: true}).wantError(c.t, "invalid_dpop_proof", "invalid_request", "invalid_grant")
		} else {
			c.send("token_endpoint", call{form: form, noCert: true}).wantError(c.t, "invalid_client", "invalid_request", "invalid_grant")
		}
	}},
	{name: "ensure-token-endpoint-fails-with-mismatched-dpop-jkt", only: "dpop", test: func(c, _ *fapi) {
		if c.signed {
			return // dpop_jkt is a parameter of the request object there; the same code reads it
		}
		a := c.ask("dpop_jkt", thumbprint(c.t, c.proofs))
		form := c.redeemForm(a, c.code(c.s.Person(c.t), a))
		c.send("token_endpoint", call{form: form, proofKey: newKey(c.t)}).wantError(c.t, "invalid_grant", "invalid_dpop_proof")
		if res := c.send("token_endpoint", call{form: form}); res.status != http.StatusOK {
			c.t.Errorf("with the right key: status %d: %s", res.status, res.raw)
		}
	}},
	{name: "dpop-negative-tests", only: "dpop", test: dpopNegative},
	{name: "ensure-access-token-is-bound", test: func(c, other *fapi) {
		tok := c.signIn(c.s.Person(c.t))
		thief := other
		if c.bind == "dpop" {
			if res := c.use(tok.access, "DPoP", newKey(c.t), nil); res.status != http.StatusUnauthorized {
				c.t.Errorf("with another key: status %d", res.status)
			}
			if res := c.use(tok.access, "Bearer", nil, nil); res.status != http.StatusUnauthorized {
				c.t.Errorf("as a bearer token: status %d", res.status)
			}
			return
		}
		if res := thief.use(tok.access, "Bearer", nil, nil); res.status != http.StatusUnauthorized {
			c.t.Errorf("with another certificate: status %d", res.status)
		}
	}},
	{name: "refresh-token", test: func(c, other *fapi) {
		tok := c.signIn(c.s.Person(c.t), "scope", "openid offline_access catalog.read", "prompt", "consent")
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.refresh}}
		other.send("token_endpoint", call{form: form}).wantError(c.t, "invalid_grant")
		for range 2 { // an answer may be lost: the first one still works (FAPI 2.0 §5.3.2.1)
			res := c.send("token_endpoint", call{form: form})
			if res.status != http.StatusOK {
				c.t.Fatalf("status %d: %s", res.status, res.raw)
			}
			if next := res.text("refresh_token"); next != "" && next != tok.refresh {
				c.t.Errorf("the refresh token was rotated")
			}
			if got := c.use(res.text("access_token"), c.scheme(), c.proofs, nil); got.status != http.StatusOK {
				c.t.Errorf("resource: status %d: %s", got.status, got.raw)
			}
		}
	}},
	{name: "access-token-in-the-query-fails", test: func(c, _ *fapi) {
		tok := c.signIn(c.s.Person(c.t))
		req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.resource()+"?access_token="+tok.access, http.NoBody)
		if err != nil {
			c.t.Fatal(err)
		}
		if res := do(c.t, c.client(c.bind == "mtls"), req); res.status != http.StatusUnauthorized && res.status != http.StatusBadRequest {
			c.t.Errorf("status %d", res.status)
		}
	}},
}

// pushForm is a good request, as the profile has it.
func (c *fapi) pushForm() url.Values {
	c.t.Helper()
	a := c.ask()
	if c.signed {
		return url.Values{"client_id": {c.id}, "request": {c.object(a, nil)}}
	}
	return a.params
}

// authFails wants an assertion refused at both endpoints, and nothing spent.
func (c *fapi) authFails(assertion string) {
	c.t.Helper()
	c.send("pushed_authorization_request_endpoint", call{form: c.pushForm(), assertion: assertion}).wantError(c.t, "invalid_client")
	a := c.ask()
	form := c.redeemForm(a, c.code(c.s.Person(c.t), a))
	c.send("token_endpoint", call{form: form, assertion: assertion}).wantError(c.t, "invalid_client")
	if res := c.send("token_endpoint", call{form: form}); res.status != http.StatusOK {
		c.t.Errorf("the refused request spent the code: %s", res.raw)
	}
}

func fapiDiscovery(c, _ *fapi) {
	meta := c.discover()
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "pushed_authorization_request_endpoint", "jwks_uri"} {
		if !strings.HasPrefix(c.endpoint(name), "https://") {
			c.t.Errorf("%s is %s", name, c.endpoint(name))
		}
	}
	for name, value := range map[string]string{
		"response_types_supported": "code", "code_challenge_methods_supported": "S256", "grant_types_supported": "authorization_code",
		"token_endpoint_auth_signing_alg_values_supported": "ES256", "dpop_signing_alg_values_supported": "ES256",
		"token_endpoint_auth_methods_supported": map[string]string{"mtls": "tls_client_auth", "private_key_jwt": "private_key_jwt"}[c.auth],
	} {
		if !c.lists(name, value) {
			c.t.Errorf("%s does not list %s: %v", name, value, meta[name])
		}
	}
	if meta["authorization_response_iss_parameter_supported"] != true || meta["tls_client_certificate_bound_access_tokens"] != true {
		c.t.Error("iss in responses or certificate-bound tokens are not announced")
	}
	for _, alg := range []string{"none", "HS256"} {
		if c.lists("token_endpoint_auth_signing_alg_values_supported", alg) || c.lists("request_object_signing_alg_values_supported", alg) {
			c.t.Errorf("%s is announced", alg)
		}
	}
}

// dpopNegative are the blocks of the suite's module, against the gateway. Proofs
// of the right form before and after show that it is the change that is refused.
func dpopNegative(c, _ *fapi) {
	tok := c.signIn(c.s.Person(c.t))
	now := time.Now().Unix()
	good := func(what string) {
		c.t.Helper()
		if res := c.use(tok.access, "DPoP", c.proofs, nil); res.status != http.StatusOK {
			c.t.Fatalf("%s: status %d: %s", what, res.status, res.raw)
		}
	}
	good("before")
	for name, changes := range map[string]map[string]any{
		"no jti": {"jti": nil}, "no htm": {"htm": nil}, "no htu": {"htu": nil}, "no iat": {"iat": nil}, "no ath": {"ath": nil},
		"another method": {"htm": "POST"}, "method in lower case": {"htm": "get"}, "another address": {"htu": "https://other.example.com/"},
		"another path": {"htu": c.resource() + "/x"}, "http": {"htu": strings.Replace(c.resource(), "https:", "http:", 1)},
		"an hour old": {"iat": now - 3600}, "an hour ahead": {"iat": now + 3600}, "ath of another token": {"ath": b64.EncodeToString(make([]byte, 32))},
		"iat as text": {"iat": "now"}, "empty jti": {"jti": ""},
	} {
		if res := c.use(tok.access, "DPoP", c.proofs, changes); res.status != http.StatusUnauthorized {
			c.t.Errorf("%s: status %d: %s", name, res.status, res.raw)
		}
	}
	for name, header := range map[string]map[string]any{
		"typ of another kind": {"typ": "JWT"}, "alg none": {"alg": "none"}, "private key": {"jwk": jwk(c.t, c.proofs, map[string]any{"d": b64.EncodeToString(c.proofs.D.Bytes())})},
		"no key": {"jwk": nil}, "another key than signed": {"jwk": jwk(c.t, newKey(c.t), nil)},
	} {
		h := changed(map[string]any{"typ": "dpop+jwt", "jwk": jwk(c.t, c.proofs, nil)}, header)
		if status := c.present(tok.access, sign(c.t, c.proofs, h, c.proofClaims(tok.access))); status != http.StatusUnauthorized {
			c.t.Errorf("%s: status %d", name, status)
		}
	}
	replay := c.proof(c.proofs, http.MethodGet, c.resource(), tok.access, nil)
	if first, second := c.present(tok.access, replay), c.present(tok.access, replay); first != http.StatusOK || second != http.StatusUnauthorized {
		c.t.Errorf("a proof twice: status %d and %d", first, second)
	}
	one := c.proof(c.proofs, http.MethodGet, c.resource(), tok.access, nil)
	two := c.proof(c.proofs, http.MethodGet, c.resource(), tok.access, nil)
	if status := c.present(tok.access, one, two); status != http.StatusUnauthorized {
		c.t.Errorf("two proofs: status %d", status)
	}
	u, err := url.Parse(c.resource())
	if err != nil {
		c.t.Fatal(err)
	}
	for name, htu := range map[string]string{"with a query": c.resource() + "?a=b", "with a fragment": c.resource() + "#f", "host in capitals": "HTTPS://" + strings.ToUpper(u.Host) + u.Path} {
		if res := c.use(tok.access, "DPoP", c.proofs, map[string]any{"htu": htu}); res.status != http.StatusOK {
			c.t.Errorf("htu %s, which means the same: status %d: %s", name, res.status, res.raw)
		}
	}
	good("after")
}
