package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sallyport/internal/oauth"
)

var chosen = regexp.MustCompile(`<input name="(return|csrf)" type="hidden" value="([^"]*)">`)

// pick chooses a language at the foot of a page, with another return if change
// names one.
func (b *browser) pick(page reply, tag string, change ...string) reply {
	b.t.Helper()
	form := url.Values{"language": {tag}}
	for _, m := range chosen.FindAllStringSubmatch(page.body, -1) {
		form.Set(m[1], strings.ReplaceAll(m[2], "&amp;", "&"))
	}
	if !form.Has("csrf") {
		b.t.Fatalf("no language can be chosen, status %d:\n%s", page.StatusCode, page.body)
	}
	for i := 0; i < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return b.post("/language", form, "Sec-Fetch-Site", "same-origin")
}

func TestALanguageIsChosenAndTheSignInGoesOn(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	login := b.loginPage("scope", "openid profile catalog.read")
	r := b.pick(login, "ar")
	wantStatus(t, r, http.StatusSeeOther)
	login = b.follow(r)
	if !strings.Contains(login.body, `<html lang="ar" dir="rtl">`) || login.Header.Get("Content-Language") != "ar" {
		t.Fatalf("the page is not in Arabic:\n%s", login.body)
	}
	consent := b.follow(b.submit(login, "username", "ada", "password", password))
	if !strings.Contains(consent.body, "هل تمنح <bdi>Shop</bdi> حق الوصول؟") || !strings.Contains(consent.body, "الاطّلاع على اسمك") {
		t.Errorf("the same browser gets the next page in another language:\n%s", consent.body)
	}
	if u, err := h.accounts.User(t.Context(), h.user.ID); err != nil || u.Locale != "" {
		t.Errorf("a language that was chosen before signing in is kept as %q, %v", u.Locale, err)
	}
	consent = b.follow(b.pick(consent, "de"))
	if !strings.Contains(consent.body, "Ihren Namen sehen") {
		t.Errorf("the consent page is not in German:\n%s", consent.body)
	}
	if u, err := h.accounts.User(t.Context(), h.user.ID); err != nil || u.Locale != "de" {
		t.Errorf("mails are written in %q, want what was chosen last: %v", u.Locale, err)
	}
	u, err := url.Parse(b.submit(consent, "decision", "allow").Header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" || u.Query().Get("state") != "st" {
		t.Errorf("the sign-in does not end at the app: %v %v", u, err)
	}
}

func TestTheLanguageOfAPage(t *testing.T) {
	h := newHouse(t, options{})
	for _, c := range []struct{ name, uiLocales, accept, want string }{
		{"nobody asks", "", "", "en"},
		{"the browser asks", "", "de-AT,en;q=0.5", "de"},
		{"the app knows the person", "ar", "de", "ar"},
		{"the app asks for what is not here", "fr", "de", "de"},
		{"ui_locales is hostile", "\"><script>", "ar", "ar"},
	} {
		page := h.browser().get(h.browser().get(authorizeURL("ui_locales", c.uiLocales)).Header.Get("Location"), "Accept-Language", c.accept)
		if !strings.Contains(page.body, `<html lang="`+c.want+`"`) {
			t.Errorf("%s: not in %s: %.200s", c.name, c.want, page.body)
		}
	}
}

// Whoever chooses a language comes back to a page of ours and goes nowhere else.
func TestBF11TheLanguagePickerIsNoOpenRedirect(t *testing.T) {
	b := newHouse(t, options{}).browser()
	page := b.get("/device")
	for _, evil := range []string{
		"//evil.example", `/\evil.example`, "/%09/evil.example", "/\t/evil.example", "https:evil.example", "https://evil.example/", "///evil.example", "",
		"evil.example", "//user@evil.example/login", "/login@evil.example", "/login/../../evil", "/login%2f..", "/device#x", "/device?x=\r\nSet-Cookie: a=b",
		`/device?x=\evil`, "/oauth/authorize?client_id=shop", "/oauth/token", "javascript:alert(1)", "/static/*", "/language", "\u2215evil", "/device\x00",
	} {
		if r := b.pick(page, "de", "return", evil); r.StatusCode != http.StatusBadRequest || r.Header.Get("Location") != "" || b.cookie("__Host-sallyport-language") != "" {
			t.Errorf("BF11 return=%q: status %d, Location %q", evil, r.StatusCode, r.Header.Get("Location"))
		}
	}
	if r := b.pick(page, "xx"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown language: status %d", r.StatusCode)
	}
	if r := b.pick(page, "de", "return", "/device?user_code=WDJB-MJHT"); r.Header.Get("Location") != "/device?user_code=WDJB-MJHT" {
		t.Errorf("BF11 a page of ours: status %d, Location %q", r.StatusCode, r.Header.Get("Location"))
	}
	if r := b.get("/login?language=ar&return=/device"); strings.Contains(r.body, `<html lang="ar"`) {
		t.Error("a link chooses a language")
	}
	if r := b.post("/language", url.Values{"language": {"ar"}, "return": {"/device"}}, "Sec-Fetch-Site", "cross-site"); r.StatusCode != http.StatusForbidden {
		t.Errorf("another site chooses a language: status %d", r.StatusCode)
	}
}

