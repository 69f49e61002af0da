package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// AU18: a session cookie on another kind of device leads to the sign-in page, and
// its owner stays signed in.
func TestAU18StolenCookieOnAnotherDevice(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.agent = firefox
	b.callback()
	for _, c := range []struct {
		agent string
		in    bool
	}{{firefox, true}, {strings.ReplaceAll(firefox, "139", "152"), true}, {iphone, false}, {"curl/8.14.1", false}, {"", false}, {firefox, true}} {
		r := b.get(authorizeURL(), "User-Agent", c.agent)
		if in := strings.HasPrefix(r.Header.Get("Location"), callback); in != c.in {
			t.Errorf("with %q: Location %q, signed in must be %v", c.agent, r.Header.Get("Location"), c.in)
		}
	}
	if !strings.Contains(h.log.String(), "account.session_moved") {
		t.Error("LG01: nothing is noted")
	}
}

// LG01: what happens to the tokens of a person is told once, with the name of the app.
func TestLG01PeopleAreToldWhatHappensToTheirTokens(t *testing.T) {
	var told []string
	h := newHouse(t, options{change: func(o *oauth.Options) {
		o.Tell = func(_ context.Context, userID string, what oauth.Told, clientID string) {
			told = append(told, fmt.Sprint(userID != "", " ", what, " ", clientID))
		}
	}})
	b := h.browser()
	first := b.callback("client_id", "web", "scope", "openid offline_access catalog.read")
	b.callback("client_id", "web", "scope", "openid offline_access catalog.read", "prompt", "login")
	send := func(change ...string) reply {
		f := url.Values{"client_id": {"web"}, "client_secret": {h.secret.Reveal()}}
		for i := 0; i < len(change); i += 2 {
			f.Set(change[i], change[i+1])
		}
		return b.post("/oauth/token", f)
	}
	m := send("grant_type", "authorization_code", "code", first.Get("code"), "code_verifier", verifier, "redirect_uri", callback).json(t)
	token, _ := m["refresh_token"].(string)
	for range 3 {
		m = send("grant_type", "refresh_token", "refresh_token", fmt.Sprint(m["refresh_token"])).json(t)
	}
	for range 2 { // three generations old
		wantStatus(t, send("grant_type", "refresh_token", "refresh_token", token), http.StatusBadRequest)
	}
	if got := strings.Join(told, ", "); got != "true connected web, true reused web" {
		t.Errorf("told: %s", got)
	}
}

// LG03: whatever people do, at the finest level of the log they are an account ID:
// no name, address, device or place, and nothing that proves them.
func TestLG03LogsNamePeopleByAccountIDAlone(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.agent = firefox
	b.submit(b.loginPage("login_hint", "ada@example.com"), "username", "ada", "password", "not the password of ada")
	code := b.callback("login_hint", "ada@example.com").Get("code")
	first := b.cookie("__Host-sallyport")
	ticket := b.cookie("__Host-sallyport-browser")
	for _, page := range []string{"/account", "/account/security", "/account/security/password", "/account/events", "/account/sessions", "/account/apps", "/account/linked", "/device", "/oauth/logout"} {
		b.get(page)
		b.get(page, "User-Agent", iphone) // a session that is moved
	}
	other := h.browser() // a new device
	other.agent = iphone
	m := other.tokens()
	log := h.log.String()
	for _, event := range []string{"login.failed", "login.succeeded", "account.new_device", "account.session_moved", h.user.ID} {
		if !strings.Contains(log, event) {
			t.Errorf("LG01: the walk has no %s", event)
		}
	}
	for what, s := range map[string]string{
		"username": `"ada"`, "display name": "Ada L", "address": "ada@example", "device": "Firefox", "system": "iPhone", "user agent": "Mozilla",
		"password": password, "wrong password": "not the password", "code": code, "session": first, "browser": ticket,
		"access token": fmt.Sprint(m["access_token"]), "verifier": verifier,
	} {
		if s == "" || s == "<nil>" {
			t.Errorf("the walk has no %s", what)
		} else if strings.Contains(log, s) {
			t.Errorf("the log has the %s", what)
		}
	}
}

