package web

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever the decoder lets through is text, bounded, and each name once.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "a=b", "a=b&a=c", "a", "=", "%", "a=%00", "a=%ff", "a;b=c", "code=x&code=", strings.Repeat("a&", 200),
		"grant_type=authorization_code&code=spac_x&redirect_uri=https%3A%2F%2Fa%2Fb", "a=%u0041", "a=+%20", "\x00=1",
	} {
		f.Add(seed, "application/x-www-form-urlencoded", "")
		f.Add(seed, "application/x-www-form-urlencoded; charset=UTF-8", seed)
	}
	s := &site{}
	f.Fuzz(func(t *testing.T, body, contentType, query string) {
		r := httptest.NewRequest("POST", "https://auth.example.com/oauth/token", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.URL.RawQuery = query
		p, err := s.decode(httptest.NewRecorder(), r, classProtocol.rules())
		if err != nil {
			if what := problemOf(r, err, classProtocol.rules()); what.status < 400 || what.status >= 500 {
				t.Errorf("%q: status %d", body, what.status)
			}
			return
		}
		want, _ := url.ParseQuery(body)
		for name, values := range p {
			if len(values) != 1 && !mayRepeat[name] || values[0] == "" && len(values) == 1 {
				t.Errorf("%q: %q has the values %q", body, name, values)
			}
			for _, v := range values {
				if !utf8.ValidString(v) || strings.Contains(v, "\x00") {
					t.Errorf("%q: %q is not text: %q", body, name, v)
				}
			}
			if values[0] != want.Get(name) {
				t.Errorf("%q: %q = %q is not from the body", body, name, values[0])
			}
		}
	})
}

func TestLG04WhatIsLoggedIsHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                   "plain",
		"a\r\nfake line":          "a  fake line",
		"\x1b[31mred":             " [31mred",
		"line\u2028sep\u2029x":    "line sep x",
		"turn\u202earound":        "turn around",
		"bad\xffutf":              "bad utf",
		"spat_AAAA in the middle": "spat_[redacted] in the middle",
		"x=sprt_abc-DEF_1&spcs_q": "x=sprt_[redacted]&spcs_[redacted]",
		"eyJ is a word":           "eyJ is a word",
		"a eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln b": "a eyJ[redacted] b",
		"cut eyJhbGciOiJFUzI1NiIsImtpZCI6":              "cut eyJ[redacted]",
		strings.Repeat("é", 600) + "":                   strings.Repeat("é", 256) + "…",
	} {
		if got := safe(in, maxLogged); got != want {
			t.Errorf("safe(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLegible(t *testing.T) {
	for in, want := range map[string]string{
		"Shop":                                 "Shop",
		"  a \t\n b  ":                         "a b",
		"x\u202eevil\u2066y":                   "xevily",
		"tower" + strings.Repeat("\u0301", 50): "tower\u0301\u0301",
		strings.Repeat("n", 500):               strings.Repeat("n", 80) + "…",
		"\x00\x1b[1m":                          "[1m",
		"\u0301start":                          "start",
		"zero\u200bwidth\u00adhy":              "zerowidthhy",
	} {
		if got := legible(in); got != want {
			t.Errorf("legible(%q) = %q, want %q", in, got, want)
		}
	}
}
