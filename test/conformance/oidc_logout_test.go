package conformance_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"sallyport/test/rig"
)

const afterLogout = "https://rp.example.com/after"

// servesLogout serves a client that is registered for logout; more are settings of
// it.
func servesLogout(t *testing.T, more string) (*rig.Server, *rp) {
	t.Helper()
	c := &rp{t: t, id: "logout-rp", method: "client_secret_basic", redirect: basicCallback, scope: "openid offline_access", algs: []string{"RS256"}}
	c.s = serve(t, func(s *rig.Server) string {
		c.secret = secretFile(t, s, "logout-rp.secret")
		return fmt.Sprintf(`clients:
  - client_id: logout-rp
    type: server
    profile: oidc-basic
    secret_file: logout-rp.secret
    id_token_signed_response_alg: RS256
    redirect_uris: [%s]
    post_logout_redirect_uris: [%s]
    scope: openid offline_access
%s`, basicCallback, afterLogout, more)
	})
	return c.s, c
}

// logout opens the logout endpoint and agrees where asked. The page is where the
// person ends up, or the redirect to the client.
func (c *rp) logout(person *rig.Person, params url.Values) (page rig.Page, asked bool) {
	c.t.Helper()
	address := c.endpoint("end_session_endpoint")
	if len(params) > 0 {
		address += "?" + params.Encode()
	}
	page = person.Go(c.t, address, "https://rp.example.com")
	if page.Has("confirm") {
		return person.Press(c.t, page, "confirm", nil, "https://rp.example.com"), true
	}
	return page, false
}

// signedOut reports whether the issuer would ask the person to sign in.
func (c *rp) signedOut(person *rig.Person) bool {
	c.t.Helper()
	a := c.request("prompt", "none")
	back := c.checked(a, person.Go(c.t, c.address(a), c.redirect).URL.Query())
	return back.Get("error") == "login_required"
}

// back checks that the person was sent to where the client wants, with state.
func (c *rp) back(page rig.Page, state string) {
	c.t.Helper()
	if page.URL == nil || !strings.HasPrefix(page.URL.String(), afterLogout) || page.URL.Query().Get("state") != state {
		c.t.Errorf("ended at %s (status %d), want %s with state %q:\n%s", page.URL, page.Status, afterLogout, state, page.Body)
	}
}

func (c *rp) stays(page rig.Page) {
	c.t.Helper()
	if page.Status == 0 || strings.HasPrefix(page.URL.String(), "https://rp.example.com") {
		c.t.Errorf("sent to %s, and that must not be", page.URL)
	}
}

// The plan oidcc-rp-initiated-logout-certification-test-plan.
func TestID10RV11RV12OIDCRPInitiatedLogout(t *testing.T) {
	t.Parallel()
	s, c := servesLogout(t, "")
	hint := func(tok tokens) string { return tok.text("id_token") }
	modules := map[string]func(c *rp, person *rig.Person, tok tokens){
		"oidcc-rp-initiated-logout": func(c *rp, person *rig.Person, tok tokens) {
			page, _ := c.logout(person, url.Values{"id_token_hint": {hint(tok)}, "post_logout_redirect_uri": {afterLogout}, "state": {"s-1"}})
			c.back(page, "s-1")
			if !c.signedOut(person) {
				c.t.Error("the person is still signed in")
			}
		},
		"oidcc-rp-initiated-logout-no-state": func(c *rp, person *rig.Person, tok tokens) {
			page, _ := c.logout(person, url.Values{"id_token_hint": {hint(tok)}, "post_logout_redirect_uri": {afterLogout}})
			c.back(page, "")
		},
		"oidcc-rp-initiated-logout-no-params": func(c *rp, person *rig.Person, _ tokens) {
			page, asked := c.logout(person, nil)
			c.stays(page)
			if !asked || !c.signedOut(person) {
				c.t.Errorf("asked: %t", asked)
			}
		},
		"oidcc-rp-initiated-logout-only-state": func(c *rp, person *rig.Person, _ tokens) {
			page, asked := c.logout(person, url.Values{"state": {"s-1"}})
			if c.stays(page); !asked {
				c.t.Error("the person was not asked")
			}
		},
		"oidcc-rp-initiated-logout-no-post-logout-redirect-uri": func(c *rp, person *rig.Person, tok tokens) {
			page, _ := c.logout(person, url.Values{"id_token_hint": {hint(tok)}, "state": {"s-1"}})
			if c.stays(page); !c.signedOut(person) {
				c.t.Error("the person is still signed in")
			}
		},
		"oidcc-rp-initiated-logout-no-id-token-hint": func(c *rp, person *rig.Person, _ tokens) {
			page, asked := c.logout(person, url.Values{"post_logout_redirect_uri": {afterLogout}, "state": {"s-1"}})
			if c.stays(page); !asked && page.Status != 400 {
				c.t.Errorf("neither asked nor an error: status %d", page.Status)
			}
		},
		"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": func(c *rp, person *rig.Person, tok tokens) {
			page, _ := c.logout(person, url.Values{"id_token_hint": {hint(tok)}, "post_logout_redirect_uri": {"https://rp.example.com/elsewhere"}})
			c.stays(page)
		},
		"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": func(c *rp, person *rig.Person, tok tokens) {
			page, _ := c.logout(person, url.Values{"id_token_hint": {hint(tok)}, "post_logout_redirect_uri": {afterLogout + "?foo=bar"}})
			c.stays(page)
		},
		"oidcc-rp-initiated-logout-modified-id-token-hint": func(c *rp, person *rig.Person, tok tokens) {
			parts := splitDots(hint(tok))
			page, _ := c.logout(person, url.Values{"id_token_hint": {parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2]))}, "post_logout_redirect_uri": {afterLogout}})
			c.stays(page)
		},
		"oidcc-rp-initiated-logout-bad-id-token-hint": func(c *rp, person *rig.Person, _ tokens) {
			page, _ := c.logout(person, url.Values{"id_token_hint": {"not.a.token"}, "post_logout_redirect_uri": {afterLogout}})
			c.stays(page)
		},
		"RV11 an ID token alone, without the browser of its person, ends nothing": func(c *rp, person *rig.Person, tok tokens) {
			c.logout(s.Person(c.t), url.Values{"id_token_hint": {hint(tok)}, "post_logout_redirect_uri": {afterLogout}})
			if c.signedOut(person) {
				c.t.Error("somebody else has signed the person out")
			}
			res := c.post(c.endpoint("token_endpoint"), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.refresh}})
			if res.status != 200 {
				c.t.Errorf("and has ended the grant: %s", res.raw)
			}
		},
	}
	for name, module := range modules {
		t.Run(name, func(t *testing.T) {
			c, person := c.with(t), s.Person(t)
			module(c, person, c.signIn(person))
		})
	}
}
