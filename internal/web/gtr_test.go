package web_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/oauth"
)

func TestRV15GlobalRevocationEndpoint(t *testing.T) {
	hashed := []oauth.ClientSecret{{Hash: ofAll.Hash()}}
	h := newHouse(t, options{change: func(o *oauth.Options) { o.GlobalRevocation = true }, clients: []oauth.Client{{ID: "watch", Type: oauth.ServiceClient, Scope: oauth.GlobalRevocationScope, Secrets: hashed}}})
	b := h.browser()
	b.tokens()
	call := func(auth, contentType, body string) reply {
		req := b.request(http.MethodPost, "/oauth/global-token-revocation", body)
		req.Header.Set("Content-Type", contentType)
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		return h.browser().do(req)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("watch:"+ofAll.Reveal()))
	hers := `{"sub_id":{"format":"opaque","id":"` + h.user.ID + `"}}`
	for name, c := range map[string]struct {
		auth, contentType, body string
		status                  int
	}{
		"no authentication": {"", "application/json", hers, 401},
		"not JSON":          {basic, "text/plain", hers, 415},
		"malformed":         {basic, "application/json", `{"sub_id":{}}`, 400},
		"too large":         {basic, "application/json", `{"x":"` + strings.Repeat("a", 5000) + `"}`, 413},
		"nobody":            {basic, "application/json", `{"sub_id":{"format":"email","email":"nobody@example.com"}}`, 204},
	} {
		if r := call(c.auth, c.contentType, c.body); r.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, r.StatusCode, c.status, r.body)
		}
	}
	if !b.signedIn() {
		t.Fatal("she was signed out by what was refused")
	}
	if r := call(basic, "application/json", hers); r.StatusCode != 204 || r.body != "" || b.signedIn() {
		t.Errorf("status %d %q, signed in %t", r.StatusCode, r.body, b.signedIn())
	}
	m := b.get("/.well-known/openid-configuration").json(t)
	if got := m["global_token_revocation_endpoint"]; got != issuer+"/oauth/global-token-revocation" {
		t.Errorf("metadata says %v", got)
	}
	off := newHouse(t, options{}).browser()
	if r := off.post("/oauth/global-token-revocation", nil); r.StatusCode != 404 {
		t.Errorf("status %d where it is switched off", r.StatusCode)
	}
}
