package gateway

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"sallyport/internal/secret"
)

// FuzzPath: a path that passes has one reading only.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/a%20b", "/a/../b", "/%2e%2e/b", "/a%2fb", "/a;b", "/a%252e", "//a", "/caf%C3%A9", "/%ef%bc%8f", "/a%", "/a.", "/\x00", "*", "/%25", "/a/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkPath(s) != "" {
			return
		}
		decoded, err := url.PathUnescape(s)
		if err != nil {
			t.Fatalf("%q passes with %v", s, err)
		}
		trimmed := strings.TrimSuffix(decoded, "/")
		if trimmed != "" && path.Clean(trimmed) != trimmed {
			t.Errorf("%q passes and cleans to %q", s, path.Clean(trimmed))
		}
		if strings.Count(decoded, "/") != strings.Count(s, "/") || strings.ContainsAny(decoded, "\\;?#\x00\r\n") {
			t.Errorf("%q passes and decodes to %q", s, decoded)
		}
		if twice, err := url.PathUnescape(decoded); err == nil && twice != decoded {
			t.Errorf("%q passes and decodes twice to %q", s, twice)
		}
		if u := (&url.URL{Path: decoded, RawPath: s}); u.EscapedPath() != s {
			t.Errorf("%q passes and would be forwarded as %q", s, u.EscapedPath())
		}
	})
}

// FuzzQuery: a query that passes names no token and no method, however read.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "a=b", "access_token=x", "a=1&%61ccess_token=x", "_method=PUT", "a;b", "a=%zz", "access%5Ftoken[]=1", "q=%2f..", "&&=&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkQuery(s) != "" {
			return
		}
		values, err := url.ParseQuery(s)
		if err != nil {
			t.Fatalf("%q passes with %v", s, err)
		}
		for key := range values {
			if k := strings.ToLower(strings.TrimSpace(key)); k == "access_token" || k == "_method" {
				t.Errorf("%q passes with %q", s, key)
			}
		}
	})
}

// FuzzCredential: what passes is one token that a header can carry.
func FuzzCredential(f *testing.F) {
	for _, s := range []string{"Bearer abc", "bearer a=", "Bearer", "Basic x", "Bearer a, Bearer b", "Bearer\ta", "DPoP x", "Bearer spat_x", "Bearer a b", " Bearer a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cred, no, why := readCredential([]string{s})
		v := cred.token
		if (no == nil) != (why == "") {
			t.Fatalf("%q: %v with reason %q", s, no, why)
		}
		if no != nil {
			if !v.IsZero() {
				t.Errorf("%q is refused and still returned", s)
			}
			return
		}
		tok := v.Reveal()
		if len(tok) > secret.MaxHandle || strings.ContainsAny(tok, " \t\r\n,;\"\\") || !strings.EqualFold(s, schemeNames[cred.scheme]+" "+tok) {
			t.Errorf("%q passes as %q", s, tok)
		}
	})
}

// FuzzFind: whatever is found exactly is the operation of the very template.
func FuzzFind(f *testing.F) {
	root := &node{}
	root.add("/admin/keys", &operation{label: "admin"})
	root.add("/{a}/{b}", &operation{label: "two"})
	root.add("/items", &operation{label: "items"})
	for _, s := range []string{"/admin/keys", "/Admin/keys", "/x/keys", "/items", "/items/", "/%41dmin/keys", "/", "/a/b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkPath(s) != "" {
			return
		}
		op, exact := root.find(s)
		if op == nil || !exact {
			return
		}
		plain, _ := url.PathUnescape(s)
		if admin := strings.EqualFold(plain, "/admin/keys"); admin != (op.label == "admin") || admin && plain != "/admin/keys" {
			t.Errorf("%q finds %s", s, op.label)
		}
	})
}
