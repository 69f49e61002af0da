package conformance_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

const basicCallback = "https://rp.example.com/callback"

// basicClients are registered as the suite wants it for this plan: two by secret
// in the header, one by secret in the body, none of which does PKCE.
func basicClients(s *rig.Server, t testing.TB) (text string, list []*rp) {
	t.Helper()
	text = "clients:\n"
	for _, c := range []struct{ id, method string }{{"basic-1", "client_secret_basic"}, {"basic-2", "client_secret_basic"}, {"basic-post", "client_secret_post"}} {
		text += fmt.Sprintf(`  - client_id: %[1]s
    type: server
    profile: oidc-basic
    secret_file: %[1]s.secret
    token_endpoint_auth_method: %[2]s
    id_token_signed_response_alg: RS256
    redirect_uris: [%[3]s]
    scope: openid profile email offline_access
`, c.id, c.method, basicCallback)
		list = append(list, &rp{
			t: t, id: c.id, secret: secretFile(t, s, c.id+".secret"), method: c.method, redirect: basicCallback, scope: "openid", algs: []string{"RS256"},
		})
	}
	return text, list
}

func servesBasic(t *testing.T) (s *rig.Server, basic, other, post *rp) {
	t.Helper()
	var list []*rp
	s = serve(t, func(s *rig.Server) (text string) {
		text, list = basicClients(s, t)
		return text
	})
	for _, c := range list {
		c.s = s
	}
	return s, list[0], list[1], list[2]
}