// AU04 AP02: while one password is tried at many accounts, whoever has it and no
// second factor proves by mail that it is theirs, except in their own browser.
func TestAU04StuffingAsksForACodeByMail(t *testing.T) {
	h := mailHouse(t)
	own := h.browser()
	own.callback()
	for i := range 10 {
		v := account.Visit{Remote: netip.MustParseAddr(fmt.Sprintf("198.51.%d.1", i))}
		if _, err := h.accounts.SignIn(t.Context(), v, fmt.Sprint("somebody", i), secret.New(password)); err == nil {
			t.Fatal("a stranger is signed in")
		}
	}
	h.mails()
	b := h.browser()
	page := b.signIn()
	wantBody(t, "an unknown browser", page, `id="mailed"`)
	if b.signedInNow() {
		t.Fatal("the password alone was enough")
	}
	m := h.mail("danger_code")
	if m.Address != adasAddress || m.code == "" || m.link != "" {
		t.Errorf("the letter is %+v", m)
	}
	thief := h.browser()
	theirs := thief.signIn() // has a code of its own, which goes to ada as well
	h.mails()
	wantStatus(t, thief.submit(theirs, "code", m.code), http.StatusUnauthorized)
	if thief.signedInNow() {
		t.Error("a code counts in another browser")
	}
	wantStatus(t, b.submit(page, "code", "00000000"), http.StatusUnauthorized)
	page = b.follow(b.submit(page, "code", m.code))
	if !b.signedInNow() {
		t.Errorf("the code does not count: status %d", page.StatusCode)
	}
	own.submit(own.loginPage("prompt", "login"), "username", "ada", "password", password)
	if !own.signedInNow() {
		t.Error("the pair, her own browser: asked for more")
	}
	if !strings.Contains(h.log.String(), "login.stuffing") && !h.accounts.Stuffing() {
		t.Error("nobody sees it")
	}
}

// LG03: nor does the log have anything of the other ways to sign in: authenticator
// apps, recovery codes, passkeys, codes and links by mail, new passwords.
func TestLG03LogsHaveNothingThatProvesAPerson(t *testing.T) {
	h := mailHouse(t)
	typed := map[string]string{"address": adasAddress, "new password": fresh}
	b := h.browser()
	key, page := b.setUp(b.signedInFor(authenticatorPage), "Ada's telephone")
	typed["key of the app"], typed["name of the app"] = key, "telephone"
	codes := codesOn(page)
	code := func() string { h.clock.advance(30 * time.Second); return totp(t, key, h.clock.now()) }
	other := h.browser()
	typed["code of the app"] = code()
	wantBody(t, "a code", other.withCode(other.signIn(), typed["code of the app"]), `id="allow"`)
	typed["wrong code"] = "19283746"
	wrong := h.browser()
	wrong.withCode(wrong.signIn(), typed["wrong code"])
	lost := h.browser()
	typed["recovery code"] = codes[0]
	wantBody(t, "a recovery code", lost.withCode(lost.signIn(), codes[0]), `id="allow"`)

	action, options, fields := b.passkeyForm(b.follow(b.get(passkeysPage)))
	fields.Set("name", "Ada's key ring")
	p := &phone{}
	response := p.create(t, options)
	wantBody(t, "a passkey", b.follow(b.send(action, fields, response)), `id="done"`)
	typed["name of the passkey"], typed["answer of the passkey"] = "key ring", response[len(response)/3:2*len(response)/3]
	again := h.browser()
	action, options, fields = again.passkeyForm(again.loginPage())
	signed := p.sign(t, options)
	wantBody(t, "a passkey", again.follow(again.send(action, fields, signed)), `id="allow"`)
	typed["signature of the passkey"] = signed[len(signed)/3 : 2*len(signed)/3]

	back := h.browser()
	page = back.follow(back.submit(back.get("/login/recover"), "name", "ada"))
	m := h.mail("recover_code")
	typed["code by mail"], typed["link by mail"] = m.code, m.link
	page = back.follow(back.submit(page, "code", m.code))
	page = back.follow(back.submitDo(page, "factor", "factor", codes[1]))
	wantBody(t, "two proofs", page, `id="set_password"`)
	back.follow(back.submitDo(page, "password", "password", fresh))
	if !h.passwordIs(fresh) {
		t.Fatal("the recovery did not end with a new password")
	}
	typed["second recovery code"] = codes[1]

	log := h.log.String()
	for what, s := range typed {
		if s == "" {
			t.Errorf("the walk has no %s", what)
		} else if strings.Contains(log, s) {
			t.Errorf("the log has the %s", what)
		}
	}
	for _, event := range []string{"login.succeeded", h.user.ID} {
		if !strings.Contains(log, event) {
			t.Errorf("LG01: the walk has no %s", event)
		}
	}
}
