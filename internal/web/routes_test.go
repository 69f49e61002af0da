package web

import (
	"slices"
	"strings"
	"testing"
)

// A route without a class would have no limits, no headers and no protection.
func TestEveryRouteHasAClass(t *testing.T) {
	seen := map[string]bool{}
	byPath := map[string]class{}
	for _, r := range routes {
		id := r.method + " " + r.path
		if r.class == unclassified || int(r.class) >= len(classes) {
			t.Errorf("%s has no class", id)
		}
		if r.serve == nil || seen[id] {
			t.Errorf("%s has no handler, or stands twice", id)
		}
		seen[id] = true
		if c, ok := byPath[r.path]; ok && c != r.class {
			t.Errorf("%s has two classes; headers and CORS belong to the path", r.path)
		}
		byPath[r.path] = r.class
		if !slices.ContainsFunc(reserved, func(part string) bool { return r.path == part || strings.HasPrefix(r.path, part+"/") }) {
			t.Errorf("%s is not under a reserved part, so an API could stand there", r.path)
		}
	}
}

func TestClassesAreComplete(t *testing.T) {
	for c := unclassified + 1; int(c) < len(classes); c++ {
		rules := c.rules()
		if rules.name == "" || rules.headers == nil {
			t.Errorf("class %d has no name or no headers", c)
		}
		most := int64(64 << 10)
		if rules.params == fromJSON { // read only for a client that has proved who it is
			most = 1 << 20
		}
		if rules.params != fromNothing && (rules.maxBody <= 0 || rules.maxBody > most) {
			t.Errorf("class %s has no body limit", rules.name)
		}
		if rules.cookies && rules.origins != noOrigin {
			t.Errorf("class %s reads cookies and lets other origins read answers", rules.name)
		}
		if rules.form && !rules.cookies {
			t.Errorf("class %s has forms that nothing binds to a browser", rules.name)
		}
	}
	for _, r := range routes {
		if r.method == "POST" && r.class.rules().page && !r.class.rules().form && r.class != classEntry {
			t.Errorf("POST %s has no form protection", r.path)
		}
	}
}

func TestFormTargetCannotWriteAPolicy(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.example.com/cb?x=1":   "https://app.example.com",
		"https://app.example.com:8443/cb":  "https://app.example.com:8443",
		"http://127.0.0.1:5000/cb":         "http://127.0.0.1:5000",
		"http://[::1]:5000/cb":             "http:",
		"com.example.shop:/cb":             "com.example.shop:",
		"https://a; script-src *//x":       "",
		"https://user@app.example.com/":    "",
		"no scheme":                        "",
		"1x:/cb":                           "",
		"https:app":                        "",
		"x y:/cb":                          "",
		"https://app.example.com#fragment": "https://app.example.com",
		"":                                 "",
	} {
		if got := formTarget(uri); got != want {
			t.Errorf("formTarget(%q) = %q, want %q", uri, got, want)
		}
	}
}

func TestG21RedirectsThatBrowsersReadDifferently(t *testing.T) {
	for _, location := range []string{`/\evil.example`, "https://a/\r\nSet-Cookie: x", "https://a/ b", "https://a/\x00", "https://a/\x7f"} {
		if err := seeOther(nil, location); err == nil {
			t.Errorf("%q is sent", location)
		}
	}
}
