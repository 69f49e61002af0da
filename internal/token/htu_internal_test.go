package token

import (
	"strings"
	"testing"
)

func TestPP07NormalForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://api.example.com/a":                  "https://api.example.com/a",
		"HTTPS://API.EXAMPLE.COM:443/a":              "https://api.example.com/a",
		"http://api.example.com:80":                  "http://api.example.com/",
		"https://api.example.com:80/":                "https://api.example.com:80/",
		"https://api.example.com:/a":                 "https://api.example.com/a",
		"https://api.example.com?q=1#f":              "https://api.example.com/",
		"https://api.example.com/a?q=/../x#y":        "https://api.example.com/a",
		"https://api.example.com/a#?":                "https://api.example.com/a",
		"https://api.example.com/%7euser/%2f%c3%a9":  "https://api.example.com/~user/%2F%C3%A9",
		"https://api.example.com/A;b=1/@:!$&'()*+,=": "https://api.example.com/A;b=1/@:!$&'()*+,=",
		"https://[2001:DB8::1]:8443/a":               "https://[2001:db8::1]:8443/a",
		"https://[::1]:443/a":                        "https://[::1]/a",
		"https://a_b.internal/a//b":                  "https://a_b.internal/a//b",
		"https://api.example.com/..a/.b/c..":         "https://api.example.com/..a/.b/c..",
		"":                                           "",
		"https:":                                     "",
		"https:///a":                                 "",
		"https://:443/a":                             "",
		"//api.example.com/a":                        "",
		"ftp://api.example.com/a":                    "",
		"wss://api.example.com/a":                    "",
		" https://api.example.com/a":                 "",
		"https://u@api.example.com/a":                "",
		"https://u:p@api.example.com/a":              "",
		"https://@api.example.com/a":                 "",
		"https://api.example.com:443:443/a":          "",
		"https://api.example.com:44x/a":              "",
		"https://api.example.com:000443/a":           "",
		"https://api.example.com\\@evil.example/a":   "",
		"https://api%2eexample.com/a":                "",
		"https://api.exampl\u00e9.com/a":             "",
		"https://[::1/a":                             "",
		"https://::1/a":                              "",
		"https://[::1%25eth0]/a":                     "",
		"https://api.example.com/a/../b":             "",
		"https://api.example.com/a/./b":              "",
		"https://api.example.com/a/..":               "",
		"https://api.example.com/a/%2e%2E/b":         "",
		"https://api.example.com/a/.%2e":             "",
		"https://api.example.com/%":                  "",
		"https://api.example.com/%4":                 "",
		"https://api.example.com/%zz":                "",
		"https://api.example.com/a b":                "",
		"https://api.example.com/a\\b":               "",
		"https://api.example.com/a\x00":              "",
		"https://api.example.com/caf\u00e9":          "",
		"https://api.example.com/[a]":                "",
	} {
		got, ok := appendHTU(nil, in)
		if ok != (want != "") || ok && string(got) != want {
			t.Errorf("%q: %q, %v; want %q", in, got, ok, want)
		}
	}
}

func FuzzHTU(f *testing.F) {
	for _, s := range []string{
		"https://api.example.com/a", "HTTP://[::1]:80/%7e/../x?y#z", "https://u@h:1/", "https://h/%2e%2e/;a", "https://h:/", "://", "https://",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := appendHTU(nil, s)
		if !ok {
			return
		}
		again, ok := appendHTU(nil, string(got))
		if !ok || string(again) != string(got) {
			t.Fatalf("%q: the normal form %q has another: %q, %v", s, got, again, ok)
		}
		_, rest, _ := strings.Cut(string(got), "://")
		host, path, found := strings.Cut(rest, "/")
		if !found || host == "" || strings.ContainsAny(host, "@%\\?#") || strings.ContainsAny(path, "?#\\ ") {
			t.Fatalf("%q: %q", s, got)
		}
		for seg := range strings.SplitSeq(path, "/") {
			if seg == "." || seg == ".." {
				t.Fatalf("%q: %q", s, got)
			}
		}
		if len(got) > 2*len(s)+1 {
			t.Fatalf("%q grew to %q", s, got)
		}
	})
}
