package web

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
)

// Browsers that are themselves built on Android's WebView and name their
// package as apps do.
var webViewBrowsers = map[string]bool{
	"com.android.browser": true, "com.duckduckgo.mobile.android": true, "com.huawei.browser": true, "com.opera.mini.native": true,
	"com.mi.globalbrowser": true, "com.sec.android.app.sbrowser": true, "com.heytap.browser": true, "com.vivo.browser": true,
	"org.mozilla.focus": true, "com.kiwibrowser.browser": true,
}

// browserMarks are what such browsers say of themselves where the rules below
// would take them for apps.
var browserMarks = []string{
	"DuckDuckGo/", "Ddg/", "SamsungBrowser/", "MiuiBrowser/", "HuaweiBrowser/", "HeyTapBrowser/", "VivoBrowser/", "UCBrowser/", "OPR/", "Focus/", "Klar/",
}

// embeddedRules say by what a web view inside an app is known (RFC 8252 §8.12,
// OAuth 2.1 §8.5.1). An app that wants to lie can; the common ones do not.
var embeddedRules = []struct {
	name    string
	browser bool // a browser that says its name is one all the same
	is      func(ua string, h http.Header) bool
}{
	{"in_app_browser", false, func(ua string, _ http.Header) bool { return hasAny(ua, inAppBrowsers) }},
	{"requested_with", false, func(_ string, h http.Header) bool {
		// Android's WebView names the app; scripts name themselves.
		lines := h["X-Requested-With"]
		return len(lines) > 1 || len(lines) == 1 && !webViewBrowsers[lines[0]]
	}},
	{"android_webview", true, func(ua string, _ http.Header) bool { return strings.Contains(ua, "; wv)") }}, // since Android 5.0
	{"android_webview", true, func(ua string, _ http.Header) bool { // where "wv" was taken away
		return strings.Contains(ua, "Android") && strings.Contains(ua, "Version/4.0 Chrome/")
	}},
	{"android_webview", true, func(_ string, h http.Header) bool { // where the whole user agent was replaced
		return strings.Contains(h.Get("Sec-Ch-Ua"), `"Android WebView"`)
	}},
	{"wkwebview", true, func(ua string, _ http.Header) bool { // every browser there says Safari; those of consoles and televisions need not
		return strings.Contains(ua, "AppleWebKit/") && !strings.Contains(ua, "Safari/") && hasAny(ua, []string{"iPhone", "iPad", "iPod", "Macintosh"})
	}},
	{"electron", false, func(ua string, _ http.Header) bool { return strings.Contains(ua, " Electron/") }},
}

// In-app browsers that name themselves.
var inAppBrowsers = []string{
	"FBAN/", "FBAV/", "FB_IAB/", "Instagram ", "Barcelona ", " Line/", "MicroMessenger/", "Snapchat/", "TikTok", "musical_ly", "BytedanceWebview",
	"trill_", "Twitter for ", "LinkedInApp", "[Pinterest/", "KAKAOTALK", "NAVER(inapp", "DingTalk/", " QQ/", "Weibo (",
}

func hasAny(s string, marks []string) bool {
	for _, m := range marks {
		if strings.Contains(s, m) {
			return true
		}
	}
	return false
}

// embedded returns the rule by which a page is shown inside an app that could
// read what is typed into it, or "".
func embedded(r *http.Request) string {
	ua := r.UserAgent()
	browser := hasAny(ua, browserMarks)
	if lines := r.Header["X-Requested-With"]; len(lines) == 1 && webViewBrowsers[lines[0]] {
		browser = true
	}
	for _, rule := range embeddedRules {
		if !(browser && rule.browser) && rule.is(ua, r.Header) {
			return rule.name
		}
	}
	return ""
}

// turnedAway shows the page that leads out of a web view, unless it is none or
// the client is registered with embedded_ua: warn (AZ26). It reports whether the
// request is answered.
func (s *site) turnedAway(w http.ResponseWriter, r *http.Request, clientID string) (bool, error) {
	rule := embedded(r)
	if rule == "" {
		return false, nil
	}
	warn, err := s.oauth.EmbeddedAllowed(r.Context(), clientID)
	if err != nil {
		return true, err
	}
	if warn {
		return false, nil
	}
	note(r, audit.RequestRefused, "embedded_user_agent")
	return true, s.render(w, http.StatusForbidden, pageEmbedded, s.wayOut(r))
}

// embeddedView is what the page shows that leads out of a web view.
type embeddedView struct {
	errorView
	Platform string       // android, ios or nothing
	Link     string       // this page's address, to be copied; empty where it cannot be asked for again
	Intent   template.URL // opens it in the browser of an Android device
}

func (s *site) wayOut(r *http.Request) *embeddedView {
	v := &embeddedView{errorView: errorView{frame: s.frame(r, s.language(r).Text("embedded.title"), false), Code: oauth.AccessDenied}}
	ua := r.UserAgent()
	switch {
	case strings.Contains(ua, "Android"):
		v.Platform = "android"
	case hasAny(ua, []string{"iPhone", "iPad", "iPod"}):
		v.Platform = "ios"
	}
	if r.Method != http.MethodGet {
		return v
	}
	v.Link = s.origin + r.URL.RequestURI()
	if u, err := url.Parse(v.Link); err == nil && v.Platform == "android" {
		// https://developer.chrome.com/docs/android/intents
		v.Intent = template.URL("intent://" + u.Host + u.RequestURI() + "#Intent;scheme=" + u.Scheme + ";action=android.intent.action.VIEW;category=android.intent.category.BROWSABLE;end") //nolint:gosec // our own address
	}
	return v
}
