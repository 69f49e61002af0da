package web_test

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	securityPage      = "/account/security"
	authenticatorPage = securityPage + "/authenticator"
	codesPage         = securityPage + "/recovery-codes"
	passwordPage      = securityPage + "/password"
)

// totp is the code that an app shows, from what the page gives it.
func totp(t testing.TB, key string, at time.Time) string {
	t.Helper()
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(key, " ", ""))
	if err != nil || len(seed) != 20 {
		t.Fatalf("key %q: %v, %d bytes", key, err, len(seed))
	}
	mac := hmac.New(sha1.New, seed)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1000000)
}

var (
	shownKey  = regexp.MustCompile(`id="secret" dir="ltr">([^<]*)<`)
	shownCode = regexp.MustCompile(`<li>([0-9a-z-]{29})</li>`)
	goingOn   = regexp.MustCompile(`id="continue" class="button primary" href="([^"]*)"`)
)

// signedInFor opens a page of an account, signing in for it with what is asked.
func (b *browser) signedInFor(path string) reply {
	b.t.Helper()
	page := b.follow(b.get(path))
	if strings.Contains(page.body, `<button id="login"`) {
		page = b.follow(b.submit(page, "username", "ada", "password", password))
	}
	return page
}

// setUp adds an authenticator and returns its key and the page that answers.
func (b *browser) setUp(page reply, name string) (key string, answer reply) {
	b.t.Helper()
	page = b.follow(b.submit(page))
	found := shownKey.FindStringSubmatch(page.body)
	if found == nil {
		b.t.Fatalf("no key on the page, status %d:\n%s", page.StatusCode, page.body)
	}
	return found[1], b.submit(page, "name", name, "do", "confirm", "code", totp(b.t, found[1], b.clock.now()))
}

// withCode answers the question for a second factor.
func (b *browser) withCode(page reply, code string) reply {
	b.t.Helper()
	return b.follow(b.submit(page, "code", code))
}

func codesOn(page reply) (list []string) {
	for _, m := range shownCode.FindAllStringSubmatch(page.body, -1) {
		list = append(list, m[1])
	}
	return list
}

func wantBody(t testing.TB, what string, page reply, marks ...string) {
	t.Helper()
	for _, mark := range marks {
		if !strings.Contains(page.body, mark) {
			t.Errorf("%s: status %d, lacks %s:\n%s", what, page.StatusCode, mark, page.body)
		}
	}
}

// drawnAnew are the parts of pages that are never the same twice.
var drawnAnew = []struct {
	text *regexp.Regexp
	with string
}{
	{shownKey, `id="secret" dir="ltr">KEY<`},
	{shownCode, `<li>CODE</li>`},
	{regexp.MustCompile(`secret=[A-Z2-7]{32}`), "secret=KEY"},
	{regexp.MustCompile(`fill="#000000" d="[^"]*"`), `fill="#000000" d="QR"`},
	{regexp.MustCompile(`(name="id"(?: type="hidden")?) value="[^"]*"`), `$1 value="ID"`},
}

// factorPages walks to every page of what people sign in with.
func factorPages(t *testing.T, tag string) map[string]reply {
	t.Helper()
	h := newHouse(t, options{language: tag})
	b := h.browser()
	list := map[string]reply{}
	list["security"] = b.signedInFor(securityPage)
	list["recovery_codes_early"] = b.signedInFor(codesPage)
	list["authenticator"] = b.get(authenticatorPage)
	list["authenticator_setting"] = b.follow(b.submit(list["authenticator"]))
	list["authenticator_wrong"] = b.submit(list["authenticator_setting"], "do", "confirm", "name", "Phone", "code", "1")
	key := shownKey.FindStringSubmatch(list["authenticator_wrong"].body)[1]
	list["recovery_codes_new"] = b.submit(list["authenticator_wrong"], "do", "confirm", "name", "Phone", "code", totp(t, key, h.clock.now()))
	list["authenticator_list"] = b.get(authenticatorPage + "?done=added")
	list["recovery_codes"] = b.get(codesPage)
	list["security_set"] = b.get(securityPage)
	h.clock.advance(time.Minute)
	other := h.browser()
	list["second_code"] = other.signIn()
	list["password"] = b.withCode(b.signedInFor(passwordPage), totp(t, key, h.clock.now()))
	list["password_refused"] = b.submit(list["password"], "new_password", "short", "repeat", "short")
	return list
}

