package token_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"sallyport/internal/token"
)

// What was agreed to in detail needs no scope beside it (RFC 9396 §3), but a token
// that allows nothing is none.
func TestPR13JWTsOfDetailsAlone(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	reader, err := token.NewAccessReader(ring, "https://auth.example.com", clock)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Scope, want.Details = "", `[{"type":"payment"}]`
	jwt, err := ring.SignAccess(&want, "https://auth.example.com")
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var a token.Access
	if _, err := reader.Open(t.Context(), jwt.Reveal(), &a); err != nil || a.Details != want.Details || a.Scope != "" || strings.Contains(string(payload), `"scope"`) {
		t.Errorf("%v: scope %q, details %q: %s", err, a.Scope, a.Details, payload)
	}
	nothing := strings.Replace(string(payload), `,"authorization_details":[{"type":"payment"}]`, "", 1)
	none, err := ring.Signer(token.SignAccess).Sign(token.TypeAccess, []byte(nothing))
	if err != nil || len(nothing) == len(payload) {
		t.Fatal(err, nothing)
	}
	if _, err := reader.Open(t.Context(), none, &a); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("a token that allows nothing: %v", err)
	}
}

// Even what our own key has signed is read strictly: a token that says how it is
// bound in a way that we cannot check must not pass as one that is bound to
// nothing, or to less.
func TestJ096J085ReaderOfJWTAccessTokens(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	reader, err := token.NewAccessReader(ring, "https://auth.example.com", clock)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	good, err := ring.SignAccess(&want, "https://auth.example.com")
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(good.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := string(payload)
	digest := base64.RawURLEncoding.EncodeToString(want.Confirm.Digest[:])
	cnf, aud := `{"jkt":"`+digest+`"}`, `["https://api.example.com/catalog","https://auth.example.com"]`
	open := func(old, now string) (a token.Access, err error) {
		if !strings.Contains(claims, old) {
			t.Fatalf("%s is not in %s", old, claims)
		}
		jwt, err := ring.Signer(token.SignAccess).Sign(token.TypeAccess, []byte(strings.Replace(claims, old, now, 1)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = reader.Open(t.Context(), jwt, &a)
		return a, err
	}
	for name, c := range map[string]struct {
		old, now string
		confirm  token.Confirmation
	}{
		"J096 the same":                {cnf, cnf, want.Confirm},
		"J096 bound to a certificate":  {cnf, `{"x5t#S256":"` + digest + `"}`, token.Confirmation{Method: token.ConfirmX5T, Digest: want.Confirm.Digest}},
		"J096 bound to nothing":        {`,"cnf":` + cnf, "", token.Confirmation{}},
		"J085 one audience, as a text": {aud, `"https://api.example.com/catalog"`, want.Confirm},
	} {
		if a, err := open(c.old, c.now); err != nil || a.Confirm != c.confirm {
			t.Errorf("%s: %+v, %v", name, a.Confirm, err)
		}
	}
	member := func(name string) string { return `"` + name + `":"` + digest + `"` }
	for name, c := range map[string]struct{ old, now string }{
		"J085 an audience with a space":         {aud, `"https://api.example.com/catalog https://auth.example.com"`},
		"J085 one of two with a space":          {aud, `["https://api.example.com/catalog","https://a.example https://b.example"]`},
		"J096 two methods":                      {cnf, "{" + member("jkt") + "," + member("x5t#S256") + "}"},
		"J096 two methods, the other first":     {cnf, "{" + member("x5t#S256") + "," + member("jkt") + "}"},
		"J096 an unknown method":                {cnf, "{" + member("kid") + "}"},
		"J096 an unknown method before a known": {cnf, "{" + member("x5t") + "," + member("jkt") + "}"},
		"J096 an unknown method after a known":  {cnf, "{" + member("jkt") + "," + member("x5t") + "}"},
		"J096 another spelling":                 {cnf, "{" + member("JKT") + "}"},
		"J096 no method":                        {cnf, "{}"},
		"J096 no object":                        {cnf, `"` + digest + `"`},
		"J096 null":                             {cnf, "null"},
		"J096 a digest that is cut":             {cnf, `{"jkt":"` + digest[:42] + `"}`},
		"J096 a digest that is no text":         {cnf, `{"jkt":1}`},
		"J096 a key instead of its digest":      {cnf, `{"jwk":{"kty":"EC"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if a, err := open(c.old, c.now); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("read as %+v for %q: %v", a.Confirm, a.Audience, err)
			}
		})
	}
}
