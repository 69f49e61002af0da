package web_test

import (
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestSignInConsentAndCode(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	r := b.get(authorizeURL())
	wantStatus(t, r, http.StatusSeeOther)
	login := b.get(r.Header.Get("Location"))
	wantStatus(t, login, 200)
	r = b.submit(login, "username", "ada", "password", password)
	wantStatus(t, r, http.StatusSeeOther) // AZ13
	consent := b.get(r.Header.Get("Location"))
	wantStatus(t, consent, 200)
	r = b.submit(consent, "decision", "allow")
	wantStatus(t, r, http.StatusSeeOther)
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), callback+"?") {
		t.Fatalf("Location = %q", r.Header.Get("Location"))
	}
	q := u.Query()
	if q.Get("code") == "" || q.Get("state") != "st" || q.Get("iss") != issuer {
		t.Errorf("answer to the app: %v", q)
	}
	if r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("AZ15 headers of the redirect: %v", r.Header)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"shop"}, "code": {q.Get("code")}, "code_verifier": {verifier}, "redirect_uri": {callback}}
	r = b.post("/oauth/token", form)
	wantStatus(t, r, 200)
	if m := r.json(t); m["access_token"] == nil || m["token_type"] != "Bearer" || m["expires_in"] != 600.0 {
		t.Errorf("TK10 %v", m)
	}
	r = b.get(authorizeURL("state", "again"))
	if !strings.HasPrefix(r.Header.Get("Location"), callback+"?") {
		t.Errorf("somebody who is signed in and has agreed is asked again: %q", r.Header.Get("Location"))
	}
}

func TestDenyGoesBackToTheApp(t *testing.T) {
	b := newHouse(t, options{}).browser()
	r := b.submit(b.signIn(), "decision", "deny")
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || u.Query().Get("error") != "access_denied" || u.Query().Get("iss") != issuer {
		t.Errorf("Location = %q", r.Header.Get("Location"))
	}
	wantStatus(t, r, http.StatusSeeOther)
	wantStatus(t, b.submit(b.loginPage(), "decision", "maybe"), 400)
}

func TestAZ03NoRedirectToWhatIsNotTheClients(t *testing.T) {
	b := newHouse(t, options{}).browser()
	for name, change := range map[string][]string{
		"unknown client":             {"client_id", "nobody"},
		"no client":                  {"client_id", ""},
		"no redirect URI":            {"redirect_uri", ""},
		"a foreign redirect URI":     {"redirect_uri", "https://evil.example/cb"},
		"another path":               {"redirect_uri", callback + "/"},
		"a client that is a service": {"client_id", "job"},
	} {
		r := b.get(authorizeURL(change...))
		if r.StatusCode != 400 || r.Header.Get("Location") != "" || strings.Contains(strings.ToLower(r.body), "refresh") {
			t.Errorf("%s: status %d, Location %q", name, r.StatusCode, r.Header.Get("Location"))
		}
		if !strings.Contains(r.body, `<code id="error">`) || strings.Contains(r.body, "evil.example") {
			t.Errorf("%s: the page lacks the code, or shows the URI:\n%s", name, r.body)
		}
	}
}

func TestAZ07AZ08AuthorizeByGetAndPost(t *testing.T) {
	h := newHouse(t, options{})
	cases := []struct {
		name, method, query, body string
		status                    int
		location                  string // what it begins with
	}{
		{"GET", "GET", authorizeParams().Encode(), "", 303, "/login?flow="},
		{"POST from another site", "POST", "", authorizeParams().Encode(), 303, "/consent?flow="},
		{"AZ07 an unknown parameter", "GET", authorizeParams("foo", "bar").Encode(), "", 303, "/login?flow="},
		{"AZ07 an empty parameter is absent", "GET", authorizeParams().Encode() + "&prompt=", "", 303, "/login?flow="},
		{"AZ07 two client_id", "GET", authorizeParams().Encode() + "&client_id=shop", "", 400, ""},
		{"AZ07 two redirect_uri", "GET", authorizeParams().Encode() + "&redirect_uri=" + url.QueryEscape(callback), "", 400, ""},
		{"AZ07 two state", "GET", authorizeParams().Encode() + "&state=x", "", 303, callback + "?error=invalid_request"},
		{"AZ07 an empty one repeated", "GET", authorizeParams().Encode() + "&nonce=", "", 303, callback + "?error=invalid_request"},
		{"AZ07 client_id in query and body", "POST", "client_id=shop", authorizeParams().Encode(), 400, ""},
		{"AZ07 state in query and body", "POST", "state=st", authorizeParams().Encode(), 303, callback + "?error=invalid_request"},
		{"AZ08 a body with GET", "GET", authorizeParams().Encode(), "a=b", 400, ""},
		{"AZ08 PUT", "PUT", authorizeParams().Encode(), "", 405, ""},
		{"AZ08 HEAD", "HEAD", authorizeParams().Encode(), "", 405, ""},
		{"a bad escape", "GET", authorizeParams().Encode() + "&x=%zz", "", 400, ""},
		{"not UTF-8", "GET", authorizeParams().Encode() + "&state=%ff", "", 400, ""},
		{"too long", "GET", authorizeParams().Encode() + "&x=" + strings.Repeat("a", 33<<10), "", 414, ""},
		{"AZ04 implicit", "GET", authorizeParams("response_type", "token").Encode(), "", 303, callback + "?error=unsupported_response_type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := h.browser()
			address := "/oauth/authorize"
			if c.query != "" {
				address += "?" + c.query
			}
			r := b.do(b.request(c.method, address, c.body, "Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com"))
			wantStatus(t, r, c.status)
			if got := r.Header.Get("Location"); !strings.HasPrefix(got, c.location) || c.location == "" && got != "" {
				t.Errorf("Location = %q, want %q…", got, c.location)
			}
			if r.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("AZ09 other origins may read the answer")
			}
		})
	}
}

