package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// Whoever comes without an app signs in and is back at the page of the account.
func TestAccountOpensWithoutAnApp(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	page := b.follow(b.get("/account"))
	if !strings.Contains(page.body, `<button id="login"`) {
		t.Fatalf("nobody is asked to sign in:\n%s", page.body)
	}
	page = b.follow(b.submit(page, "username", "ada", "password", password))
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, `href="/account" aria-current="page"`) {
		t.Fatalf("the page does not come back: %d\n%s", page.StatusCode, page.body)
	}
	if !strings.Contains(page.body, `id="no_second"`) {
		t.Error("nobody is warned that a password is all there is")
	}
}