// A person sets up an app, is asked for its code from then on, loses it and gets in
// with a recovery code.
func TestAU07AU08SecondFactorFromSetUpToLoss(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	page := b.signedInFor(authenticatorPage)
	wantBody(t, "nothing yet", page, `id="start"`)
	key, page := b.setUp(page, "Phone")
	wantBody(t, "the first app", page, "Your authenticator app is set up", `id="codes"`)
	codes := codesOn(page)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes, want 10:\n%s", len(codes), page.body)
	}
	if strings.Contains(page.body, `name="language"`) {
		t.Error("the codes could be lost by choosing a language")
	}
	page = b.get(goingOn.FindStringSubmatch(page.body)[1])
	wantBody(t, "overview", page, "One app.", "10 codes left.")
	if strings.Contains(page.body, "notice warn") {
		t.Errorf("there is nothing to warn of:\n%s", page.body)
	}

	code := func() string { h.clock.advance(30 * time.Second); return totp(t, key, h.clock.now()) }
	other := h.browser()
	page = other.signIn()
	wantBody(t, "AU06 a password alone", page, `id="verify"`, `id="use_recovery"`)
	used := code()
	before := totp(t, key, h.clock.now().Add(-30*time.Second))
	if page = other.withCode(page, used); page.StatusCode != http.StatusOK || !strings.Contains(page.body, `id="allow"`) {
		t.Fatalf("the right code: %d\n%s", page.StatusCode, page.body)
	}
	for what, c := range map[string]string{
		"AU07 the same code twice":         used,
		"AU07 the code of the step before": before,
		"AU07 by a clock that goes fast":   totp(t, key, h.clock.now().Add(65*time.Second)),
		"AU07 by a clock that goes slow":   totp(t, key, h.clock.now().Add(-65*time.Second)),
	} {
		third := h.browser()
		if page := third.withCode(third.signIn(), c); page.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d", what, page.StatusCode)
		}
		h.clock.advance(time.Hour) // no delay is left
		used = code()
		if page := third.withCode(third.signIn(), used); !strings.Contains(page.body, `id="allow"`) {
			t.Errorf("the pair of %s: status %d", what, page.StatusCode)
		}
	}

	lost := h.browser()
	page = lost.signIn()
	page = lost.get(html.UnescapeString(regexp.MustCompile(`id="use_recovery" href="([^"]*)"`).FindStringSubmatch(page.body)[1]))
	wantBody(t, "the other way", page, `id="recovery_code"`)
	if page = lost.withCode(page, strings.ToUpper(codes[3])); !strings.Contains(page.body, `id="allow"`) {
		t.Fatalf("a recovery code: %d\n%s", page.StatusCode, page.body)
	}
	again := h.browser()
	if page := again.withCode(again.signIn(), codes[3]); page.StatusCode != http.StatusUnauthorized {
		t.Errorf("AU08 a recovery code twice: status %d", page.StatusCode)
	}
	if page := again.withCode(again.signIn(), codes[4]); !strings.Contains(page.body, `id="allow"`) {
		t.Errorf("another one: status %d", page.StatusCode)
	}
}

// AU07 AU15: no page that changes how somebody signs in, or shows a secret of it,
// opens for a session that was not signed in for that.
func TestAU15FactorsAndPasswordNeedASignInOfTheirOwn(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.signIn() // to an app: a fresh session, and not for this
	for _, path := range []string{authenticatorPage, codesPage, passwordPage} {
		if page := b.follow(b.get(path)); !strings.Contains(page.body, `<button id="login"`) {
			t.Errorf("AU15 %s opens without a sign-in for it: %d\n%s", path, page.StatusCode, page.body)
		}
	}
	page := b.signedInFor(authenticatorPage)
	action, fields := b.form(page)
	post := func(path string, change ...string) reply {
		form := url.Values{}
		for k, v := range fields {
			form[k] = v
		}
		for i := 0; i < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		return b.post(path, form, "Sec-Fetch-Site", "same-origin", "Origin", "null")
	}
	if page := b.follow(b.get(passwordPage)); !strings.Contains(page.body, `<button id="login"`) {
		t.Error("AU15 AU20 a sign-in for factors changes the password")
	}
	h.clock.advance(5 * time.Minute) // as long as it counts
	if r := post(action, "do", "start"); r.StatusCode != http.StatusSeeOther || !strings.Contains(b.follow(r).body, `<button id="login"`) {
		t.Errorf("AU15 five minutes later: %d", r.StatusCode)
	}
	if list, err := h.store.Account().Authenticators(t.Context(), h.user.ID); err != nil || len(list) != 0 {
		t.Errorf("AU15 it was started all the same: %d, %v", len(list), err)
	}
	page = b.signedInFor(authenticatorPage)
	if key, answer := b.setUp(page, "Phone"); key == "" || !strings.Contains(answer.body, `id="codes"`) {
		t.Errorf("the pair: %d\n%s", answer.StatusCode, answer.body)
	}
}

