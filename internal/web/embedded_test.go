package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sallyport/internal/oauth"
)

const (
	androidChrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
	androidView   = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A.240205.004; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36"
	iosSafari     = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
	iosView       = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
)

// What real apps and browsers say of themselves.
func TestAZ26EmbeddedViewsAndRealBrowsers(t *testing.T) {
	h := newHouse(t, options{})
	for name, c := range map[string]struct {
		ua      string
		header  []string // more of it
		refused bool
	}{
		"Android WebView":                    {androidView, nil, true},
		"Android WebView of Android 4.4":     {"Mozilla/5.0 (Linux; Android 4.4.4; One Build/KTU84L.H4) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/36.0.1985.135 Mobile Safari/537.36", nil, true},
		"Android WebView under another name": {"ShopApp/2.1", []string{"Sec-Ch-Ua", `"Not/A)Brand";v="8", "Chromium";v="126", "Android WebView";v="126"`}, true},
		"Android WebView, package named":     {androidChrome, []string{"X-Requested-With", "com.example.shop"}, true},
		"package named twice":                {androidChrome, []string{"X-Requested-With", "com.sec.android.app.sbrowser", "X-Requested-With", "com.example.shop"}, true},
		"WKWebView, iPhone":                  {iosView, nil, true},
		"WKWebView, iPad":                    {"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", nil, true},
		"WKWebView, iPad as a desktop":       {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)", nil, true},
		"Facebook, iOS":                      {iosView + " [FBAN/FBIOS;FBAV/467.0.0.38.108;FBBV/606448735;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5.1;FBSS/3;FBCR/;FBID/phone;FBLC/en_US;FBOP/80]", nil, true},
		"Facebook, Android":                  {androidView + " [FB_IAB/FB4A;FBAV/468.0.0.55.86;]", nil, true},
		"Instagram, iOS":                     {iosView + " Instagram 334.0.4.32.98 (iPhone14,5; iOS 17_5_1; en_US; en; scale=3.00; 1170x2532; 606448735)", nil, true},
		"Instagram, Android":                 {androidView + " Instagram 334.0.0.42.95 Android (34/14; 420dpi; 1080x2205; Google/google; Pixel 8)", nil, true},
		"Line":                               {iosSafari + " Safari Line/14.9.0", nil, true},
		"WeChat":                             {iosView + " MicroMessenger/8.0.49(0x18003129) NetType/WIFI Language/en", nil, true},
		"TikTok":                             {iosView + " musical_ly_35.3.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en BytedanceWebview/d8a21c6", nil, true},
		"LinkedIn":                           {iosView + " [LinkedInApp]/9.29.8962", nil, true},
		"X":                                  {iosSafari + " Twitter for iPhone/10.48", nil, true},
		"KakaoTalk":                          {androidView + ";KAKAOTALK 2410830", nil, true},
		"Electron":                           {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Shop/1.0.0 Chrome/124.0.6367.243 Electron/30.1.0 Safari/537.36", nil, true},
		"an in-app browser with a browser's name": {iosView + " [FBAN/FBIOS] DuckDuckGo/7", nil, true},

		"Chrome, Android, also Custom Tabs":                                  {androidChrome, []string{"Sec-Ch-Ua", `"Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126"`}, false},
		"Safari, also SFSafariViewController and ASWebAuthenticationSession": {iosSafari, nil, false},
		"Safari, iPad":          {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", nil, false},
		"Chrome, iOS":           {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1", nil, false},
		"Firefox, iOS":          {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15", nil, false},
		"Edge, iOS":             {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) EdgiOS/126.0.2592.56 Version/17.0 Mobile/15E148 Safari/604.1", nil, false},
		"DuckDuckGo, iOS":       {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", nil, false},
		"DuckDuckGo, Android":   {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile DuckDuckGo/5 Safari/537.36", []string{"X-Requested-With", "com.duckduckgo.mobile.android"}, false},
		"Samsung Internet":      {"Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36", nil, false},
		"Samsung Internet, old": {"Mozilla/5.0 (Linux; Android 5.0; SAMSUNG SM-G900F) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/2.1 Version/4.0 Chrome/34.0.1847.76 Mobile Safari/537.36", nil, false},
		"Opera, Android":        {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36 OPR/82.0.0.0", nil, false},
		"Firefox, Android":      {"Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", nil, false},
		"Firefox, desktop":      {"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", nil, false},
		"Chrome, desktop":       {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", nil, false},
		"Edge, desktop":         {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.68", nil, false},
		"Safari, desktop":       {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", nil, false},
		"GNOME Web":             {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15", nil, false},
		"the conformance suite": {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36", nil, false},
		"PlayStation 4":         {"Mozilla/5.0 (PlayStation 4 11.00) AppleWebKit/605.1.15 (KHTML, like Gecko)", nil, false},
		"Nintendo Switch":       {"Mozilla/5.0 (Nintendo Switch; WebApplet) AppleWebKit/609.4 (KHTML, like Gecko) NF/6.0.2.22.5 NintendoBrowser/5.1.0.23519", nil, false},
		"nothing":               {"", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			header := append([]string{"User-Agent", c.ua}, c.header...)
			b := h.browser()
			login := b.get(authorizeURL()).Header.Get("Location")
			for _, r := range []reply{b.get(authorizeURL(), header...), b.get(login, header...)} {
				if refused := r.StatusCode == http.StatusForbidden && strings.Contains(r.body, "Open this in your browser"); refused != c.refused {
					t.Errorf("%s: refused is %t, want %t (status %d)", r.Request.URL.Path, refused, c.refused, r.StatusCode)
				}
			}
		})
	}
}

func TestAZ26ThePageLeadsOut(t *testing.T) {
	b := newHouse(t, options{}).browser()
	android := b.get(authorizeURL(), "User-Agent", androidView)
	for _, want := range []string{`id="open"`, `href="intent://auth.example.com/oauth/authorize?`, `#Intent;scheme=https;`, "Open in Chrome", `<input id="link" type="text" value="` + issuer + `/oauth/authorize?`, `<code id="error">access_denied</code>`} {
		if !strings.Contains(android.body, want) {
			t.Errorf("Android: the page lacks %s:\n%s", want, android.body)
		}
	}
	ios := b.get(authorizeURL(), "User-Agent", iosView)
	if !strings.Contains(ios.body, "Open in Safari") || strings.Contains(ios.body, "intent:") {
		t.Errorf("iOS:\n%s", ios.body)
	}
	post := b.post("/oauth/authorize", authorizeParams(), "User-Agent", androidView)
	if post.StatusCode != 403 || strings.Contains(post.body, `id="link"`) || strings.Contains(post.body, "intent:") {
		t.Errorf("a form that cannot be asked for again has a link: %d\n%s", post.StatusCode, post.body)
	}
}

func TestAZ26AClientMayWarnInstead(t *testing.T) {
	h := newHouse(t, options{clients: []oauth.Client{{
		ID: "lenient", Type: oauth.Native, Scope: "openid catalog.read", RedirectURIs: []string{callback}, Settings: oauth.Settings{EmbeddedUA: "warn"},
	}}})
	b := h.browser()
	view := []string{"User-Agent", androidView}
	page := b.get(b.get(authorizeURL("client_id", "lenient"), view...).Header.Get("Location"), view...)
	if page.StatusCode != 200 || !strings.Contains(page.body, `id="embedded"`) || !strings.Contains(page.body, `id="login"`) {
		t.Fatalf("the login page: %d\n%s", page.StatusCode, page.body)
	}
	action, fields := b.form(page)
	fields.Set("username", "ada")
	fields.Set("password", password)
	r := b.post(action, fields, "User-Agent", androidView, "Sec-Fetch-Site", "same-origin")
	page = b.get(r.Header.Get("Location"), view...)
	if !strings.Contains(page.body, `id="embedded"`) || !strings.Contains(page.body, `id="allow"`) {
		t.Errorf("the consent page: %d\n%s", page.StatusCode, page.body)
	}
	if page = b.loginPage("client_id", "lenient", "prompt", "login"); strings.Contains(page.body, `id="embedded"`) {
		t.Error("a browser is warned of")
	}
	for _, id := range []string{"shop", "nobody", ""} {
		if r := b.get("/oauth/authorize?"+url.Values{"client_id": {id}}.Encode(), view...); r.StatusCode != 403 {
			t.Errorf("client %q: status %d", id, r.StatusCode)
		}
	}
	bad := oauth.Client{ID: "x", Type: oauth.Native, Settings: oauth.Settings{EmbeddedUA: "allow"}}
	if setting, _ := bad.Problem(); setting != "embedded_ua" {
		t.Errorf("embedded_ua: allow is refused as %q", setting)
	}
}