// A POST of another site comes without our cookies (SameSite=Lax). Who is
// signed in must be seen all the same.
func TestAZ08PostSeesWhoIsSignedIn(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.callback()
	stranger := h.browser() // sends no cookie, as a browser would
	r := stranger.post("/oauth/authorize", authorizeParams("prompt", "none"), "Sec-Fetch-Site", "cross-site")
	r = b.get(r.Header.Get("Location"))
	if !strings.HasPrefix(r.Header.Get("Location"), callback+"?code=") {
		t.Errorf("prompt=none by POST leads to %q", r.Header.Get("Location"))
	}
}

func TestAZ14StateIsHostileText(t *testing.T) {
	h := newHouse(t, options{})
	for name, state := range map[string]string{
		"long": strings.Repeat("s", 1000), "markup": `"><script>alert(1)</script>`, "lines": "a\r\nSet-Cookie: x=y\r\n", "unicode": "žluťoučký 🐎 \u2028",
	} {
		b := h.browser()
		page := b.signIn("state", state, "prompt", "consent")
		if strings.Contains(page.body, "alert(1)") {
			t.Errorf("%s: the page shows it", name)
		}
		r := b.submit(page, "decision", "allow")
		u, err := url.Parse(r.Header.Get("Location"))
		if err != nil || u.Query().Get("state") != state {
			t.Errorf("%s: state = %q, %v", name, u.Query().Get("state"), err)
		}
		if len(r.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: a header was split", name)
		}
		page = b.get(authorizeURL("client_id", "nobody", "state", state))
		if strings.Contains(page.body, "alert(1)") {
			t.Errorf("%s: the error page shows it", name)
		}
	}
}

func TestAZ19PromptsAreKept(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	r := b.get(authorizeURL("prompt", "none"))
	if !strings.HasPrefix(r.Header.Get("Location"), callback+"?error=login_required") {
		t.Errorf("prompt=none, nobody signed in: %d %q", r.StatusCode, r.Header.Get("Location"))
	}
	b.callback()
	for _, change := range [][]string{{"prompt", "login"}, {"max_age", "5"}, {"max_age", "0"}} {
		h.clock.advance(10 * time.Second)
		page := b.follow(b.get(authorizeURL(change...)))
		if !strings.Contains(page.body, `id="login"`) {
			t.Errorf("%v shows no login page: %d %.200s", change, page.StatusCode, page.body)
			continue
		}
		r := b.follow(b.submit(page, "username", "ada", "password", password))
		if !strings.HasPrefix(r.Header.Get("Location"), callback+"?code=") {
			t.Errorf("%v after a fresh sign-in: %d %q", change, r.StatusCode, r.Header.Get("Location"))
		}
	}
	page := b.follow(b.get(authorizeURL("prompt", "consent")))
	if !strings.Contains(page.body, `id="allow"`) {
		t.Errorf("prompt=consent does not ask: %d", page.StatusCode)
	}
}

