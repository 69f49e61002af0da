package gateway_test

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// readings are ways in which real servers turn a request target into the path
// that they route by. A backend may have any of them, or any two.
var readings = map[string]func(string) string{
	"decode": func(s string) string { d, _ := url.PathUnescape(s); return d },
	"decode leniently": func(s string) string {
		for i := 0; i+2 < len(s); i++ {
			if d, err := url.PathUnescape(s[i : i+3]); err == nil && s[i] == '%' {
				s = s[:i] + d + s[i+3:]
			}
		}
		return s
	},
	"clean": func(s string) string {
		if s == "" {
			return s
		}
		return path.Clean(s)
	},
	"fold case":       strings.ToLower,
	"fold width":      func(s string) string { return norm.NFKC.String(s) },
	"slash backslash": func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
	"merge slashes": func(s string) string {
		for strings.Contains(s, "//") {
			s = strings.ReplaceAll(s, "//", "/")
		}
		return s
	},
	"cut parameters": func(s string) string {
		segs := strings.Split(s, "/")
		for i := range segs {
			segs[i], _, _ = strings.Cut(segs[i], ";")
		}
		return strings.Join(segs, "/")
	},
	"cut at NUL":  func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s },
	"cut at hash": func(s string) string { s, _, _ = strings.Cut(s, "#"); return s },
	"cut at mark": func(s string) string { s, _, _ = strings.Cut(s, "?"); return s },
	"trim": func(s string) string {
		segs := strings.Split(s, "/")
		for i := range segs {
			segs[i] = strings.TrimRight(strings.Trim(segs[i], " \t\r\n"), ".")
		}
		return strings.Join(segs, "/")
	},
	"trim slash": func(s string) string { return strings.TrimRight(s, "/") },
}

// readsAs reports whether up to three readings after another turn s into want.
func readsAs(s, want string) bool {
	seen := map[string]bool{s: true}
	now := []string{s}
	for range 3 {
		var next []string
		for _, p := range now {
			for _, read := range readings {
				if q := read(p); !seen[q] {
					seen[q] = true
					next = append(next, q)
				}
			}
		}
		now = next
	}
	return seen[want]
}

