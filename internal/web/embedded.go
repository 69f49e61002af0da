package web

import (
	"net/http"
	"strings"
)

// Browsers that are themselves built on Android's WebView and name their
// package as apps do.
var webViewBrowsers = map[string]bool{
	"com.android.browser": true, "com.duckduckgo.mobile.android": true, "com.huawei.browser": true,
	"com.mi.globalbrowser": true, "com.sec.android.app.sbrowser": true, "com.heytap.browser": true, "com.vivo.browser": true,
}

// In-app browsers that name themselves.
var inAppBrowsers = []string{"FBAN/", "FBAV/", "FB_IAB/", "Instagram ", "Line/", "MicroMessenger/", "Snapchat/", "TikTok", "musical_ly", "BytedanceWebview"}

// embedded reports whether a page is shown inside an app that could read what
// is typed into it (RFC 8252 §8.12, OAuth 2.1 §8.5.1). An app that wants to lie
// can; the common ones do not.
func embedded(r *http.Request) bool {
	if lines := r.Header["X-Requested-With"]; len(lines) > 0 {
		if len(lines) > 1 || !webViewBrowsers[lines[0]] {
			return true // Android's WebView names the app; scripts name themselves
		}
		return false
	}
	ua := r.UserAgent()
	switch {
	case strings.Contains(ua, "; wv)"): // Android WebView since 5.0
		return true
	case strings.Contains(ua, "Android") && strings.Contains(ua, "Version/4.0 Chrome/"): // and where "wv" was taken away
		return true
	case strings.Contains(ua, "AppleWebKit/") && !strings.Contains(ua, "Safari/"): // WKWebView; every browser says Safari
		return true
	}
	for _, name := range inAppBrowsers {
		if strings.Contains(ua, name) {
			return true
		}
	}
	return false
}
