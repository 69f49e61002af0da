package conformance_test

import (
	"net/url"
	"testing"

	"sallyport/test/rig"
)

// posted lets the person agree and returns what the page of ours would post to the
// redirect URI.
func (c *rp) posted(person *rig.Person, a asked) url.Values {
	c.t.Helper()
	page := person.Go(c.t, c.address(a), "")
	if page.Has("login") {
		page = person.SignIn(c.t, page, "")
	}
	if page.Has("allow") {
		page = person.Press(c.t, page, "allow", nil, "")
	}
	form, ok := page.FormTo(c.redirect)
	if !ok {
		c.t.Fatalf("no form for %s at %s (status %d):\n%s", c.redirect, page.URL, page.Status, page.Body)
	}
	return c.checked(a, form)
}

// The plan oidcc-formpost-basic-certification-test-plan: the modules of the basic
// plan whose response is another one.
func TestID10OIDCFormPost(t *testing.T) {
	t.Parallel()
	s, c, _, _ := servesBasic(t)
	if !c.with(t).lists("response_modes_supported", "form_post") {
		t.Error("form_post is not announced")
	}
	for name, module := range map[string]func(c *rp){
		"oidcc-server": func(c *rp) {
			a := c.request("response_mode", "form_post")
			c.finish(a, c.posted(s.Person(c.t), a))
		},
		"oidcc-prompt-none-not-logged-in": func(c *rp) {
			a := c.request("response_mode", "form_post", "prompt", "none")
			if back := c.posted(s.Person(c.t), a); back.Get("error") != "login_required" {
				c.t.Errorf("response %v", back)
			}
		},
		"oidcc-prompt-none-logged-in": func(c *rp) {
			person := s.Person(c.t)
			a := c.request("response_mode", "form_post")
			first := c.finish(a, c.posted(person, a))
			b := c.request("response_mode", "form_post", "prompt", "none")
			if second := c.finish(b, c.posted(person, b)); first.id.Subject != second.id.Subject {
				c.t.Errorf("sub %s and %s", first.id.Subject, second.id.Subject)
			}
		},
		"oidcc-response-type-missing": func(c *rp) {
			a := c.request("response_mode", "form_post", "response_type", "-")
			if back := c.posted(s.Person(c.t), a); back.Get("error") == "" {
				c.t.Errorf("response %v", back)
			}
		},
		"oidcc-ensure-registered-redirect-uri": func(c *rp) {
			page := s.Person(c.t).Go(c.t, c.address(c.request("response_mode", "form_post", "redirect_uri", c.redirect+"/other")), "https://rp.example.com")
			wantPage(c.t, page, "invalid_request")
		},
	} {
		t.Run(name, func(t *testing.T) { module(c.with(t)) })
	}
}