// spellings returns some three hundred targets that a reader of some kind
// takes for /catalog/admin/keys.
func spellings() []string {
	var out []string
	add := func(ss ...string) {
		for _, s := range ss {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	seps := []string{
		"//", "///", "/./", "/%2e/", "/%2E/", "/.%2f", "/x/../", "/x/%2e%2e/", "/x/.%2e/", "/x/%2e./", "/x/..%2f", "/x%2f..%2f", "/x/..%5c",
		`\`, "%2f", "%2F", "%5c", "%5C", "/;/", "/;x=1/", "/..;/catalog/", "%252f", "%25252f", "/%252e/", "%c0%af", "%e0%80%af", "%c1%9c",
		"%ef%bc%8f", "%ef%bc%bc", "%e2%88%95", "%e2%81%84", "/%ef%bc%8e/", "/x/%ef%bc%8e%ef%bc%8e/", "/x/%e2%80%a4%e2%80%a4/", "%u002f", "%25u002f", "/%00/", "%0a/", "/%09", "\t/", "/%20/", "/../catalog/", "/x/..././", "/x/%252e%252e/",
	}
	for _, s := range seps {
		add("/catalog"+s+"admin/keys", "/catalog/admin"+s+"keys")
	}
	for _, s := range seps[:24] {
		add(s+"catalog/admin/keys", "/catalog/admin/keys"+s, "/catalog/items"+s+"../admin/keys")
	}
	for _, word := range []string{"admin", "keys", "catalog"} {
		for i, c := range word {
			hex := "%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15]))
			double := "%25" + hex[1:]
			wide := url.PathEscape(string(c - 'a' + '\uff41'))
			for _, sub := range []string{hex, strings.ToLower(hex), double, wide, strings.ToUpper(string(c))} {
				add("/catalog/admin/keys"[:strings.Index("/catalog/admin/keys", word)] + word[:i] + sub + word[i+1:] + "/catalog/admin/keys"[strings.Index("/catalog/admin/keys", word)+len(word):])
			}
		}
	}
	for _, tail := range []string{"/", "/.", "/..", "/%2e", ".", "..", "%2e", "%20", "%00", "%00.css", ";", ";.css", ";jsessionid=1", "%3b.css", "%3f.css", "%23.css", "#x", "#", "%0a", "%0d%0a", "%09", "%7f", "%20%20", "%", "%2", "%zz", "%u0000", "%80", "%ff", "%c2%85", "%ef%bb%bf", "%e2%80%8b/..", "/x/..", "/%2e%2e/keys", "%25", "%2500", "%255c", "\x80", "\xff", "\x7f", "|", "^", "`", "<", ">", `"`, "{", "}", "[", "]"} {
		add("/catalog/admin/keys" + tail)
	}
	for _, s := range []string{"/ADMIN/keys", "/admin/KEYS", "/Admin/Keys", "/%41dmin/keys", "/a%64min/k%65ys", "/admin/key%C5%BF", "/admin/%E2%84%AAeys"} {
		add("/catalog" + s)
	}
	add("/CATALOG/admin/keys", "/Catalog/admin/keys", "catalog/admin/keys", "*", "http://api.example.com/catalog/admin/keys", "https://api.example.com/catalog/items/1",
		"//api.example.com/catalog/admin/keys", "/catalog/items/../admin/keys?x=1", "/catalog/items/%2e%2e/admin/keys?x", "/catalog/"+strings.Repeat("a/../", 1000)+"admin/keys",
		"/catalog/items/1#/../admin/keys", "/catalog/items/1%3f/../admin/keys", "/catalog/%61%64%6d%69%6e/%6b%65%79%73", "/catalog/"+strings.Repeat("x", 9000))
	return out
}

func TestGW14NoSpellingReachesAnotherOperation(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, withOperations(
		gateway.Operation{Method: "GET", Path: "/items/{id}", Scope: "catalog.read"},
		gateway.Operation{Method: "GET", Path: "/{section}", Scope: "catalog.read"},
		gateway.Operation{Method: "GET", Path: "/{section}/{page}", Scope: "catalog.read"},
		gateway.Operation{Method: "GET", Path: "/{section}/{page}/{part}", Scope: "catalog.read"},
		gateway.Operation{Method: "GET", Path: "/admin/keys", Scope: "catalog.admin"},
		gateway.Operation{Method: "GET", Path: "/admin/{page}", Scope: "catalog.admin"},
	))
	all := spellings()
	if len(all) < 290 {
		t.Fatalf("only %d spellings", len(all))
	}
	reader, passed := f.bearer(), 0
	for _, s := range all {
		got := f.get(s, reader)
		calls := f.taken()
		if got.Status >= 300 && got.Status < 400 {
			t.Errorf("%q is redirected to %q", s, got.Header.Get("Location"))
		}
		if got.Status != 200 && len(calls) != 0 {
			t.Errorf("%q: status %d, and yet the backend was called", s, got.Status)
		}
		for _, r := range calls {
			passed++
			if readsAs(r.URI, "/admin/keys") {
				t.Errorf("%q reached the backend as %q, which some backend reads as /admin/keys", s, r.URI)
			}
			if s != "/catalog"+r.URI {
				t.Errorf("%q was forwarded as %q", s, r.URI)
			}
		}
	}
	t.Logf("%d spellings, %d passed as another resource", len(all), passed)
	if got := f.get("/catalog/admin/keys", reader); got.Status != 403 {
		t.Errorf("the plain path has status %d for a reader, want 403", got.Status)
	}
	if got := f.get("/catalog/admin/keys", f.bearer(func(a *token.Access) { a.Scope = "catalog.admin" })); got.Status != 200 || len(f.taken()) != 1 {
		t.Errorf("the plain path has status %d for an administrator", got.Status)
	}
}

func TestGW14WhatPassesPassesUnchanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, s := range []string{
		"/items/1", "/items/a%20b", "/items/100%25", "/items/caf%C3%A9", "/items/caf%c3%a9", "/items/%E6%97%A5%E6%9C%AC", "/items/a%2Bb", "/items/a+b",
		"/items/a:b@c", "/items/a,b!$&'()*=", "/items/~x_y-z.w", "/items/.hidden", "/items/..x", "/items/%7B%7D", "/items/a%22b",
		"/items/1?", "/items/1?q", "/items/1?q=a%20b+c&x=%2F..%2F&r=/../", "/items/1?q=%00%0a", "/items/1?x=[1]&y={z}|^`\"<>\\", "/items/1?a=1&a=2&&=", "/items/1?method=x&token=y",
	} {
		got := f.get("/catalog"+s, f.bearer())
		calls := f.taken()
		if got.Status != 200 || len(calls) != 1 || calls[0].URI != s {
			t.Errorf("%s: status %d %s, forwarded %v", s, got.Status, strings.Join(f.reasons(), ","), calls)
		}
	}
}

func TestGW14QueriesRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, q := range []string{"a;b", "a=1;access_token=x", "a=%", "a=%2", "a=%zz", "a#b", "a=\x80", "a=\x7f", "_method=PUT", "%5fmethod=PUT", "x=1&_METHOD=DELETE", "_method[]=PUT", "_method"} {
		if got := f.get("/catalog/items/1?"+q, f.bearer()); got.Status != 400 || len(f.taken()) != 0 {
			t.Errorf("%q: status %d", q, got.Status)
		}
	}
}

func TestUpstreamBasePathStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) {
		o.APIs[0].Upstream.Path = "/v1/base"
		o.APIs[0].Operations = []gateway.Operation{{Method: "GET", Path: "/", Scope: "catalog.read"}, {Method: "GET", Path: "/a", Scope: "catalog.read"}}
	})
	for in, want := range map[string]string{"/catalog/a": "/v1/base/a", "/catalog": "/v1/base/", "/catalog/": "/v1/base/", "/catalog/a?x": "/v1/base/a?x"} {
		got := f.get(in, f.bearer())
		if calls := f.taken(); got.Status != 200 || len(calls) != 1 || calls[0].URI != want {
			t.Errorf("%s: status %d, forwarded %v, want %s", in, got.Status, calls, want)
		}
	}
}
