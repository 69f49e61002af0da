package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/internal/token"
	"sallyport/internal/web"
)

// T114: without the wish the cookie ends with the browser, with it it lasts as long
// as the tier says; where the risk is high nobody is asked (AU14).
func TestT114AU14TheCookieLastsAsThePersonWishes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tier  token.Tier
		keep  string
		age   int
		asked bool
	}{
		"no wish":                  {token.TierStandard, "", 0, true},
		"the wish":                 {token.TierStandard, "yes", 24 * 60 * 60, true},
		"the wish in tier low":     {token.TierLow, "yes", 30 * 24 * 60 * 60, true},
		"AU14 the wish, tier high": {token.TierHigh, "yes", 0, false},
		"something else":           {token.TierStandard, "on", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, options{edge: func(o *web.Options) { o.SessionTier = c.tier }})
			b := h.browser()
			page := b.loginPage()
			if got := strings.Contains(page.body, `<input id="keep" name="keep" type="checkbox" value="yes">`); got != c.asked {
				t.Errorf("asked %v, want %v", got, c.asked)
			}
			r := b.submit(page, "username", "ada", "password", password, "keep", c.keep)
			var session *http.Cookie
			for _, cookie := range r.Cookies() {
				if cookie.Name == "__Host-sallyport" {
					session = cookie
				}
			}
			if session == nil || session.MaxAge != c.age {
				t.Errorf("the cookie is %v, want Max-Age %d", session, c.age)
			}
		})
	}
}

// AU14: the server ends a session that was unused for too long, and one that is too
// old, whatever the browser keeps.
func TestAU14TheClockEndsSessions(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	signedIn := func(b *browser) bool {
		return !strings.HasPrefix(b.get(authorizeURL("client_id", "web")).Header.Get("Location"), "/login?")
	}
	b := h.browser()
	b.submit(b.loginPage(), "username", "ada", "password", password, "keep", "yes")
	h.clock.advance(59 * time.Minute)
	if !signedIn(b) {
		t.Error("unused for less than an hour, and signed out")
	}
	h.clock.advance(time.Hour)
	if signedIn(b) {
		t.Error("AU14 unused for an hour, and signed in")
	}
	b = h.browser()
	b.submit(b.loginPage(), "username", "ada", "password", password, "keep", "yes")
	for range 26 {
		h.clock.advance(55 * time.Minute)
		if !signedIn(b) {
			t.Fatal("in use, and signed out")
		}
	}
	h.clock.advance(20 * time.Minute) // a day and ten minutes
	if signedIn(b) {
		t.Error("AU14 T113 a day old, and signed in")
	}
}
