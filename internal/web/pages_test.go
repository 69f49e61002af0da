package web_test

import (
	"flag"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	shots  = flag.String("pages", "", "write every page, its style and its icon into this folder, to be looked at")
)

// pages walks to every page there is.
func pages(t *testing.T) (*browser, map[string]reply) {
	t.Helper()
	return pagesIn(t, "en")
}

// pagesIn walks to every page in a language. Each part of the product has a walk of
// its own.
func pagesIn(t *testing.T, tag string) (*browser, map[string]reply) {
	t.Helper()
	h := newHouse(t, options{clients: append(deviceClients(), orderer, hostile), language: tag})
	b := h.browser()
	list := map[string]reply{}
	protocolPages(b, list)
	list["enrol"] = h.browser().signIn("acr_values", token.ACRMFA)
	maps.Copy(list, factorPages(t, tag))
	return b, list
}

func protocolPages(b *browser, list map[string]reply) {
	list["login"] = b.loginPage("login_hint", "ada")
	list["login_wrong"] = b.submit(list["login"], "username", "ada", "password", "wrong")
	list["consent"] = b.signIn("scope", "openid profile email catalog.read catalog.write")
	list["consent_unverified"] = b.follow(b.get(authorizeURL("redirect_uri", "com.example.shop:/cb")))
	list["consent_details"] = b.follow(b.get(authorizeURL("client_id", orderer.ID, "scope", "openid", "authorization_details", `[{"type":"order","item":"Tea, green","count":3}]`)))
	list["consent_hostile"] = b.follow(b.get(authorizeURL("client_id", hostile.ID, "redirect_uri", "https://evil.example/cb",
		"authorization_details", `[{"type":"order","item":"</dd><script>alert(1)</script>","count":1,"note":"`+strings.Repeat("long ", 49)+`long"}]`)))
	list["device"] = b.get("/device?user_code=WDJB-MJHT")
	list["device_wrong"] = b.submit(list["device"], "user_code", "BBBB-BBBB")
	list["device_consent"] = b.typeCode(b.askDevice()["user_code"].(string))
	b.clock.advance(time.Second) // events have an order
	list["device_done"] = b.submit(list["device_consent"], "decision", "allow")
	list["device_denied"] = b.submit(b.typeCode(b.askDevice()["user_code"].(string)), "decision", "deny")
	list["waiting_nothing"] = b.get("/ciba")
	b.clock.advance(time.Second)
	own := b.browser()
	list["passkeys"] = own.follow(own.submit(own.follow(own.get(passkeysPage)), "username", "ada", "password", password))
	accountPages(b, list)
	list["logout"] = b.get("/oauth/logout")
	list["signed_out"] = b.follow(b.submit(list["logout"]))
	list["error"] = b.get(authorizeURL("client_id", "nobody"))
	list["not_found"] = b.get("/oauth/nothing", "Accept", "text/html")
	list["embedded"] = b.get(authorizeURL(), "X-Requested-With", "com.example.shop")
}

var (
	typed   = regexp.MustCompile(`id="user_code">[A-Z]{4}-[A-Z]{4}<`)
	sealed  = regexp.MustCompile(`((?:value="|\?flow=))spfl_[^"]*"`)
	formMAC = regexp.MustCompile(`(name="csrf"(?: type="hidden")?) value="[^"]*"`)
	hashed  = regexp.MustCompile(`(style|icon|webauthn)\.[0-9a-f]{10}\.`)
	asked   = regexp.MustCompile(`(&#34;(?:challenge|id|userId)&#34;:&#34;)[^&]*&`)
	// recordID is of a session or a grant.
	recordID = regexp.MustCompile(`(name="(?:session|grant)" value)="[^"]*"`)
)

func TestPagesGolden(t *testing.T) {
	_, list := pages(t)
	for name, page := range list {
		got := hashed.ReplaceAllString(formMAC.ReplaceAllString(sealed.ReplaceAllString(page.body, `${1}FLOW"`), `$1 value="CSRF"`), "$1.HASH.")
		got = asked.ReplaceAllString(got, "${1}BYTES&")
		got = recordID.ReplaceAllString(got, `$1="ID"`)
		got = typed.ReplaceAllString(got, `id="user_code">CODE<`)
		for _, c := range drawnAnew {
			got = c.text.ReplaceAllString(got, c.with)
		}
		golden := filepath.Join("testdata", name+".golden.html")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s has changed; look at it, then run with -update:\n%s", name, got)
		}
	}
}