func TestAZ23FormsAreProtected(t *testing.T) {
	h := newHouse(t, options{})
	mallory := h.browser()
	theirs := mallory.loginPage()
	_, theirForm := mallory.form(theirs)
	sameOrigin := []string{"Sec-Fetch-Site", "same-origin"}
	login := func(b *browser, change func(url.Values), header []string) reply {
		action, fields := b.form(b.loginPage())
		fields.Set("username", "ada")
		fields.Set("password", password)
		change(fields)
		return b.post(action, fields, header...)
	}
	keep := func(url.Values) {}
	for name, c := range map[string]struct {
		change func(url.Values)
		header []string
	}{
		"a form of another site":        {keep, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}},
		"a form of a sibling":           {keep, []string{"Sec-Fetch-Site", "same-site", "Origin", "https://other.example.com"}},
		"an old browser, another site":  {keep, []string{"Origin", "https://evil.example"}},
		"no token":                      {func(v url.Values) { v.Del("csrf") }, sameOrigin},
		"a changed token":               {flip, sameOrigin},
		"a token of another browser":    {func(v url.Values) { v.Set("csrf", theirForm.Get("csrf")) }, sameOrigin},
		"request and token of another":  {func(v url.Values) { v.Set("csrf", theirForm.Get("csrf")); v.Set("flow", theirForm.Get("flow")) }, sameOrigin},
		"a token for another request":   {func(v url.Values) { v.Set("flow", theirForm.Get("flow")) }, sameOrigin},
		"a token that is not base64":    {func(v url.Values) { v.Set("csrf", "%%%") }, sameOrigin},
		"login CSRF without any cookie": {func(v url.Values) { v.Set("csrf", theirForm.Get("csrf")); v.Set("flow", theirForm.Get("flow")) }, nil},
	} {
		t.Run("login: "+name, func(t *testing.T) {
			b := h.browser()
			r := login(b, c.change, c.header)
			wantStatus(t, r, http.StatusForbidden)
			if b.cookie("__Host-sallyport") != "" {
				t.Error("the person is signed in")
			}
		})
	}
	b := h.browser()
	if r := login(b, keep, nil); r.StatusCode != 303 {
		t.Errorf("an old browser that says nothing: status %d", r.StatusCode)
	}

	consent := b.follow(b.get(authorizeURL()))
	_, fields := b.form(consent)
	fields.Set("decision", "allow")
	stranger := h.browser()
	theirConsent := stranger.signIn()
	_, foreign := stranger.form(theirConsent)
	for name, v := range map[string]url.Values{
		"no token":                {"flow": fields["flow"], "decision": {"allow"}},
		"of the login page":       {"flow": fields["flow"], "decision": {"allow"}, "csrf": theirForm["csrf"]},
		"of another person":       {"flow": fields["flow"], "decision": {"allow"}, "csrf": foreign["csrf"]},
		"all of another person's": {"flow": foreign["flow"], "decision": {"allow"}, "csrf": foreign["csrf"]},
	} {
		if r := b.post("/consent", v, sameOrigin...); r.StatusCode != http.StatusForbidden || r.Header.Get("Location") != "" {
			t.Errorf("consent with a token: %s: status %d to %q", name, r.StatusCode, r.Header.Get("Location"))
		}
	}
	if r := b.get("/consent?" + fields.Encode()); r.Header.Get("Location") != "" {
		t.Errorf("GET approves: %q", r.Header.Get("Location"))
	}
	if r := b.post("/consent", fields, sameOrigin...); r.StatusCode != 303 {
		t.Errorf("the right form: status %d", r.StatusCode)
	}

	// A consent page that was open while somebody else signed in says nothing for them.
	consent = b.follow(b.get(authorizeURL("prompt", "consent")))
	_, fields = b.form(consent)
	fields.Set("decision", "allow")
	b.submit(b.loginPage("prompt", "login"), "username", "ada", "password", password)
	if r := b.post("/consent", fields, sameOrigin...); r.StatusCode != http.StatusForbidden {
		t.Errorf("a form of the session before: status %d", r.StatusCode)
	}
}

// flip changes the first character of a token and keeps it base64url.
func flip(v url.Values) {
	c := v.Get("csrf")
	first := byte('A')
	if c[0] == first {
		first = 'B'
	}
	v.Set("csrf", string(first)+c[1:])
}

func TestAZ24PendingRequestsFillNothing(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range 50 {
		b.get(authorizeURL())
	}
	before := heap()
	for range 3000 {
		b.get(authorizeURL())
	}
	if grown := int64(heap()) - int64(before) - int64(len(h.log.String())); grown > 2<<20 {
		t.Errorf("3000 started sign-ins hold %d KiB", grown>>10)
	}
}