// What other sites write into an address of ours stays out of our pages' forms.
func TestNoPickerWhereOtherSitesSendBrowsers(t *testing.T) {
	page := newHouse(t, options{}).browser().get(authorizeURL("client_id", "nobody", "state", "their-state"))
	if strings.Contains(page.body, "/language") || strings.Contains(page.body, "their-state") {
		t.Errorf("the page repeats what it was asked:\n%s", page.body)
	}
}

func TestErrorsAreSaidInTheLanguageOfThePage(t *testing.T) {
	b := newHouse(t, options{}).browser()
	for _, c := range []struct{ name, address, words, code, detail string }{
		{"what people can act on", "/login", "Beginnen Sie in der App von vorn.", "invalid_request", ""},
		{"what only makers can", authorizeURL() + "&client_id=shop", "um etwas gebeten, das nicht möglich ist", "invalid_request", `lang="en" dir="ltr">client_id is repeated.<`},
	} {
		page := b.get(c.address, "Accept-Language", "de")
		if !strings.Contains(page.body, c.words) || !strings.Contains(page.body, `id="error">`+c.code+`<`) || !strings.Contains(page.body, c.detail) {
			t.Errorf("%s: %s", c.name, page.body)
		}
	}
	const device = "urn:ietf:params:oauth:grant-type:device_code"
	answer := b.post("/oauth/token", url.Values{"grant_type": {device}, "client_id": {"nobody"}}, "Accept-Language", "de").json(t)
	if text, _ := answer["error_description"].(string); text == "" || strings.ContainsAny(text, "äöü") {
		t.Errorf("error_description is %q, want English", text)
	}
}

// A name from strangers stands by itself in each language: it is cleaned, and its
// direction of writing turns nothing around it.
func TestAZ17HostileNamesAreIsolatedInEachLanguage(t *testing.T) {
	names := []struct{ id, registered, shown string }{
		{"a", "Shop\u202egnp.exe \u2067x\u2069", "Shopgnp.exe x"},
		{"b", "متجر 5 <b>", "متجر 5 &lt;b&gt;"},
		{"c", "</bdi><h1>Bank", "&lt;/bdi&gt;&lt;h1&gt;Bank"},
		{"d", "{person}", "{person}"},
	}
	var clients []oauth.Client
	for _, n := range names {
		clients = append(clients, oauth.Client{ID: n.id, Name: n.registered, Type: oauth.Native, Scope: "openid catalog.read", RedirectURIs: []string{callback}})
	}
	h := newHouse(t, options{clients: clients})
	for _, l := range []string{"en", "de", "ar"} {
		b := h.browser()
		for _, n := range names {
			login := b.loginPage("client_id", n.id, "ui_locales", l, "prompt", "login")
			consent := b.follow(b.submit(login, "username", "ada", "password", password))
			for _, page := range []reply{login, consent} {
				if !strings.Contains(page.body, `<html lang="`+l+`"`) {
					t.Fatalf("AZ17 %s: %.300s", l, page.body)
				}
				if found := strings.Count(page.body, n.shown); found == 0 || found != strings.Count(page.body, "<bdi>"+n.shown+"</bdi>") {
					t.Errorf("AZ17 %s: %q is shown %d times, not always by itself:\n%s", l, n.registered, found, page.body)
				}
			}
		}
	}
}