// The names that conformance suites and password managers hold on to.
func TestPagesKeepTheirIDs(t *testing.T) {
	_, list := pages(t)
	for page, marks := range map[string][]string{
		"login":       {`<input id="username" name="username"`, `autocomplete="username webauthn"`, `<input id="password" name="password"`, `autocomplete="current-password"`, `<button id="login"`, `value="ada"`},
		"login_wrong": {`role="alert"`, `aria-describedby="problem"`, `<title>Error: `},
		"consent":     {`<button id="allow"`, `<button id="deny"`},
		"logout":      {`<button id="confirm"`},
		"error":       {`<code id="error">invalid_client</code>`},
		"embedded":    {`<code id="error">access_denied</code>`},
	} {
		for _, mark := range marks {
			if !strings.Contains(list[page].body, mark) {
				t.Errorf("%s lacks %s:\n%s", page, mark, list[page].body)
			}
		}
	}
	for name, status := range map[string]int{"login": 200, "login_wrong": 401, "consent": 200, "error": 400, "not_found": 404, "embedded": 403} {
		if list[name].StatusCode != status {
			t.Errorf("%s has status %d, want %d", name, list[name].StatusCode, status)
		}
	}
}

// Each language into a folder of its own; test/browser looks at them there.
func TestPagesForLooking(t *testing.T) {
	if *shots == "" {
		for name, page := range mailPages(t, "en") {
			if page.StatusCode >= http.StatusInternalServerError || !strings.Contains(page.body, "<main") {
				t.Errorf("%s is not there: %d", name, page.StatusCode)
			}
		}
		return
	}
	links := regexp.MustCompile(`(?:href|src)="(/static/[^"]*)"`)
	for _, tag := range []string{"en", "de", "ar"} {
		dir := filepath.Join(*shots, tag)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		b, list := pagesIn(t, tag)
		maps.Copy(list, mailPages(t, tag))
		maps.Copy(list, elsewherePages(t, tag))
		for name, page := range list {
			for _, m := range links.FindAllStringSubmatch(page.body, -1) {
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(m[1])), []byte(b.get(m[1]).body), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(strings.ReplaceAll(page.body, `="/static/`, `="`)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// ourScript is the one that the policy of the page lets in.
var ourScript = regexp.MustCompile(`<script src="/static/webauthn\.[0-9a-f]{10}\.js" defer></script>`)

func TestAZ12AZ15PagesHaveTheirHeaders(t *testing.T) {
	_, list := pages(t)
	for name, page := range list {
		for header, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := page.Header.Get(header); got != want {
				t.Errorf("AZ12 AZ15 BF13 TL04 %s: %s = %q, want %q", name, header, got, want)
			}
		}
		csp := page.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("AZ12 BF13 %s: Content-Security-Policy %q lacks %q", name, csp, want)
			}
		}
		if page.Header.Get("Permissions-Policy") == "" || page.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", name, page.Header)
		}
		// A link to the app's own pages loads nothing before somebody follows it.
		page.body = regexp.MustCompile(`<a href="https://[^"]*" rel="noopener noreferrer">`).ReplaceAllString(page.body, "")
		page.body = ourScript.ReplaceAllString(page.body, "")
		if strings.Contains(page.body, "<script") || regexp.MustCompile(`(?:src|href)="(?:https?:)?//`).MatchString(page.body) || strings.Contains(page.body, "style=") {
			t.Errorf("AZ15 %s loads or runs something that is not ours:\n%s", name, page.body)
		}
		if !strings.Contains(page.body, `<html lang="en" dir="ltr">`) {
			t.Errorf("%s does not say its language", name)
		}
	}
}

func TestFormActionNamesTheApp(t *testing.T) {
	h := newHouse(t, options{})
	for uri, want := range map[string]string{
		callback:               "form-action 'self' https://app.example.com https:;",
		"com.example.shop:/cb": "form-action 'self' com.example.shop: https:;",
		"http://127.0.0.1/cb":  "form-action 'self' http://127.0.0.1 https:;",
	} {
		page := h.browser().loginPage("redirect_uri", uri)
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, want) {
			t.Errorf("%s: Content-Security-Policy is %q, want %q in it", uri, csp, want)
		}
	}
}