// A code that is not right sets nothing up, and what was typed is still there.
func TestAU07AnAppCountsFromItsFirstRightCode(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	page := b.follow(b.submit(b.signedInFor(authenticatorPage)))
	key := shownKey.FindStringSubmatch(page.body)[1]
	wrong := totp(t, key, h.clock.now().Add(time.Hour))
	page = b.submit(page, "name", "<Old> phone", "do", "confirm", "code", wrong)
	if page.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code: status %d", page.StatusCode)
	}
	wantBody(t, "a wrong code", page, `id="problem"`, "&lt;Old&gt; phone", key)
	if f, _ := h.accounts.Factors(t.Context(), h.user.ID); f.Authenticators != 0 {
		t.Error("AU07 it counts without a right code")
	}
	if page := h.browser().signIn(); !strings.Contains(page.body, `id="allow"`) {
		t.Error("it is asked for without a right code")
	}
	for name, field := range map[string]string{"": "Give it a name.", strings.Repeat("x", 61): "at most 60 characters"} {
		page = b.submit(page, "name", name, "do", "confirm", "code", totp(t, key, h.clock.now()))
		wantBody(t, "the name "+name, page, field)
	}
	if r := b.submit(page, "do", "cancel"); strings.Contains(b.follow(r).body, `id="secret"`) {
		t.Error("cancelled, and it is still there")
	}
	page = b.follow(b.get(authenticatorPage))
	if again := b.follow(b.submit(page)); strings.Contains(again.body, key) {
		t.Error("the same key twice")
	}
	h.clock.advance(31 * time.Minute)
	page = b.signedInFor(authenticatorPage)
	if strings.Contains(page.body, `id="secret"`) {
		t.Error("a key is shown half an hour later")
	}
}

func TestRemovingAnAuthenticator(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	key, _ := b.setUp(b.signedInFor(authenticatorPage), "Phone")
	elsewhere := h.browser()
	h.clock.advance(30 * time.Second)
	if page := elsewhere.withCode(elsewhere.signIn(), totp(t, key, h.clock.now())); !strings.Contains(page.body, `id="allow"`) {
		t.Fatalf("elsewhere: %d", page.StatusCode)
	}
	page := b.get(authenticatorPage)
	wantBody(t, "the list", page, "<bdi>Phone</bdi>", `aria-label="Remove Phone"`)
	_, fields := b.form(page)
	list, err := h.accounts.Authenticators(t.Context(), h.user.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	page = b.follow(b.post(authenticatorPage, url.Values{"csrf": fields["csrf"], "flow": {""}, "do": {"remove"}, "id": {list[0].ID}}, "Sec-Fetch-Site", "same-origin", "Origin", "null"))
	wantBody(t, "removed", page, "The authenticator app was removed")
	if page := elsewhere.follow(elsewhere.get(securityPage)); !strings.Contains(page.body, `<button id="login"`) {
		t.Error("whoever has the app is still signed in elsewhere")
	}
	page = b.get(securityPage)
	wantBody(t, "here", page, `id="no_second"`, "Codes on paper") // and its recovery codes are gone, too
	if page := h.browser().signIn(); !strings.Contains(page.body, `id="allow"`) {
		t.Error("it is still asked for")
	}
	events, err := h.accounts.Events(t.Context(), h.user.ID)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, string(e.Kind))
	}
	for _, want := range []account.EventKind{account.FactorAdded, account.RecoveryCodesMade, account.FactorRemoved} {
		if !strings.Contains(strings.Join(kinds, " "), string(want)) {
			t.Errorf("AU16 nobody is told of %s: %v", want, kinds)
		}
	}
}

func TestAU08RecoveryCodesAreShownOnce(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	page := b.signedInFor(codesPage)
	wantBody(t, "without a factor", page, `id="no_factor"`)
	_, page = b.setUp(b.get(authenticatorPage), "Phone")
	old := codesOn(page)
	page = b.get(codesPage)
	wantBody(t, "the page", page, "You have 10 codes left.", `id="make"`)
	if len(codesOn(page)) > 0 {
		t.Error("AU08 codes are shown again")
	}
	fresh := codesOn(b.submit(page))
	if len(fresh) != 10 {
		t.Fatalf("%d new codes", len(fresh))
	}
	for _, c := range fresh {
		if strings.Contains(strings.Join(old, " "), c) || strings.ContainsAny(c, "ilou") {
			t.Errorf("AU08 the code %q", c)
		}
	}
	other := h.browser()
	if page := other.withCode(other.signIn(), old[0]); page.StatusCode != http.StatusUnauthorized {
		t.Errorf("AU08 an old code: %d", page.StatusCode)
	}
	for _, c := range fresh[:7] {
		if page := other.withCode(other.loginWithPassword(), c); !strings.Contains(page.body, `id="allow"`) && page.StatusCode != http.StatusOK {
			t.Fatalf("a new code: %d\n%s", page.StatusCode, page.body)
		}
	}
	wantBody(t, "three are left", b.get(securityPage), `id="few_codes"`, "You have 3 recovery codes left")
}