// The plan oidcc-basic-certification-test-plan.
func TestID01ID05ID10OIDCBasic(t *testing.T) {
	t.Parallel()
	s, c, other, post := servesBasic(t)
	modules := map[string]func(c *rp){
		"oidcc-server": func(c *rp) {
			tok := c.signIn(s.Person(c.t))
			for _, name := range []string{"iss", "sub", "aud", "exp", "iat"} {
				if tok.claims[name] == nil {
					c.t.Errorf("the ID token has no %s", name)
				}
			}
		},
		"oidcc-response-type-missing": func(c *rp) {
			back := s.Person(c.t).Go(c.t, c.address(c.request("response_type", "-")), c.redirect)
			if code := back.URL.Query().Get("error"); code != "invalid_request" && code != "unsupported_response_type" {
				c.t.Errorf("error is %q at %s", code, back.URL)
			}
		},
		"oidcc-userinfo-get": func(c *rp) {
			tok := c.signIn(s.Person(c.t))
			wantSub(c, tok, c.userinfo(http.MethodGet, tok.access))
		},
		"oidcc-userinfo-post-header": func(c *rp) {
			tok := c.signIn(s.Person(c.t))
			wantSub(c, tok, c.userinfo(http.MethodPost, tok.access))
		},
		// The suite warns where the body is not read; FAPI forbids to read it, and so
		// it is refused with an error that says so.
		"oidcc-userinfo-post-body": func(c *rp) {
			tok := c.signIn(s.Person(c.t))
			res, err := s.Post("/oauth/userinfo", url.Values{"access_token": {tok.access}}, "", "")
			if err != nil {
				c.t.Fatal(err)
			}
			if res.Body.Close(); res.StatusCode != http.StatusBadRequest {
				c.t.Errorf("status %d", res.StatusCode)
			}
		},
		"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": func(c *rp) { c.signIn(s.Person(c.t), "nonce", "-") },
		"oidcc-scope-profile": func(c *rp) {
			wantClaims(c, s, "openid profile", "name", "preferred_username")
		},
		"oidcc-scope-email":   func(c *rp) { wantClaims(c, s, "openid email", "email", "email_verified") },
		"oidcc-scope-address": func(c *rp) { wantClaims(c, s, "openid address") }, // nothing is known of it: a warning of the suite
		"oidcc-scope-phone":   func(c *rp) { wantClaims(c, s, "openid phone") },
		"oidcc-scope-all": func(c *rp) {
			wantClaims(c, s, "openid profile email address phone", "name", "preferred_username", "email", "email_verified")
		},
		"oidcc-ensure-other-scope-order-succeeds": func(c *rp) { wantClaims(c, s, "email openid", "email") },
		"oidcc-display-page":                      func(c *rp) { c.signIn(s.Person(c.t), "display", "page") },
		"oidcc-display-popup":                     func(c *rp) { c.signIn(s.Person(c.t), "display", "popup") },
		"oidcc-prompt-login": func(c *rp) {
			person := s.Person(c.t)
			first := c.signIn(person)
			time.Sleep(1100 * time.Millisecond) // auth_time has whole seconds
			page := person.Go(c.t, c.address(c.request("prompt", "login")), c.redirect)
			if !page.Has("login") {
				c.t.Fatalf("the person is not asked again: %s", page.URL)
			}
			second := c.signIn(person, "prompt", "login")
			wantLater(c, first, second)
		},
		"oidcc-prompt-none-not-logged-in": func(c *rp) {
			a := c.request("prompt", "none")
			back := c.checked(a, s.Person(c.t).Go(c.t, c.address(a), c.redirect).URL.Query())
			if !slices.Contains([]string{"login_required", "interaction_required", "consent_required"}, back.Get("error")) {
				c.t.Errorf("response %v", back)
			}
		},
		"oidcc-prompt-none-logged-in": func(c *rp) {
			person := s.Person(c.t)
			first := c.signIn(person)
			a := c.request("prompt", "none")
			second := c.finish(a, c.checked(a, person.Go(c.t, c.address(a), c.redirect).URL.Query()))
			if first.id.Subject != second.id.Subject || first.claims["auth_time"] != second.claims["auth_time"] {
				c.t.Errorf("sub %v and %v, auth_time %v and %v", first.id.Subject, second.id.Subject, first.claims["auth_time"], second.claims["auth_time"])
			}
		},
		"oidcc-max-age-1": func(c *rp) {
			person := s.Person(c.t)
			first := c.signIn(person)
			time.Sleep(2100 * time.Millisecond)
			second := c.signIn(person, "max_age", "1")
			wantLater(c, first, second)
		},
		"oidcc-max-age-10000": func(c *rp) {
			person := s.Person(c.t)
			first := c.signIn(person)
			a := c.request("max_age", "10000")
			page := person.Go(c.t, c.address(a), c.redirect)
			if page.Has("login") {
				c.t.Fatal("the person is asked again")
			}
			second := c.finish(a, c.checked(a, page.URL.Query()))
			if second.claims["auth_time"] == nil || first.claims["auth_time"] != second.claims["auth_time"] {
				c.t.Errorf("auth_time %v and %v", first.claims["auth_time"], second.claims["auth_time"])
			}
		},
		"oidcc-ensure-request-with-unknown-parameter-succeeds": func(c *rp) { c.signIn(s.Person(c.t), "extra", "foobar") },
		"oidcc-id-token-hint": func(c *rp) {
			person := s.Person(c.t)
			first := c.signIn(person)
			a := c.request("prompt", "none", "id_token_hint", first.text("id_token"))
			second := c.finish(a, c.checked(a, person.Go(c.t, c.address(a), c.redirect).URL.Query()))
			if first.id.Subject != second.id.Subject {
				c.t.Errorf("sub %s and %s", first.id.Subject, second.id.Subject)
			}
		},
		"oidcc-login-hint": func(c *rp) {
			page := s.Person(c.t).Go(c.t, c.address(c.request("login_hint", "buffy@example.com")), "")
			if !strings.Contains(page.Body, `value="buffy@example.com"`) {
				c.t.Errorf("the hint is not on the page:\n%s", page.Body)
			}
		},
		"oidcc-ui-locales":     func(c *rp) { c.signIn(s.Person(c.t), "ui_locales", "se") },
		"oidcc-claims-locales": func(c *rp) { c.signIn(s.Person(c.t), "claims_locales", "se") },
		"oidcc-ensure-request-with-acr-values-succeeds": func(c *rp) {
			tok := c.signIn(s.Person(c.t), "acr_values", "1 2")
			if tok.claims["acr"] == nil {
				c.t.Error("the ID token has no acr")
			}
		},
		"oidcc-codereuse": func(c *rp) {
			person := s.Person(c.t)
			a := c.request()
			code := c.authorize(person, a).Get("code")
			c.finish(a, url.Values{"code": {code}})
			c.redeem(a, code).wantError(c.t, "invalid_grant")
		},
		"oidcc-codereuse-30seconds": func(c *rp) { // the suite waits; that the tokens die does not depend on it
			a := c.request()
			code := c.authorize(s.Person(c.t), a).Get("code")
			tok := c.finish(a, url.Values{"code": {code}})
			c.redeem(a, code).wantError(c.t, "invalid_grant")
			if res := c.userinfo(http.MethodGet, tok.access); res.status != http.StatusUnauthorized {
				c.t.Errorf("userinfo with the token of a code that was used twice: status %d", res.status)
			}
		},
		"oidcc-ensure-registered-redirect-uri": func(c *rp) {
			page := s.Person(c.t).Go(c.t, c.address(c.request("redirect_uri", c.redirect+"/other")), "https://rp.example.com")
			wantPage(c.t, page, "invalid_request", "invalid_request_uri")
		},
		"oidcc-ensure-post-request-succeeds": func(c *rp) {
			a := c.request()
			person := s.Person(c.t)
			page := person.Post(c.t, c.endpoint("authorization_endpoint"), a.params, c.redirect)
			page = person.SignIn(c.t, page, c.redirect)
			if page.Has("allow") {
				page = person.Press(c.t, page, "allow", nil, c.redirect)
			}
			c.finish(a, c.checked(a, page.URL.Query()))
		},
		"oidcc-server-client-secret-post": func(*rp) {
			c := post.with(c.t)
			c.signIn(s.Person(c.t))
		},
		"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": func(c *rp) {
			// {"alg":"none"} and the parameters of the request
			object := "eyJhbGciOiJub25lIn0." + "eyJzY29wZSI6Im9wZW5pZCJ9" + "."
			back := s.Person(c.t).Go(c.t, c.address(c.request("request", object)), c.redirect)
			if code := back.URL.Query().Get("error"); code != "request_not_supported" && code != "invalid_request_object" && code != "invalid_request" {
				c.t.Errorf("error %q at %s", code, back.URL)
			}
		},
		"oidcc-claims-essential": func(c *rp) {
			tok := c.signIn(s.Person(c.t), "claims", `{"userinfo":{"name":{"essential":true}}}`)
			if res := c.userinfo(http.MethodGet, tok.access); res.text("name") == "" {
				c.t.Errorf("userinfo has no name: %s", res.raw)
			}
		},
		"oidcc-refresh-token": func(c *rp) {
			tok := c.signIn(s.Person(c.t), "scope", "openid offline_access", "prompt", "consent")
			res := c.post(c.endpoint("token_endpoint"), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.refresh}})
			if res.status != http.StatusOK || res.text("access_token") == tok.access {
				c.t.Fatalf("refresh: status %d: %s", res.status, res.raw)
			}
			if raw := res.text("id_token"); raw != "" {
				id, claims := c.idToken(raw)
				if id.Subject != tok.id.Subject || claims["auth_time"] != tok.claims["auth_time"] {
					c.t.Errorf("the ID token of the refresh is of %v at %v", id.Subject, claims["auth_time"])
				}
			}
			// The second client must not be able to use the refresh token of the first.
			second := other.with(c.t)
			second.post(c.endpoint("token_endpoint"), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {res.text("refresh_token")}}).wantError(c.t, "invalid_grant")
		},
		"oidcc-ensure-request-with-valid-pkce-succeeds": func(c *rp) {
			next := *c
			next.pkce = true
			next.signIn(s.Person(c.t))
		},
	}
	for name, module := range modules {
		t.Run(name, func(t *testing.T) { module(c.with(t)) })
	}
}