func TestAZ17ConsentSaysWhatThePersonAgreesTo(t *testing.T) {
	const hostile = "Shop\u202egnp.exe\u0000\u200b <script>alert(1)</script>\n\n\u202every long "
	h := newHouse(t, options{clients: []oauth.Client{{
		ID: "evil", Name: hostile + strings.Repeat("x", 500), Type: oauth.Native, Scope: "openid catalog.read",
		RedirectURIs: []string{"com.example.evil:/cb", callback},
	}}})
	page := h.browser().signIn("client_id", "evil", "redirect_uri", "com.example.evil:/cb")
	for what, want := range map[string]string{
		"the client_id":           "<code>evil</code>",
		"that it is not verified": "Unverified",
		"the scope in words":      "Look at the catalog",
		"the API":                 "<bdi>catalog</bdi>",
		"how long access lasts":   "10 minutes",
		"where it goes":           "<bdi>com.example.evil</bdi>",
		"who is signed in":        "<bdi>ada</bdi>",
		"the name as text":        "Shopgnp.exe &lt;script&gt;",
	} {
		if !strings.Contains(page.body, want) {
			t.Errorf("AZ17 the page does not say %s (%s):\n%s", what, want, page.body)
		}
	}
	for what, bad := range map[string]string{
		"an override of the direction": "\u202e", "a zero-width space": "\u200b", "a script": "<script", "a name of any length": strings.Repeat("x", 81),
	} {
		if strings.Contains(page.body, bad) {
			t.Errorf("AZ17 the page has %s:\n%s", what, page.body)
		}
	}
	page = h.browser().signIn("client_id", "evil")
	if !strings.Contains(page.body, "Verified address") || !strings.Contains(page.body, "<bdi>app.example.com</bdi>") {
		t.Errorf("AZ17 an https redirect URI is the client's own:\n%s", page.body)
	}
}

func TestAZ26WebViewsAreTurnedAway(t *testing.T) {
	h := newHouse(t, options{})
	const (
		chrome = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
		safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
	)
	cases := []struct {
		name, ua, requestedWith string
		refused                 bool
	}{
		{"Android WebView", "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36", "", true},
		{"Android WebView without wv", "Mozilla/5.0 (Linux; Android 9; X) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.0.0 Mobile Safari/537.36", "", true},
		{"WKWebView", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", "", true},
		{"WKWebView on a desktop-class iPad", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)", "", true},
		{"X-Requested-With of an app", chrome, "com.example.shop", true},
		{"Facebook on iOS", safari + " [FBAN/FBIOS;FBAV/400.0]", "", true},
		{"Chrome on Android, Custom Tabs", chrome, "", false},
		{"Safari, ASWebAuthenticationSession", safari, "", false},
		{"Chrome on iOS", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1", "", false},
		{"Firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "", false},
		{"a browser made of a WebView", chrome, "com.duckduckgo.mobile.android", false},
		{"a program", "Go-http-client/1.1", "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			header := []string{"User-Agent", c.ua}
			if c.requestedWith != "" {
				header = append(header, "X-Requested-With", c.requestedWith)
			}
			b := h.browser()
			r := b.get(authorizeURL(), header...)
			login := b.get(b.get(authorizeURL()).Header.Get("Location"), header...)
			for _, r := range []reply{r, login} {
				if refused := r.StatusCode == http.StatusForbidden && strings.Contains(r.body, "Open this in your browser"); refused != c.refused {
					t.Errorf("%s: refused = %v, want %v (status %d)", r.Request.URL.Path, refused, c.refused, r.StatusCode)
				}
			}
		})
	}
	page := h.browser().loginPage()
	b := h.browser()
	action, fields := b.form(page)
	if r := b.post(action, fields, "User-Agent", "x; wv)", "Sec-Fetch-Site", "same-origin"); r.StatusCode != http.StatusForbidden {
		t.Errorf("a form from a web view: status %d", r.StatusCode)
	}
}
