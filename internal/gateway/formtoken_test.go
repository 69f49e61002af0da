package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"sallyport/internal/gateway"
	"sallyport/internal/secret"
)

// postForm sends a body that says its length.
func (f *fixture) postForm(target, body string, lines ...string) answer {
	f.t.Helper()
	return f.call("POST", target, append(lines, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))...)
}

func TestGW02TheTokenInAForm(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, withOperations(
		gateway.Operation{Method: "POST", Path: "/items", Scope: "catalog.read", FormToken: true},
		gateway.Operation{Method: "PUT", Path: "/items", Scope: "catalog.read"},
		gateway.Operation{Method: "POST", Path: "/off", Scope: "catalog.read"},
	))
	tok := strings.TrimPrefix(f.bearer(), "Bearer ")
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, target, body string
		lines              []string
		status             int
		reason             string
		forwarded          string
	}{
		{"first", "/catalog/items", "access_token=" + tok + "&a=1&b=%20", []string{form}, 200, "", "a=1&b=%20"},
		{"last", "/catalog/items", "a=1&b=+&access_token=" + tok, []string{form + "; charset=UTF-8"}, 200, "", "a=1&b=+"},
		{"alone", "/catalog/items", "access_token=" + tok, []string{form}, 200, "", ""},
		{"escaped", "/catalog/items", "access_token=" + strings.ReplaceAll(tok, "_", "%5F"), []string{form}, 200, "", ""},
		{"off by default", "/catalog/off", "access_token=" + tok, []string{form}, 401, "no_credential", ""},
		{"none", "/catalog/items", "a=1", []string{form}, 401, "no_credential", ""},
		{"another content type", "/catalog/items", "access_token=" + tok, []string{"Content-Type: text/plain"}, 401, "no_credential", ""},
		{"two content types", "/catalog/items", "access_token=" + tok, []string{form, "Content-Type: text/plain"}, 401, "no_credential", ""},
		{"another charset", "/catalog/items", "access_token=" + tok, []string{form + "; charset=utf-16"}, 401, "no_credential", ""},
		{"compressed", "/catalog/items", "access_token=" + tok, []string{form, "Content-Encoding: gzip"}, 401, "no_credential", ""},
		{"twice", "/catalog/items", "access_token=" + tok + "&access_token=" + tok, []string{form}, 400, "repeated_credential", ""},
		{"in another case", "/catalog/items", "Access_Token=" + tok, []string{form}, 400, "repeated_credential", ""},
		{"its name escaped", "/catalog/items", "access%5Ftoken=" + tok, []string{form}, 400, "repeated_credential", ""},
		{"header and form", "/catalog/items", "access_token=" + tok, []string{form, "Authorization: Bearer " + tok}, 400, "repeated_credential", ""},
		{"header alone", "/catalog/items", "a=1", []string{form, "Authorization: Bearer " + tok}, 200, "", "a=1"},
		{"with a proof", "/catalog/items", "access_token=" + tok, []string{form, "DPoP: x"}, 400, "credential_in_form", ""},
		{"an API key", "/catalog/items", "access_token=" + secret.NewHandle(secret.APIKey).Reveal(), []string{form}, 400, "credential_in_form", ""},
		{"a semicolon", "/catalog/items", "a=1;access_token=" + tok, []string{form}, 400, "body_malformed", ""},
		{"a line break", "/catalog/items", "a=1\r\naccess_token=" + tok, []string{form}, 400, "body_malformed", ""},
		{"no token", "/catalog/items", "access_token=", []string{form}, 400, "malformed_credential", ""},
		{"not a token", "/catalog/items", "access_token=%00", []string{form}, 400, "malformed_credential", ""},
		{"a long form", "/catalog/items", "access_token=" + tok + "&a=" + strings.Repeat("x", 64<<10), []string{form}, 401, "no_credential", ""},
		{"another token", "/catalog/items", "access_token=abc", []string{form}, 401, "token_form", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := f.postForm(c.target, c.body, c.lines...)
			reasons := strings.Join(f.reasons(), " ")
			if got.Status != c.status || !strings.Contains(reasons, c.reason) {
				t.Errorf("%d %q, reasons %q; want %d %q", got.Status, got.Code, reasons, c.status, c.reason)
			}
			calls := f.taken()
			if (len(calls) == 1) != (c.status == 200) {
				t.Fatalf("%d calls reached the backend", len(calls))
			}
			if c.status == 200 && calls[0].Body != c.forwarded {
				t.Errorf("the backend got %q, want %q", calls[0].Body, c.forwarded)
			}
		})
	}
}

func TestGW02NoFormWithGET(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for method, refused := range map[string]bool{"GET": true, "HEAD": true, "POST": false} {
		o := gateway.Options{Issuer: issuer, APIs: []gateway.API{{Name: "catalog", Operations: []gateway.Operation{{Method: method, Path: "/items", Scope: "s", FormToken: true}}}}}
		o.Ring, o.Feed, o.Now, o.Proofs = f.ring, f.feed, f.now, newProofs(t, f.ring, f.now)
		if _, err := gateway.New(o); (err != nil && strings.Contains(err.Error(), "form_token")) != refused {
			t.Errorf("%s with a form: %v", method, err)
		}
	}
}
