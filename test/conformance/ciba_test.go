package conformance_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

// The plan fapi-ciba-id1-test-plan, poll and ping, in the variants of client
// authentication and sender constraint. It is not parallel, since the program is
// told by its environment whose certificates to trust.
func TestID10FAPICIBA(t *testing.T) {
	for _, mode := range []string{"poll", "ping"} {
		t.Run(mode, func(t *testing.T) {
			first, second := cibaServer(t, mode)
			for name, c := range first {
				t.Run(name, func(t *testing.T) { cibaPlan(t, c, second[name]) })
			}
			if mode == "ping" {
				t.Run("fapi-ciba-id1-ping-with-mtls-ciba-notification-endpoint-response-401-and-require-server-does-not-retry", first["mtls mtls"].notes.notAgain)
			}
		})
	}
}

// cibaModule is one module of the plan. other is the second client.
type cibaModule struct {
	name string
	only string // of client authentication, binding or mode; empty: all
	test func(c, other *ciba)
}

func cibaPlan(t *testing.T, c, other *ciba) {
	t.Helper()
	for _, m := range slices.Concat(cibaModules, cibaRefusals, cibaAuth, cibaPings) {
		if m.only != "" && m.only != c.auth && m.only != c.bind && m.only != c.mode {
			continue
		}
		name := "fapi-ciba-id1"
		if m.name != "" {
			name += "-" + m.name
		}
		t.Run(name, func(t *testing.T) { m.test(c.with(t), other.with(t)) })
	}
}

var cibaModules = []cibaModule{
	{name: "discovery-end-point-verification", test: cibaDiscovery},
	{test: func(c, other *ciba) {
		w := c.ask(nil)
		c.poll(w.id).wantError(c.t, "authorization_pending")
		c.decide(w, "allow")
		c.tokens(w)
		c.poll(w.id).wantError(c.t, "invalid_grant")
		w = other.askAs(map[string]any{"kid": "sig", "typ": "oauth-authz-req+jwt"}, nil)
		other.decide(w, "allow")
		other.tokens(w)
	}},
	{name: "user-rejects-authentication", test: func(c, _ *ciba) {
		w := c.ask(nil)
		c.decide(w, "deny")
		c.poll(w.id).wantError(c.t, "access_denied")
	}},
	{name: "multiple-call-to-token-endpoint", test: func(c, _ *ciba) {
		w := c.ask(nil)
		c.poll(w.id).wantError(c.t, "authorization_pending")
		for range 3 {
			c.poll(w.id).wantError(c.t, "slow_down")
		}
	}},
	{name: "auth-req-id-expired", test: func(c, _ *ciba) {
		w := c.ask(map[string]any{"requested_expiry": 1})
		time.Sleep(1100 * time.Millisecond)
		c.poll(w.id).wantError(c.t, "expired_token")
	}},
	{name: "ensure-authorization-request-with-binding-message-succeeds", test: func(c, _ *ciba) { c.happy(map[string]any{"binding_message": "1234" + rig.Random()[:4]}) }},
	{name: "ensure-other-scope-order-succeeds", test: func(c, _ *ciba) { c.happy(map[string]any{"scope": "catalog.read openid"}) }},
	{name: "ensure-requested-expiry-as-string-succeeds", test: func(c, _ *ciba) { c.happy(map[string]any{"requested_expiry": "30"}) }},
	{name: "ensure-authorization-request-with-potentially-bad-binding-message", test: func(c, _ *ciba) {
		const bad = "1234 \U0001f44d\U0001f3ff 品川 Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua."
		c.backchannel(c.signed(map[string]any{"binding_message": bad}), call{}).wantError(c.t, "invalid_binding_message")
	}},
	{name: "refresh-token", test: func(c, other *ciba) {
		tok := c.happy(map[string]any{"scope": "openid offline_access catalog.read"})
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.refresh}}
		other.send("token_endpoint", call{form: form}).wantError(c.t, "invalid_grant")
		res := c.send("token_endpoint", call{form: form})
		if res.status != http.StatusOK {
			c.t.Fatalf("status %d: %s", res.status, res.raw)
		}
		if got := c.use(res.text("access_token"), c.scheme(), c.proofs, nil); got.status != http.StatusOK {
			c.t.Errorf("resource: status %d: %s", got.status, got.raw)
		}
	}},
	{name: "ensure-mtls-holder-of-key-required", test: func(c, other *ciba) {
		w := c.ask(nil)
		c.decide(w, "allow")
		if c.bind == "dpop" {
			c.send("token_endpoint", call{form: c.pollForm(w.id), noProof: true}).wantError(c.t, "invalid_dpop_proof", "invalid_request", "invalid_grant")
		} else {
			c.send("token_endpoint", call{form: c.pollForm(w.id), noCert: true}).wantError(c.t, "invalid_client", "invalid_request", "invalid_grant")
		}
		tok := c.tokens(w)
		if got := other.use(tok.access, c.scheme(), other.proofs, nil); got.status != http.StatusUnauthorized {
			c.t.Errorf("with the key of another: status %d", got.status)
		}
	}},
}

// signedWrong is a module that has one thing wrong in the request object.
func signedWrong(name string, changes func() map[string]any) cibaModule {
	return cibaModule{name: "ensure-request-object-" + name + "-fails", test: func(c, _ *ciba) {
		c.backchannel(c.signed(changes()), call{}).wantError(c.t, "invalid_request")
	}}
}

