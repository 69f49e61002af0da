package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"sallyport/test/rig"
)

// cibaAuth are the modules about client authentication.
var cibaAuth = []cibaModule{
	{name: "ensure-different-client-id-and-issuer-in-backchannel-authorization-request", only: "mtls", test: func(c, other *ciba) {
		if c.auth == "mtls" {
			c.backchannel(sign(c.t, other.key, map[string]any{"kid": "sig"}, other.claims(nil)), call{}).wantError(c.t, "invalid_request", "invalid_client")
		}
	}},
	{name: "ensure-wrong-client-id-in-token-endpoint-request", only: "mtls", test: func(c, other *ciba) {
		if c.auth != "mtls" {
			return
		}
		w := c.ask(nil)
		c.decide(w, "allow")
		form := c.pollForm(w.id)
		form.Set("client_id", other.id)
		c.send("token_endpoint", call{form: form, noAuth: true}).wantError(c.t, "invalid_client")
		c.tokens(w)
	}},
	{name: "ensure-wrong-client-id-in-backchannel-authorization-request", only: "mtls", test: func(c, other *ciba) {
		if c.auth != "mtls" {
			return
		}
		form := map[string][]string{"request": {other.signed(nil)}, "client_id": {other.id}}
		c.send("backchannel_authentication_endpoint", call{form: form, noAuth: true}).wantError(c.t, "invalid_client")
	}},
	{name: "ensure-without-client-assertion-in-token-endpoint-request", only: "private_key_jwt", test: func(c, _ *ciba) {
		w := c.ask(nil)
		c.decide(w, "allow")
		form := c.pollForm(w.id)
		form.Set("client_id", c.id)
		c.send("token_endpoint", call{form: form, noAuth: true}).wantError(c.t, "invalid_client")
		c.tokens(w)
	}},
	{name: "ensure-without-client-assertion-in-backchannel-authorization-request", only: "private_key_jwt", test: func(c, _ *ciba) {
		form := map[string][]string{"request": {c.signed(nil)}, "client_id": {c.id}}
		c.send("backchannel_authentication_endpoint", call{form: form, noAuth: true}).wantError(c.t, "invalid_client")
	}},
	{name: "ensure-client-assertion-signature-algorithm-in-backchannel-authorization-request-is-RS256-fails", only: "private_key_jwt", test: func(c, _ *ciba) {
		weak := sign(c.t, rsaKey(c.t), map[string]any{"alg": "RS256", "kid": "sig"}, c.assertionClaims(nil))
		c.backchannel(c.signed(nil), call{assertion: weak}).wantError(c.t, "invalid_client")
	}},
	{name: "ensure-client-assertion-signature-algorithm-in-token-endpoint-request-is-RS256-fails", only: "private_key_jwt", test: func(c, _ *ciba) {
		w := c.ask(nil)
		c.decide(w, "allow")
		weak := sign(c.t, rsaKey(c.t), map[string]any{"alg": "RS256", "kid": "sig"}, c.assertionClaims(nil))
		c.send("token_endpoint", call{form: c.pollForm(w.id), assertion: weak}).wantError(c.t, "invalid_client")
		c.tokens(w)
	}},
	{name: "ensure-client-assertion-with-iss-aud-to-token-endpoint-succeeds", only: "private_key_jwt", test: func(c, _ *ciba) {
		w := c.ask(nil)
		c.decide(w, "allow")
		if res := c.send("token_endpoint", call{form: c.pollForm(w.id), assertion: c.assertion(map[string]any{"aud": c.s.Issuer})}); res.status != http.StatusOK {
			c.t.Errorf("status %d: %s", res.status, res.raw)
		}
	}},
	{name: "ensure-invalid-client-assertions-in-backchannel-authorization-request-fail", only: "private_key_jwt", test: func(c, other *ciba) {
		now := time.Now().Unix()
		for what, assertion := range map[string]string{
			"no aud": c.assertion(map[string]any{"aud": nil}), "another aud": c.assertion(map[string]any{"aud": "https://other.example.com"}),
			"no sub": c.assertion(map[string]any{"sub": nil}), "no exp": c.assertion(map[string]any{"exp": nil}), "no jti": c.assertion(map[string]any{"jti": nil}),
			"expired": c.assertion(map[string]any{"iat": now - 600, "exp": now - 300}), "iss of another": c.assertion(map[string]any{"iss": other.id}),
			"key of another": sign(c.t, other.key, map[string]any{"kid": "sig"}, c.assertionClaims(nil)),
		} {
			if res := c.backchannel(c.signed(nil), call{assertion: assertion}); res.text("error") != "invalid_client" {
				c.t.Errorf("%s: status %d: %s", what, res.status, res.raw)
			}
		}
	}},
}

// answeredPing is a module whose notification endpoint answers with a status. The
// tokens are there nevertheless.
func answeredPing(name, status string) cibaModule {
	return cibaModule{name: "ping-backchannel-notification-endpoint-" + name, only: "ping", test: func(c, _ *ciba) {
		w := c.ask(map[string]any{"client_notification_token": answerWith(status)})
		c.decide(w, "allow")
		c.tokens(w)
		c.notes.answered = append(c.notes.answered, w.id)
	}}
}

// answerWith is a token that makes the notification endpoint answer so.
func answerWith(status string) string { return "status-" + status + "-" + rig.Random() }

// pingAgain is longer than it takes until a message is sent for the second time.
const pingAgain = 8 * time.Second

var cibaPings = []cibaModule{
	answeredPing("response-has-body", "200"),
	answeredPing("response-401", "401"),
	answeredPing("response-403", "403"),
	answeredPing("return-redirect-request", "301"),
	{name: "ping-notification-endpoint-retries-after-transient-error", only: "ping", test: func(c, _ *ciba) {
		w := c.ask(map[string]any{"client_notification_token": answerWith("503")})
		c.decide(w, "allow")
		for limit := time.Now().Add(20 * time.Second); len(c.notes.of(w.id)) < 2; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(limit) {
				c.t.Fatal("not called again")
			}
		}
	}},
}

// notAgain wants none of those called again who have answered for good: once, at
// the end, for it takes its time.
func (n *notices) notAgain(t *testing.T) {
	time.Sleep(pingAgain)
	for _, id := range n.answered {
		for _, call := range n.of(id)[1:] {
			t.Errorf("called again: %+v", call)
		}
	}
	if len(n.answered) == 0 {
		t.Error("the modules before have not run")
	}
}