func TestAU05EveryFailedSignInLooksAlike(t *testing.T) {
	h := newHouse(t, options{})
	if err := h.accounts.SetDisabled(t.Context(), h.user.ID, false); err != nil {
		t.Fatal(err)
	}
	try := func(name, pw string) reply {
		b := h.browser()
		return b.submit(b.loginPage(), "username", name, "password", pw)
	}
	wrong, unknown, strange, empty := try("ada", "wrong"), try("nobody", "wrong"), try("\u202eno body", "wrong"), try("ada", "")
	if err := h.accounts.SetDisabled(t.Context(), h.user.ID, true); err != nil {
		t.Fatal(err)
	}
	disabled := try("ada", password)
	for name, r := range map[string]reply{"wrong": wrong, "unknown": unknown, "strange": strange, "empty": empty, "disabled": disabled} {
		if r.StatusCode != http.StatusUnauthorized || blank(r.body) != blank(wrong.body) {
			t.Errorf("%s: status %d:\n%s", name, r.StatusCode, r.body)
		}
		if len(r.Header["Set-Cookie"]) != 0 {
			t.Errorf("%s sets a cookie", name)
		}
	}
	if strings.Contains(try(password, password).body, password) {
		t.Error("LG03 what was typed into the wrong field is shown")
	}
}

func blank(page string) string {
	return asked.ReplaceAllString(formMAC.ReplaceAllString(sealed.ReplaceAllString(page, ""), ""), "")
}

func TestThrottledSignInSaysWhen(t *testing.T) {
	b := newHouse(t, options{}).browser()
	page := b.loginPage()
	var r reply
	for range 12 {
		if r = b.submit(page, "username", "ada", "password", "wrong"); r.StatusCode != http.StatusUnauthorized {
			break
		}
		page = r
	}
	wantStatus(t, r, http.StatusTooManyRequests)
	if r.Header.Get("Retry-After") == "" || !strings.Contains(r.body, `role="alert"`) || !strings.Contains(r.body, `id="login"`) {
		t.Errorf("headers %v:\n%s", r.Header, r.body)
	}
}

func TestAU13NewSessionAtEachSignIn(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	planted := strings.Repeat("x", 60)
	b.jar.SetCookies(mustURL(t, issuer), []*http.Cookie{{Name: "__Host-sallyport", Value: planted, Secure: true, Path: "/"}})
	b.callback()
	first := b.cookie("__Host-sallyport")
	if first == planted || first == "" {
		t.Fatalf("the session is %q", first)
	}
	b.submit(b.loginPage("prompt", "login"), "username", "ada", "password", password)
	second := b.cookie("__Host-sallyport")
	if second == first {
		t.Error("the session is the same after a new sign-in")
	}
	old := h.browser()
	r := old.get(authorizeURL(), "Cookie", "__Host-sallyport="+first)
	if !strings.HasPrefix(r.Header.Get("Location"), "/login?") {
		t.Errorf("the old session still works: %q", r.Header.Get("Location"))
	}
}

func TestCookiesAreTheHostsAlone(t *testing.T) {
	b := newHouse(t, options{}).browser()
	login := b.loginPage()
	r := b.submit(login, "username", "ada", "password", password)
	for _, c := range append(login.Cookies(), r.Cookies()...) {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %s", c.Name)
		}
	}
	if len(login.Cookies()) != 1 || len(r.Cookies()) != 2 { // the session, and the browser for longer
		t.Errorf("cookies: %v, then %v", login.Cookies(), r.Cookies())
	}
}

func TestG22TwoSessionCookiesAreRefused(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.callback()
	session := b.cookie("__Host-sallyport")
	for _, name := range []string{"__Host-sallyport", "__Host-sallyport-browser"} {
		r := h.browser().get(b.get(authorizeURL("prompt", "consent")).Header.Get("Location"), "Cookie", "__Host-sallyport="+session+"; "+name+"=a; "+name+"=b")
		if r.StatusCode != 400 || r.Header.Get("Location") != "" {
			t.Errorf("two of %s: status %d, %q", name, r.StatusCode, r.Header.Get("Location"))
		}
	}
}

