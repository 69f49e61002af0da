package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var scripts = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

func TestFormPostPage(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		redirect, state, source string
	}{
		"https":            {callback, "st", "https://app.example.com"},
		"loopback":         {"http://127.0.0.1:4711/cb", "st", "http://127.0.0.1:4711"},
		"AZ14 hostile":     {callback, `"><script>alert(1)</script>` + "\r\nX: y", "https://app.example.com"},
		"AZ14 quote marks": {callback, `' onfocus=x " autofocus`, "https://app.example.com"},
	} {
		b := newHouse(t, options{}).browser()
		page := b.submit(b.signIn("response_mode", "form_post", "redirect_uri", c.redirect, "state", c.state), "decision", "allow")
		wantStatus(t, page, http.StatusOK)
		action, fields := b.form(page)
		if action != c.redirect || fields.Get("code") == "" || fields.Get("iss") != issuer || strings.TrimSpace(fields.Get("state")) != strings.TrimSpace(c.state) || len(fields) != 3 {
			t.Errorf("%s: %s %v", what, action, fields)
		}
		csp := page.Header.Get("Content-Security-Policy")
		found := scripts.FindAllStringSubmatch(page.body, -1)
		if len(found) != 1 {
			t.Fatalf("%s: %d scripts", what, len(found))
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		want := "default-src 'none'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; style-src 'self'; img-src 'self'; form-action " +
			c.source + "; frame-ancestors 'none'; base-uri 'none'"
		if csp != want {
			t.Errorf("AZ12 %s: policy %q, want %q", what, csp, want)
		}
		for header, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
			if got := page.Header.Get(header); got != want {
				t.Errorf("AZ15 %s: %s = %q", what, header, got)
			}
		}
		if !strings.Contains(page.body, `<button id="continue" type="submit"`) || page.Header.Get("Location") != "" {
			t.Errorf("%s: without JavaScript there is no way on:\n%s", what, page.body)
		}
	}
}

func TestFormPostOfErrors(t *testing.T) {
	t.Parallel()
	b := newHouse(t, options{}).browser()
	for what, page := range map[string]reply{
		"invalid_scope":  b.get(authorizeURL("response_mode", "form_post", "scope", "root")),
		"login_required": b.get(authorizeURL("response_mode", "form_post", "prompt", "none")),
		"access_denied":  b.submit(b.signIn("response_mode", "form_post"), "decision", "deny"),
	} {
		wantStatus(t, page, http.StatusOK)
		action, fields := b.form(page)
		if action != callback || fields.Get("error") != what || fields.Get("iss") != issuer || fields.Get("state") != "st" {
			t.Errorf("%s: %s %v", what, action, fields)
		}
	}
	page := b.get(authorizeURL("response_mode", "form_post.jwt", "scope", "root"))
	if _, fields := b.form(page); strings.Count(fields.Get("response"), ".") != 2 || len(fields) != 1 {
		t.Errorf("%v", fields)
	}
}