func wantSub(c *rp, tok tokens, res answer) {
	c.t.Helper()
	if res.status != http.StatusOK || res.text("sub") != tok.id.Subject {
		c.t.Errorf("userinfo: status %d: %s, want sub %s", res.status, res.raw, tok.id.Subject)
	}
}

// wantClaims asks for a scope and wants claims in userinfo, and no others of
// OpenID Connect Core §5.4.
func wantClaims(c *rp, s *rig.Server, scope string, names ...string) {
	c.t.Helper()
	tok := c.signIn(s.Person(c.t), "scope", scope)
	res := c.userinfo(http.MethodGet, tok.access)
	wantSub(c, tok, res)
	for _, name := range names {
		if res.body[name] == nil {
			c.t.Errorf("userinfo has no %s: %s", name, res.raw)
		}
	}
	for _, name := range []string{"name", "email", "address", "phone_number"} {
		if res.body[name] != nil && !slices.Contains(names, name) {
			c.t.Errorf("userinfo has %s, which was not asked for: %s", name, res.raw)
		}
	}
}

func wantLater(c *rp, first, second tokens) {
	c.t.Helper()
	before, ok1 := first.claims["auth_time"].(float64)
	after, ok2 := second.claims["auth_time"].(float64)
	if !ok1 || !ok2 || after <= before || first.id.Subject != second.id.Subject {
		c.t.Errorf("auth_time %v and then %v; sub %s and %s", before, after, first.id.Subject, second.id.Subject)
	}
}