func claim(name string, value any) func() map[string]any {
	return func() map[string]any { return map[string]any{name: value} }
}

// moment is a claim with a time so many seconds from now.
func moment(name string, seconds int64) func() map[string]any {
	return func() map[string]any { return map[string]any{name: time.Now().Unix() + seconds} }
}

var cibaRefusals = []cibaModule{
	signedWrong("missing-aud", claim("aud", nil)),
	signedWrong("bad-aud", claim("aud", "https://other.example.com/")),
	signedWrong("missing-iss", claim("iss", nil)),
	signedWrong("bad-iss", claim("iss", "other")),
	signedWrong("missing-exp", claim("exp", nil)),
	signedWrong("expired-exp", moment("exp", -300)),
	signedWrong("exp-is-70-minutes-in-future", moment("exp", 70*60)),
	signedWrong("missing-iat", claim("iat", nil)),
	signedWrong("missing-nbf", claim("nbf", nil)),
	signedWrong("nbf-is-10-minutes-in-future", moment("nbf", 10*60)),
	signedWrong("nbf-is-70-minutes-in-past", moment("nbf", -70*60)),
	signedWrong("missing-jti", claim("jti", nil)),
	{name: "ensure-request-object-signature-algorithm-is-none-fails", test: func(c, _ *ciba) {
		parts := splitDots(c.signed(nil))
		c.backchannel(b64.EncodeToString([]byte(`{"alg":"none"}`))+"."+parts[1]+".", call{}).wantError(c.t, "invalid_request")
	}},
	{name: "ensure-request-object-signature-algorithm-is-bad-fails", test: func(c, _ *ciba) {
		parts := splitDots(c.signed(nil))
		c.backchannel(parts[0]+"."+parts[1]+"."+strings.Repeat("A", len(parts[2])), call{}).wantError(c.t, "invalid_request")
	}},
	{name: "ensure-request-object-signature-algorithm-is-RS256-fails", test: func(c, _ *ciba) {
		c.backchannel(sign(c.t, rsaKey(c.t), map[string]any{"alg": "RS256", "kid": "sig"}, c.claims(nil)), call{}).wantError(c.t, "invalid_request")
	}},
	{name: "ensure-request-object-signed-by-other-client-fails", test: func(c, other *ciba) {
		c.backchannel(sign(c.t, other.key, map[string]any{"kid": "sig"}, c.claims(nil)), call{}).wantError(c.t, "invalid_request")
	}},
	{name: "ensure-request-object-used-twice-fails", test: func(c, _ *ciba) {
		once := c.signed(nil)
		if res := c.backchannel(once, call{}); res.status != http.StatusOK {
			c.t.Fatalf("status %d: %s", res.status, res.raw)
		}
		c.backchannel(once, call{}).wantError(c.t, "invalid_request")
	}},
	{name: "ensure-backchannel-authorization-request-without-request-fails", test: func(c, _ *ciba) {
		form := url.Values{}
		for name, value := range c.claims(map[string]any{"iss": nil, "aud": nil, "iat": nil, "nbf": nil, "exp": nil, "jti": nil}) {
			form.Set(name, value.(string))
		}
		c.send("backchannel_authentication_endpoint", call{form: form}).wantError(c.t, "invalid_request")
	}},
	{name: "ensure-authorization-request-with-multiple-hints-fails", test: func(c, _ *ciba) {
		hint := c.happy(nil).text("id_token")
		c.backchannel(c.signed(map[string]any{"id_token_hint": hint}), call{}).wantError(c.t, "invalid_request")
		c.happy(map[string]any{"login_hint": nil, "id_token_hint": hint}) // each alone is enough
	}},
	{name: "ensure-wrong-auth-req-id-in-token-endpoint-request", test: func(c, other *ciba) {
		w := c.ask(nil)
		c.decide(w, "allow")
		other.poll(w.id).wantError(c.t, "invalid_grant")
		c.tokens(w) // the stranger's attempt has spent nothing
	}},
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func cibaDiscovery(c, _ *ciba) {
	if !strings.HasPrefix(c.endpoint("backchannel_authentication_endpoint"), "https://") {
		c.t.Errorf("endpoint is %s", c.endpoint("backchannel_authentication_endpoint"))
	}
	for name, value := range map[string]string{
		"backchannel_token_delivery_modes_supported": c.mode, "grant_types_supported": cibaGrant,
		"backchannel_authentication_request_signing_alg_values_supported": "PS256",
		"token_endpoint_auth_methods_supported":                           map[string]string{"mtls": "tls_client_auth", "private_key_jwt": "private_key_jwt"}[c.auth],
	} {
		if !c.lists(name, value) {
			c.t.Errorf("%s does not list %s: %v", name, value, c.discover()[name])
		}
	}
	for _, never := range []string{"push", "RS256", "none"} {
		if c.lists("backchannel_token_delivery_modes_supported", never) || c.lists("backchannel_authentication_request_signing_alg_values_supported", never) {
			c.t.Errorf("%s is announced", never)
		}
	}
	if v := c.discover()["backchannel_user_code_parameter_supported"]; v != nil && v != false {
		c.t.Errorf("user_code is announced: %v", v)
	}
}
