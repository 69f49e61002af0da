package bff

import (
	"net/http"
	"strings"
)

// Header is what the app's pages send with every request, as any value that is not
// empty. Another origin cannot: the browser would ask first whether it may, and is
// never told so.
const Header = "X-Sallyport-Csrf"

// judge returns why a request does not come from a page of the app, or "". It
// looks at nothing but the request: not whether anybody is signed in. All three
// must say so, the header, Sec-Fetch-Site, which no script can set, and Origin,
// without which no browser sends what can change something.
func (a *app) judge(r *http.Request) (why string) {
	if site := r.Header["Sec-Fetch-Site"]; len(site) != 1 || site[0] != "same-origin" {
		return "csrf_site"
	}
	origin := r.Header["Origin"]
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	if len(origin) > 1 || len(origin) == 1 && origin[0] != a.Origin || len(origin) == 0 && !safe {
		return "csrf_origin"
	}
	if len(origin) == 1 && isSocket(r) {
		return "" // no page can give a WebSocket a header; its Origin is always there, and no page can change it
	}
	if sent := r.Header[Header]; len(sent) != 1 || sent[0] == "" {
		return "csrf_header"
	}
	return ""
}

func isSocket(r *http.Request) bool {
	up := r.Header["Upgrade"]
	return r.Method == http.MethodGet && len(up) == 1 && strings.EqualFold(up[0], "websocket")
}