func TestRV11RV12Logout(t *testing.T) {
	h := newHouse(t, options{})
	const bye = "https://app.example.com/bye"
	start := func() (*browser, map[string]any) {
		b := h.browser()
		return b, b.tokens()
	}
	signedIn := func(b *browser) bool {
		return !strings.HasPrefix(b.get(authorizeURL("client_id", "web")).Header.Get("Location"), "/login?")
	}
	active := func(tok any) bool {
		return strings.Contains(h.browser().post("/oauth/introspect", url.Values{
			"client_id": {"rs"}, "client_secret": {h.secret.Reveal()}, "token": {tok.(string)},
		}).body, `"active":true`)
	}
	query := func(pairs ...string) string {
		q := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		return "/oauth/logout?" + q.Encode()
	}
	t.Run("RV11 without a hint the person is asked", func(t *testing.T) {
		b, tok := start()
		page := b.get("/oauth/logout?post_logout_redirect_uri=" + url.QueryEscape(bye))
		if !strings.Contains(page.body, `id="confirm"`) || !signedIn(b) || !active(tok["access_token"]) {
			t.Fatalf("an image could sign out: %d", page.StatusCode)
		}
		r := b.submit(page)
		if r.StatusCode != 303 || r.Header.Get("Location") != "/oauth/logout" {
			t.Errorf("RV12 redirected without a hint to %q", r.Header.Get("Location"))
		}
		if page = b.follow(r); !strings.Contains(page.body, "You are signed out") || b.cookie("__Host-sallyport") != "" {
			t.Errorf("after logout: %s", page.body)
		}
		if signedIn(b) || active(tok["access_token"]) {
			t.Error("the session or its token lives on")
		}
	})
	t.Run("RV11 with a hint for the person it is done", func(t *testing.T) {
		b, tok := start()
		h.clock.advance(2 * time.Hour / 4)
		r := b.get(query("id_token_hint", tok["id_token"].(string), "post_logout_redirect_uri", bye, "state", "s"))
		if r.StatusCode != 303 || r.Header.Get("Location") != bye+"?state=s" {
			t.Errorf("status %d to %q", r.StatusCode, r.Header.Get("Location"))
		}
		if signedIn(b) || active(tok["access_token"]) {
			t.Error("the session or its token lives on")
		}
	})
	t.Run("RV11 by POST of another site, without cookies", func(t *testing.T) {
		b, tok := start()
		r := h.browser().post("/oauth/logout", url.Values{"id_token_hint": {tok["id_token"].(string)}, "post_logout_redirect_uri": {bye}},
			"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com")
		if r.StatusCode != 303 || strings.Contains(r.Header.Get("Location"), tok["id_token"].(string)) {
			t.Fatalf("status %d to %q", r.StatusCode, r.Header.Get("Location"))
		}
		r = b.get(r.Header.Get("Location"))
		if r.Header.Get("Location") != bye || signedIn(b) {
			t.Errorf("status %d to %q", r.StatusCode, r.Header.Get("Location"))
		}
	})
	t.Run("RV12 a foreign post_logout_redirect_uri is an error", func(t *testing.T) {
		b, tok := start()
		for _, uri := range []string{bye + "?x=1", "https://evil.example/", bye + "/"} {
			r := b.get(query("id_token_hint", tok["id_token"].(string), "post_logout_redirect_uri", uri))
			if r.StatusCode != 400 || r.Header.Get("Location") != "" {
				t.Errorf("%s: status %d to %q", uri, r.StatusCode, r.Header.Get("Location"))
			}
		}
		if !signedIn(b) {
			t.Error("an error signed out")
		}
	})
	t.Run("AZ23 the confirmation is protected", func(t *testing.T) {
		b, _ := start()
		_, fields := b.form(b.get("/oauth/logout"))
		_, other := b.form(b.loginPage("prompt", "login"))
		for name, c := range map[string]struct{ csrf, site string }{
			"another page's token": {other.Get("csrf"), "same-origin"},
			"no valid token":       {"AAAA", "same-origin"},
			"another site":         {fields.Get("csrf"), "cross-site"},
		} {
			r := b.post("/oauth/logout", url.Values{"flow": fields["flow"], "csrf": {c.csrf}}, "Sec-Fetch-Site", c.site)
			if r.StatusCode != http.StatusForbidden || !signedIn(b) {
				t.Errorf("%s: status %d, signed in %v", name, r.StatusCode, signedIn(b))
			}
		}
	})
	t.Run("a link that is too old", func(t *testing.T) {
		b, _ := start()
		page := b.get("/oauth/logout")
		h.clock.advance(31 * time.Minute)
		wantStatus(t, b.submit(page), 400)
	})
	t.Run("nobody is signed in", func(t *testing.T) {
		r := h.browser().get("/oauth/logout")
		if r.StatusCode != 200 || !strings.Contains(r.body, "You are signed out") {
			t.Errorf("status %d: %s", r.StatusCode, r.body)
		}
	})
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestPagesWithoutARequest(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	for _, address := range []string{"/login", "/consent", "/login?flow=x", "/consent?flow=spfl_x", "/oauth/logout?flow=x"} {
		wantStatus(t, b.get(address), 400)
	}
	login := b.get(authorizeURL()).Header.Get("Location")
	h.clock.advance(31 * time.Minute)
	wantStatus(t, b.get(login), 400)
}
