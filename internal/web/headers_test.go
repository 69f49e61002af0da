package web_test

import (
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/web"
)

// Whatever a route answers, to whoever asks: nothing in it runs that we have not
// put there, nobody frames it, and no browser guesses what it is.
func TestBF13EveryRouteHasItsHeaders(t *testing.T) {
	h := newHouse(t, options{})
	stranger, ada := h.browser(), h.browser()
	ada.signIn()
	for _, route := range web.Routes() {
		path := strings.ReplaceAll(route.Path, "*", "x")
		body := ""
		if route.Method != http.MethodGet && route.Method != http.MethodDelete {
			body = "a=b"
		}
		for who, b := range map[string]*browser{"a stranger": stranger, "ada": ada} {
			r := b.do(b.request(route.Method, path, body, "Accept", "text/html", "Sec-Fetch-Site", "same-origin"))
			if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Strict-Transport-Security") != "max-age=31536000; includeSubDomains" {
				t.Errorf("BF13 %s %s by %s: headers %v", route.Method, path, who, r.Header)
			}
			csp := r.Header.Get("Content-Security-Policy")
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "data:") {
				t.Errorf("BF13 %s %s by %s: Content-Security-Policy is %q", route.Method, path, who, csp)
			}
			if !route.Page {
				continue
			}
			for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
				if !strings.Contains(csp, want) {
					t.Errorf("BF13 %s %s by %s: Content-Security-Policy %q lacks %s", route.Method, path, who, csp, want)
				}
			}
			for name, want := range map[string]string{
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
				"Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("BF13 AZ12 %s %s by %s: %s is %q, want %q", route.Method, path, who, name, got, want)
				}
			}
		}
	}
}
