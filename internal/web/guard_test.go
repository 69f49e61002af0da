package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func (h *house) basic(id string) []string {
	req, _ := http.NewRequest(http.MethodPost, issuer, nil)
	req.SetBasicAuth(id, "wrong")
	return []string{"Authorization", req.Header.Get("Authorization")}
}

// Whoever shares the client's address must not be able to shut it out.
func TestGuessingLocksNobodyOut(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	grant := url.Values{"grant_type": {"client_credentials"}}
	throttled := false
	for i := range 40 {
		id := []string{"job", "%6aob", "j%6Fb"}[i%3] // one client, however it is spelt
		throttled = b.post("/oauth/token", grant, h.basic(id)...).StatusCode == http.StatusTooManyRequests
	}
	if !throttled {
		t.Error("forty wrong secrets in three spellings are not slowed down")
	}
	wantStatus(t, b.post("/oauth/token", h.credentials()), http.StatusOK)

	code := b.callback("client_id", "shop").Get("code")
	for range 40 {
		b.post("/oauth/token", url.Values{"grant_type": {"x"}, "client_id": {"shop"}, "client_secret": {"x"}})
	}
	res := b.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"shop"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {callback},
	})
	wantStatus(t, res, http.StatusOK)
	wantStatus(t, b.post("/oauth/revoke", url.Values{"client_id": {"shop"}, "token": {res.json(t)["refresh_token"].(string)}}), http.StatusOK)
}

func TestIN10FishingForTokensIsSlowedDown(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	good := b.post("/oauth/token", h.credentials()).json(t)["access_token"].(string)
	ask := func(tok string) reply {
		return b.post("/oauth/introspect", url.Values{"client_id": {"rs"}, "client_secret": {h.secret.Reveal()}, "token": {tok}})
	}
	var last reply
	for range 1100 {
		last = ask("spat_garbage")
	}
	wantStatus(t, last, http.StatusTooManyRequests)
	if last.Header.Get("Retry-After") == "" || strings.Contains(last.body, `"active"`) {
		t.Errorf("answer: %v %s", last.Header, last.body)
	}
	wantStatus(t, ask(good), http.StatusOK) // its real work goes on
}

// TL11: what a Host header says would reach backends as X-Forwarded-Host.
func TestTL11ForeignHostsReachNoAPI(t *testing.T) {
	called := 0
	gateway := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ })
	h := newHouse(t, options{gateway: gateway})
	b := h.browser()
	for host, want := range map[string]int{
		"auth.example.com": 200, "AUTH.example.com:443": 200, "api.example.com": 200,
		"evil.example": 421, "api.example.com.evil.example": 421, "api.example.com:8443": 421, "": 421, "192.0.2.1": 421,
	} {
		called = 0
		req := b.request(http.MethodGet, "/catalog/items/1", "")
		req.Host = host
		if host == "" {
			req.Host = " "
		}
		if got := b.do(req); got.StatusCode != want || (called == 1) != (want == 200) {
			t.Errorf("Host %q: status %d and %d calls, want %d", host, got.StatusCode, called, want)
		}
	}
}

// The session of the browser may be gone while the tokens of the sign-in live.
func TestRV11LogoutEndsTheSignInOfTheHint(t *testing.T) {
	h := newHouse(t, options{})
	active := func(tok any) bool {
		return strings.Contains(h.browser().post("/oauth/introspect", url.Values{
			"client_id": {"web"}, "client_secret": {h.secret.Reveal()}, "token": {tok.(string)},
		}).body, `"active":true`)
	}
	logout := func(b *browser, tok map[string]any) reply {
		return b.get("/oauth/logout?id_token_hint=" + url.QueryEscape(tok["id_token"].(string)))
	}
	t.Run("a hint without the cookie ends nothing", func(t *testing.T) {
		b := h.browser()
		tok := b.tokens()
		stranger := h.browser()
		if page := logout(stranger, tok); page.StatusCode != 200 || !active(tok["refresh_token"]) || !active(tok["access_token"]) {
			t.Errorf("status %d, and whoever has seen an ID token could end the sign-in", page.StatusCode)
		}
		logout(b, tok)
		if active(tok["refresh_token"]) {
			t.Error("nor does it with the cookie")
		}
	})
	t.Run("the session has timed out", func(t *testing.T) {
		b := h.browser()
		tok := b.tokens()
		h.clock.advance(2 * time.Hour)
		if err := h.feed.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !active(tok["refresh_token"]) {
			t.Fatal("the refresh token is dead before logout")
		}
		if logout(b, tok); active(tok["refresh_token"]) {
			t.Error("the tokens live on")
		}
	})
	t.Run("she has signed in again since", func(t *testing.T) {
		b := h.browser()
		first := b.tokens()
		r := b.follow(b.submit(b.loginPage("client_id", "web", "prompt", "login"), "username", "ada", "password", password))
		if r.StatusCode >= 400 {
			t.Fatalf("status %d", r.StatusCode)
		}
		if page := b.get("/oauth/logout"); !strings.Contains(b.follow(b.submit(page)).body, "You are signed out") || active(first["refresh_token"]) {
			t.Error("tokens of the first sign-in outlive signing out of the second")
		}
	})
	t.Run("the session had timed out when she signed in again", func(t *testing.T) {
		b := h.browser()
		first := b.tokens()
		h.clock.advance(2 * time.Hour)
		if err := h.feed.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.tokens()
		b.follow(b.submit(b.get("/oauth/logout")))
		if active(first["refresh_token"]) {
			t.Error("tokens of the first sign-in outlive signing out")
		}
	})
}
