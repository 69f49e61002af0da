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
)

// The plan fapi2-message-signing-final-test-plan: all of the Security Profile with
// signed requests and responses, and what is its own.
func TestID10FAPI2MessageSigningFinal(t *testing.T) {
	t.Parallel()
	first, second := fapiServer(t, "fapi2-message-signing", "")
	for name, c := range first {
		t.Run(name, func(t *testing.T) {
			fapiPlan(t, c, second[name])
			for _, m := range signingModules {
				t.Run("fapi2-message-signing-final-"+m.name, func(t *testing.T) { m.test(c.with(t), second[name].with(t)) })
			}
		})
	}
}

// refusedObjects are request objects with one thing wrong; nil removes a claim.
func refusedObjects(c *fapi) map[string]map[string]any {
	now := time.Now().Unix()
	return map[string]map[string]any{
		"no aud": {"aud": nil}, "another aud": {"aud": "https://other.example.com"}, "no exp": {"exp": nil}, "expired": {"exp": now - 300, "nbf": now - 600},
		"exp an hour and more ahead": {"exp": now + 3700 + 600}, "no nbf": {"nbf": nil}, "nbf an hour and more ago": {"nbf": now - 3700},
		"nbf ahead": {"nbf": now + 300, "exp": now + 600}, "no iss": {"iss": nil}, "another iss": {"iss": "other"}, "client_id of another": {"client_id": "other"},
		"sub of the client": {"sub": c.id}, "request inside": {"request": "x"}, "request_uri inside": {"request_uri": "urn:x"},
	}
}

var signingModules = []fapiModule{
	{name: "ensure-unsigned-request-at-par-endpoint-fails", test: func(c, _ *fapi) {
		c.send("pushed_authorization_request_endpoint", call{form: c.ask().params}).wantError(c.t, "invalid_request", "invalid_request_object")
	}},
	{name: "ensure-request-object-claims", test: func(c, _ *fapi) {
		for name, changes := range refusedObjects(c) {
			if res := c.push(c.ask(), changes); res.status != http.StatusBadRequest || !slices.Contains([]string{"invalid_request_object", "invalid_request"}, res.text("error")) {
				c.t.Errorf("%s: status %d: %s", name, res.status, res.raw)
			}
		}
		if res := c.push(c.ask(), nil); res.status != http.StatusCreated {
			c.t.Errorf("a good one: status %d: %s", res.status, res.raw)
		}
	}},
	{name: "ensure-request-object-signature", test: func(c, other *fapi) {
		a := c.ask()
		claims := part(c.t, c.object(a, nil), 1)
		weak, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			c.t.Fatal(err)
		}
		good := splitDots(c.object(a, nil))
		for name, object := range map[string]string{
			"RS256":               sign(c.t, weak, map[string]any{"alg": "RS256", "kid": "sig"}, claims),
			"none":                b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + good[1] + ".",
			"bad signature":       good[0] + "." + good[1] + "." + strings.Repeat("A", len(good[2])),
			"key of another":      sign(c.t, other.key, map[string]any{"kid": "sig"}, claims),
			"a client assertion":  c.assertion(nil),
			"type of an ID token": sign(c.t, c.key, map[string]any{"kid": "sig", "typ": "logout+jwt"}, claims),
		} {
			form := url.Values{"client_id": {c.id}, "request": {object}}
			if res := c.send("pushed_authorization_request_endpoint", call{form: form}); res.status != http.StatusBadRequest || !slices.Contains([]string{"invalid_request_object", "invalid_request"}, res.text("error")) {
				c.t.Errorf("%s: status %d: %s", name, res.status, res.raw)
			}
		}
	}},
	{name: "ensure-parameters-outside-are-not-used", test: func(c, _ *fapi) {
		a := c.ask()
		form := url.Values{"client_id": {c.id}, "request": {c.object(a, nil)}, "scope": {"openid profile"}, "state": {"outside"}}
		res := c.send("pushed_authorization_request_endpoint", call{form: form})
		if res.status == http.StatusBadRequest {
			return // refused is right, too
		}
		c.response(a, c.s.Person(c.t).Authorize(c.t, c.authorizeAt(res.text("request_uri")), c.redirect))
	}},
	{name: "ensure-response-is-signed", test: func(c, _ *fapi) {
		a := c.ask()
		back := c.s.Person(c.t).Authorize(c.t, c.pushed(a, nil), c.redirect)
		jwt := back.Query().Get("response")
		claims := part(c.t, jwt, 1)
		exp, _ := claims["exp"].(float64)
		if life := exp - float64(time.Now().Unix()); claims["iss"] != c.s.Issuer || claims["aud"] != c.id || life <= 0 || life > 600 {
			c.t.Errorf("the response says %v", claims)
		}
		if len(back.Query()) != 1 {
			c.t.Errorf("there is more beside the response: %s", back)
		}
		c.response(a, back)
	}},
	{name: "ensure-plain-response-mode-fails", test: func(c, _ *fapi) {
		c.push(c.ask("response_mode", "query"), nil).wantError(c.t, "invalid_request", "invalid_request_object", "unsupported_response_mode")
	}},
}
