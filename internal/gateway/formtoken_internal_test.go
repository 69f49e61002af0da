package gateway

import (
	"net/url"
	"strings"
	"testing"
)

// What is cut is what the standard library reads, and nothing of it stays.
func FuzzFormToken(f *testing.F) {
	for _, s := range []string{"access_token=abc", "a=1&access_token=abc&b=2", "access%5ftoken=x", "Access_Token=x", "access_token=a&access_token=b", "&&", "a=1;access_token=x", "access_token=%41", "access_token[]=x", "access_token=%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		tok, rest, why := cutFormToken([]byte(body))
		if why != "" {
			return
		}
		before, err := url.ParseQuery(body)
		if tok == "" {
			if len(before["access_token"]) > 0 {
				t.Errorf("%q: has %q", body, before["access_token"])
			}
			return
		}
		if err == nil && (len(before["access_token"]) != 1 || before.Get("access_token") != tok) {
			t.Errorf("%q: got %q, net/url reads %q", body, tok, before["access_token"])
		}
		after, _ := url.ParseQuery(string(rest))
		for name := range after {
			if strings.EqualFold(name, "access_token") {
				t.Errorf("%q: %q still has it", body, rest)
			}
		}
		delete(before, "access_token")
		if err == nil && len(after) != len(before) {
			t.Errorf("%q became %q", body, rest)
		}
	})
}
