package upstream_test

import (
	"net/mail"
	"strings"
	"testing"

	"sallyport/internal/upstream"
)

// Whatever a provider answers, nothing of it is taken for what it is not.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		`{"issuer":"https://id.example","authorization_endpoint":"https://id.example/a","token_endpoint":"https://id.example/t","jwks_uri":"https://id.example/j","id_token_signing_alg_values_supported":["RS256"]}`,
		`{"access_token":"a","id_token":"b"}`, `{"sub":"u-1","email":"a@b.example"}`, `{"id":583231,"login":"octocat","type":"User"}`,
		`[{"email":"a@b.example","primary":true,"verified":true}]`, `{"http://schemas.openid.net/event/backchannel-logout":{}}`, `[]},"emails":[{}]`, `{"id":1e3}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, subject, email := upstream.ParseAll(b)
		if strings.Trim(subject, "0123456789") != "" || strings.HasPrefix(subject, "0") {
			t.Errorf("subject %q", subject)
		}
		if email != "" && !upstream.IsAddress(email) {
			t.Errorf("address %q", email)
		}
	})
}

// What we take for an address, a reader of RFC 5322 takes for the same one.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"ada@example.com", "a@x@y.example", `"a@b"@example.com`, "a@b.example,c@d.example", "ä@example.com", "a @b.example", "a@b.example>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !upstream.IsAddress(s) {
			return
		}
		if a, err := mail.ParseAddress("<" + s + ">"); err == nil && a.Address != s {
			t.Errorf("%q is read as %q", s, a.Address)
		}
		if strings.Count(s, "@") != 1 {
			t.Errorf("%q has more than one domain", s)
		}
	})
}
