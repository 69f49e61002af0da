package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

// authenticator is an app with the secret of a person.
type authenticator struct {
	h    *house
	key  string
	last int64
}

func (a *authenticator) at(step int64) string { return totp(a.h.t, a.key, time.Unix(30*step, 0)) }

// code is one that has not been used; the clock moves on to it.
func (a *authenticator) code() string {
	for a.h.clock.now().Unix()/30 <= a.last {
		a.h.clock.advance(time.Second)
	}
	a.last = a.h.clock.now().Unix() / 30
	return a.at(a.last)
}

// withAuthenticator sets one up for a person.
func (h *house) withAuthenticator(u account.User) *authenticator {
	h.t.Helper()
	must := func(err error) {
		h.t.Helper()
		if err != nil {
			h.t.Fatal(err)
		}
	}
	must(h.accounts.StartAuthenticator(h.t.Context(), u.ID))
	e, err := h.accounts.Enrolment(h.t.Context(), u.ID, "test")
	must(err)
	a := &authenticator{h: h, key: e.Secret.Reveal()}
	must(h.accounts.ConfirmAuthenticator(h.t.Context(), account.Visit{}, u.ID, e.ID, "phone", a.code()))
	return a
}

// redeem goes from the page after a sign-in for the client shop to its tokens.
func (b *browser) redeem(r reply) map[string]any {
	b.t.Helper()
	if r.Header.Get("Location") == "" {
		r = b.submit(r, "decision", "allow")
	}
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" {
		b.t.Fatalf("no code: status %d, Location %q\n%s", r.StatusCode, r.Header.Get("Location"), r.body)
	}
	if err := b.feed.CatchUp(b.t.Context()); err != nil { // the clock has moved
		b.t.Fatal(err)
	}
	m := b.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"shop"}, "code": {u.Query().Get("code")}, "code_verifier": {verifier}, "redirect_uri": {callback},
	}).json(b.t)
	if m["access_token"] == nil || m["id_token"] == nil {
		b.t.Fatalf("no tokens: %v", m)
	}
	return m
}

func TestAZ25ASecondFactorStandsBeforeEverything(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	phone := h.withAuthenticator(h.user)
	b := h.browser()
	page := b.follow(b.submit(b.loginPage(), "username", "ada", "password", password))
	if page.StatusCode != http.StatusOK || page.Request.URL.Path != "/login/second" || !strings.Contains(page.body, `id="code"`) {
		t.Fatalf("%s: %d\n%s", page.Request.URL, page.StatusCode, page.body)
	}
	if b.cookie("__Host-sallyport") != "" {
		t.Error("AZ25 there is a session after the password alone")
	}
	flow := page.Request.URL.Query().Get("flow")
	for _, path := range []string{"/consent?flow=" + url.QueryEscape(flow), authorizeURL()} {
		if r := b.get(path); !strings.HasPrefix(r.Header.Get("Location"), "/login?") {
			t.Errorf("AZ25 straight to %s: %d %s", path, r.StatusCode, r.Header.Get("Location"))
		}
	}
	r := b.submit(page, "code", "000000")
	if r.StatusCode != http.StatusUnauthorized || !strings.Contains(r.body, `role="alert"`) || b.cookie("__Host-sallyport") != "" {
		t.Errorf("a wrong code: %d", r.StatusCode)
	}
	// In another browser the ticket is worth nothing, with or without the right code.
	action, fields := b.form(page)
	other := h.browser()
	other.loginPage()
	fields.Set("code", phone.at(phone.last+1))
	r = other.post(action, fields, "Sec-Fetch-Site", "same-origin", "Cookie", "__Host-sallyport-ticket="+b.cookie("__Host-sallyport-ticket"))
	if r.StatusCode != http.StatusForbidden || other.cookie("__Host-sallyport") != "" {
		t.Errorf("AU20 in another browser: %d", r.StatusCode)
	}
	r = b.submit(page, "code", phone.code())
	if r.StatusCode != http.StatusSeeOther || b.cookie("__Host-sallyport") == "" || b.cookie("__Host-sallyport-ticket") != "" {
		t.Fatalf("the right code: %d %v", r.StatusCode, r.Cookies())
	}
	if claims := claimsOf(t, b.redeem(b.follow(r))["id_token"].(string)); claims["acr"] != token.ACRMFA || fmt.Sprint(claims["amr"]) != "[pwd otp mfa]" {
		t.Errorf("T047 the ID token says %v %v", claims["acr"], claims["amr"])
	}
}