// loginWithPassword signs in anew in a browser that may be signed in.
func (b *browser) loginWithPassword() reply {
	b.t.Helper()
	return b.follow(b.submit(b.loginPage("prompt", "login"), "username", "ada", "password", password))
}

func TestAU15ChangingThePassword(t *testing.T) {
	h := newHouse(t, options{})
	b, other := h.browser(), h.browser()
	tokens := other.tokens()
	page := b.signedInFor(passwordPage)
	wantBody(t, "the page", page, "At least 15 characters", `autocomplete="new-password"`, `value="ada"`)
	const better = "copper lantern drifts west 41"
	for want, fill := range map[string][2]string{
		"The two are not the same":   {better, better + "x"},
		"This password is too short": {"short one", "short one"},
		"passwords that were stolen": {"passwordpassword", "passwordpassword"},
	} {
		page := b.submit(page, "new_password", fill[0], "repeat", fill[1])
		if page.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page.body, `id="problem"`) {
			t.Errorf("%s: %d\n%s", want, page.StatusCode, page.body)
		}
	}
	before := b.cookie("__Host-sallyport")
	page = b.follow(b.submit(page, "new_password", better, "repeat", better))
	wantBody(t, "changed", page, "Your password was changed", "Changed 24 November 2026")
	if after := b.cookie("__Host-sallyport"); after == "" || after == before {
		t.Error("AU13 the session has no new ID")
	}
	if page := b.follow(b.get(passwordPage)); !strings.Contains(page.body, `<button id="login"`) {
		t.Error("AU20 one sign-in changes the password twice")
	}
	if page := other.follow(other.get(securityPage)); !strings.Contains(page.body, `<button id="login"`) {
		t.Error("AU15 the other device is still signed in")
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {"web"}, "client_secret": {b.secret.Reveal()}, "refresh_token": {tokens["refresh_token"].(string)}}
	if r := other.post("/oauth/token", refresh); r.StatusCode != http.StatusBadRequest {
		t.Errorf("RV08 the app on the other device goes on: %d", r.StatusCode)
	}
	if _, err := h.accounts.SignIn(t.Context(), account.Visit{}, "ada", secret.New(password)); err == nil {
		t.Error("the old password works")
	}
	if p, err := h.accounts.SignIn(t.Context(), account.Visit{}, "ada", secret.New(better)); err != nil || !p.Done() {
		t.Errorf("the new password: %v", err)
	}
}

// Somebody who needs a second factor and has none sets one up on the way into the
// app, gets recovery codes, and goes on to where they wanted to be.
func TestAU06EnrolmentOnTheWayIntoAnApp(t *testing.T) {
	h := newHouse(t, options{change: func(o *oauth.Options) { o.MinACR = token.ACRMFA }})
	b := h.browser()
	page := b.follow(b.submit(b.loginPage(), "username", "ada", "password", password))
	link := regexp.MustCompile(`id="enrol_authenticator" class="button" href="([^"]*)"`).FindStringSubmatch(page.body)
	if link == nil {
		t.Fatalf("no way to set one up: %s\n%s", page.Request.URL, page.body)
	}
	before := b.cookie("__Host-sallyport")
	_, page = b.setUp(b.get(html.UnescapeString(link[1])), "Phone")
	if len(codesOn(page)) != 10 {
		t.Fatalf("no recovery codes: %d\n%s", page.StatusCode, page.body)
	}
	if b.cookie("__Host-sallyport") == before {
		t.Error("AU13 the session has no new ID")
	}
	page = b.follow(b.get(html.UnescapeString(goingOn.FindStringSubmatch(page.body)[1])))
	if claims := claimsOf(t, b.redeem(page)["id_token"].(string)); claims["acr"] != token.ACRMFA {
		t.Errorf("AU06 the ID token says %v", claims["acr"])
	}
	// The way in counts for its own session alone, and once.
	other := h.browser()
	other.follow(other.submit(other.loginPage(), "username", "ada", "password", password))
	if r := other.get(html.UnescapeString(link[1])); r.StatusCode != http.StatusSeeOther || strings.Contains(other.follow(r).body, `id="start"`) {
		t.Errorf("AU20 another browser sets up a factor with that link: %d", r.StatusCode)
	}
	if page := b.follow(b.get(html.UnescapeString(link[1]))); strings.Contains(page.body, `id="start"`) {
		t.Error("AU15 a second app without a sign-in for it")
	}
}