// RFC 9470 from the challenge on: who is signed in by password adds a code and is
// not asked for the password again; the sign-in is no younger for it.
func TestAU20AZ20StepUpAddsACode(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	b.callback()
	phone := h.withAuthenticator(h.user)
	h.clock.advance(5 * time.Minute)
	page := b.follow(b.get(authorizeURL("acr_values", token.ACRMFA)))
	if page.Request.URL.Path != "/login/second" {
		t.Fatalf("step-up leads to %s", page.Request.URL)
	}
	before := b.cookie("__Host-sallyport")
	r := b.submit(page, "code", phone.code())
	if after := b.cookie("__Host-sallyport"); after == before || after == "" {
		t.Error("AU13 the session has no new ID")
	}
	claims := claimsOf(t, b.redeem(b.follow(r))["id_token"].(string))
	if claims["acr"] != token.ACRMFA || claims["auth_time"].(float64) > float64(h.clock.now().Add(-4*time.Minute).Unix()) {
		t.Errorf("the ID token says %v at %v", claims["acr"], claims["auth_time"])
	}
	if r := b.get(authorizeURL("acr_values", token.ACRMFA, "client_id", "web")); strings.HasPrefix(r.Header.Get("Location"), "/login") {
		t.Errorf("once more: %s", r.Header.Get("Location"))
	}
	// Nobody moves it to a browser where somebody has signed in by password alone.
	c := h.browser()
	if page := c.follow(c.submit(c.loginPage(), "username", "ada", "password", password)); page.Request.URL.Path != "/login/second" {
		t.Errorf("AU20 another browser gets past with a password: %s", page.Request.URL)
	}
}

// After a quarter of an hour the session counts for nothing towards more.
func TestAU20AnOldSessionProvesEverythingAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	b.callback()
	phone := h.withAuthenticator(h.user)
	h.clock.advance(16 * time.Minute)
	page := b.follow(b.get(authorizeURL("acr_values", token.ACRMFA)))
	if page.Request.URL.Path != "/login" {
		t.Fatalf("leads to %s", page.Request.URL)
	}
	page = b.follow(b.submit(page, "username", "ada", "password", password))
	if page.Request.URL.Path != "/login/second" {
		t.Fatalf("and then to %s", page.Request.URL)
	}
	b.redeem(b.follow(b.submit(page, "code", phone.code())))
}

// Who has nothing better is led to where it is set up; who does not want to gives
// the app an error, and never a token that says less.
func TestAZ20WhoLacksAFactorIsLedToIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	for name, c := range map[string]struct {
		acr    string
		strong bool
	}{"two factors": {token.ACRMFA, false}, "a passkey": {token.ACRPhishing, true}} {
		b := h.browser()
		page := b.follow(b.submit(b.loginPage("acr_values", c.acr), "username", "ada", "password", password))
		if page.Request.URL.Path != "/login/enrol" || !strings.Contains(page.body, "/account/security/passkeys?flow=") {
			t.Fatalf("%s: %s\n%s", name, page.Request.URL, page.body)
		}
		if got := strings.Contains(page.body, "/account/security/authenticator?flow="); got == c.strong {
			t.Errorf("%s: an authenticator is offered: %v", name, got)
		}
		r := b.submit(page)
		back := mustURL(t, r.Header.Get("Location"))
		if back.Query().Get("error") != oauth.UnmetAuthentication || back.Query().Get("code") != "" {
			t.Errorf("AZ20 %s: not now leads to %s", name, back)
		}
	}
}

// AU15: only a request that wants more than the person has lets them set a factor up
// after the sign-in for it; one that does not asks for a sign-in of its own.
func TestAU15ASignInForAnAppIsNoneForFactors(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	for name, c := range map[string]struct {
		acr  []string
		open bool
	}{"nothing more is wanted": {nil, false}, "two factors are": {[]string{"acr_values", token.ACRMFA}, true}} {
		b := h.browser()
		page := b.follow(b.submit(b.loginPage(c.acr...), "username", "ada", "password", password))
		r := b.get(authenticatorPage + "?flow=" + url.QueryEscape(page.Request.URL.Query().Get("flow")))
		if open := r.StatusCode == http.StatusOK; open != c.open {
			t.Errorf("AU15 %s: status %d, at %s", name, r.StatusCode, r.Header.Get("Location"))
		}
	}
}

// A deployment that wants two factors of everybody gets nobody past, with whatever
// the app asks for.
func TestAU06APolicyHoldsForEveryApp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{change: func(o *oauth.Options) { o.MinACR = token.ACRMFA }})
	b := h.browser()
	for _, change := range [][]string{{}, {"acr_values", token.ACRPassword}, {"prompt", "consent"}} {
		page := b.follow(b.submit(b.loginPage(append(change, "prompt", "login")...), "username", "ada", "password", password))
		if page.Request.URL.Path != "/login/enrol" {
			t.Errorf("AU06 %v: %s", change, page.Request.URL)
		}
	}
	if r := b.get(authorizeURL("prompt", "none", "client_id", "web")); !strings.Contains(r.Header.Get("Location"), "error=login_required") {
		t.Errorf("silently: %s", r.Header.Get("Location"))
	}
	phone := h.withAuthenticator(h.user)
	page := b.follow(b.get(authorizeURL()))
	if page.Request.URL.Path != "/login/second" {
		t.Fatalf("with a factor: %s", page.Request.URL)
	}
	b.redeem(b.follow(b.submit(page, "code", phone.code())))
}
