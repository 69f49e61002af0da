package web_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const bye = "https://app.example.com/bye"

func logoutURL(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "/oauth/logout?" + q.Encode()
}

// signedIn reports whether the browser still has a session.
func (b *browser) signedIn() bool {
	return !strings.HasPrefix(b.get(authorizeURL("client_id", "web")).Header.Get("Location"), "/login?")
}

// The modules of the OpenID Foundation's RP-initiated logout plan, by name: what
// each sends, and what the person and the app may see.
func TestConformanceRPInitiatedLogout(t *testing.T) {
	h := newHouse(t, options{})
	flip := func(jwt string) string { // claims changed, signature kept
		parts := strings.Split(jwt, ".")
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(claims, &m); err != nil {
			t.Fatal(err)
		}
		m["sub"] = "somebody"
		claims, _ = json.Marshal(m)
		return parts[0] + "." + base64.RawURLEncoding.EncodeToString(claims) + "." + parts[2]
	}
	const (
		redirect = "redirect"
		page     = "page" // signed out, at a page of ours
		confirm  = "confirm"
		refused  = "error page"
	)
	for module, c := range map[string]struct {
		pairs    func(hint string) []string
		want     string
		location string
	}{
		"oidcc-rp-initiated-logout": {func(hint string) []string {
			return []string{"id_token_hint", hint, "post_logout_redirect_uri", bye, "state", "s"}
		}, redirect, bye + "?state=s"},
		"oidcc-rp-initiated-logout-bad-id-token-hint": {func(string) []string {
			return []string{"id_token_hint", "not.a.jwt", "post_logout_redirect_uri", bye, "state", "s"}
		}, refused, ""},
		"oidcc-rp-initiated-logout-modified-id-token-hint": {func(hint string) []string {
			return []string{"id_token_hint", flip(hint), "post_logout_redirect_uri", bye, "state", "s"}
		}, refused, ""},
		"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": {func(hint string) []string {
			return []string{"id_token_hint", hint, "post_logout_redirect_uri", "https://app.example.com/other", "state", "s"}
		}, refused, ""},
		"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": {func(hint string) []string {
			return []string{"id_token_hint", hint, "post_logout_redirect_uri", bye + "?foo=bar", "state", "s"}
		}, refused, ""},
		"oidcc-rp-initiated-logout-no-id-token-hint": {func(string) []string {
			return []string{"post_logout_redirect_uri", bye, "state", "s"}
		}, confirm, ""},
		"oidcc-rp-initiated-logout-no-params":                   {func(string) []string { return nil }, confirm, ""},
		"oidcc-rp-initiated-logout-only-state":                  {func(string) []string { return []string{"state", "s"} }, confirm, ""},
		"oidcc-rp-initiated-logout-no-state":                    {func(hint string) []string { return []string{"id_token_hint", hint, "post_logout_redirect_uri", bye} }, redirect, bye},
		"oidcc-rp-initiated-logout-no-post-logout-redirect-uri": {func(hint string) []string { return []string{"id_token_hint", hint, "state", "s"} }, page, ""},
	} {
		t.Run(module, func(t *testing.T) {
			b := h.browser()
			r := b.get(logoutURL(c.pairs(b.tokens()["id_token"].(string))...))
			got := map[bool]string{true: redirect}[r.StatusCode == 303]
			switch {
			case strings.Contains(r.body, `id="confirm"`):
				got = confirm
			case r.StatusCode == 400 && strings.Contains(r.body, `<code id="error">invalid_request</code>`):
				got = refused
			case r.StatusCode == 200 && strings.Contains(r.body, "You are signed out"):
				got = page
			}
			if got != c.want || r.Header.Get("Location") != c.location {
				t.Fatalf("RV11 RV12 %s, Location %q: %s; want %s", got, r.Header.Get("Location"), r.body, c.want)
			}
			if ended := c.want == redirect || c.want == page; b.signedIn() == ended {
				t.Errorf("RV11 still signed in is %t", !ended)
			}
			if c.want == confirm {
				r = b.submit(r)
				if r.Header.Get("Location") != "/oauth/logout" || b.signedIn() || !strings.Contains(b.follow(r).body, "You are signed out") {
					t.Errorf("RV12 after confirming: %q", r.Header.Get("Location"))
				}
			}
		})
	}
}

func TestRV11NoPageOfAnotherSignsSomebodyOut(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	hint := b.tokens()["id_token"].(string)
	for name, r := range map[string]reply{
		"an image on a page of another site":  h.browser().get(logoutURL("id_token_hint", hint), "Sec-Fetch-Dest", "image", "Sec-Fetch-Site", "cross-site"),
		"an image on a page of the same site": b.get(logoutURL("id_token_hint", hint), "Sec-Fetch-Dest", "image", "Sec-Fetch-Site", "same-site"),
		"a frame":                             b.get(logoutURL("id_token_hint", hint), "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-site"),
		"a POST of another site":              h.browser().post("/oauth/logout", url.Values{"id_token_hint": {hint}}, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"),
	} {
		if !b.signedIn() {
			t.Fatalf("%s signed out: %d", name, r.StatusCode)
		}
	}
	if b.get(logoutURL("id_token_hint", hint), "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"); b.signedIn() {
		t.Error("nor does a link of the app")
	}
}

func TestRV11AHintOfSomebodyElseEndsTheOwnSessionAlone(t *testing.T) {
	h := newHouse(t, options{})
	if _, err := h.accounts.AddUser(t.Context(), account.NewUser{Username: "bob", Password: secret.New(password)}); err != nil {
		t.Fatal(err)
	}
	ada, bob := h.browser(), h.browser()
	adas := ada.tokens()
	bob.follow(bob.submit(bob.loginPage("client_id", "web"), "username", "bob", "password", password))
	page := bob.get(logoutURL("id_token_hint", adas["id_token"].(string), "post_logout_redirect_uri", bye))
	if !strings.Contains(page.body, `id="confirm"`) || !bob.signedIn() {
		t.Fatalf("status %d: bob was not asked", page.StatusCode)
	}
	if r := bob.submit(page); r.Header.Get("Location") != bye || bob.signedIn() {
		t.Errorf("status %d to %q after he agreed", r.StatusCode, r.Header.Get("Location"))
	}
	if !ada.signedIn() {
		t.Error("bob has signed ada out, with an ID token of hers")
	}
}

// The old cookie is worth nothing, whoever kept it.
func TestRV22SigningOutEndsTheSessionAndNotTheCookieAlone(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	hint := b.tokens()["id_token"].(string)
	old := b.cookie("__Host-sallyport")
	r := b.get(logoutURL("id_token_hint", hint))
	set := r.Header.Get("Set-Cookie")
	for _, part := range []string{"__Host-sallyport=;", "Path=/", "Max-Age=0", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(set, part) {
			t.Errorf("the cookie is cleared by %q, without %s", set, part)
		}
	}
	if got := r.Header.Get("Clear-Site-Data"); got != `"storage"` {
		t.Errorf("Clear-Site-Data is %q", got)
	}
	again := h.browser().get(authorizeURL("client_id", "web"), "Cookie", "__Host-sallyport="+old)
	if !strings.HasPrefix(again.Header.Get("Location"), "/login?") {
		t.Errorf("the old cookie leads to %q", again.Header.Get("Location"))
	}
}

func TestRV12ADisabledClientIsSentNobody(t *testing.T) {
	h := newHouse(t, options{})
	now := h.clock.now()
	left := oauth.Client{
		ID: "left", Name: "Left", Secrets: []oauth.ClientSecret{{Hash: ofAll.Hash()}}, Type: oauth.Server, Scope: "openid catalog.read",
		RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{bye}, Epoch: secret.NewID(now), CreatedAt: now,
	}
	if err := h.store.OAuth().AddClient(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	hint := b.tokensOf("left", callback)["id_token"].(string)
	if err := h.store.OAuth().SetClientDisabled(t.Context(), "left", true, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.oauth.ForgetClient("left")
	r := b.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", bye))
	if to := r.Header.Get("Location"); to != "" || r.StatusCode != 200 {
		t.Errorf("status %d, sent to %q", r.StatusCode, to)
	}
	if b.signedIn() {
		t.Error("the session lives on")
	}
}

// Hosts of apps that are known by an address must not hold up signing out.
func TestRV14SigningOutDoesNotWaitForHostsOfApps(t *testing.T) {
	const app = "https://app.example.com/client.json"
	body := `{"client_id":"` + app + `","client_name":"App","redirect_uris":["` + callback + `"],"post_logout_redirect_uris":["` + bye + `"],
		"frontchannel_logout_uri":"https://app.example.com/out","grant_types":["authorization_code"]}`
	var down atomic.Bool
	h := newHouse(t, options{change: func(o *oauth.Options) {
		o.Documents = oauth.DocumentPolicy{On: true, Scope: "openid catalog.read"}
		o.FetchDocument = func(ctx context.Context, _ string) ([]byte, time.Duration, error) {
			if down.Load() {
				<-ctx.Done()
				return nil, 0, ctx.Err()
			}
			return []byte(body), 0, nil
		}
	}})
	b := h.browser()
	tok := b.tokensOf(app, callback)
	hint, ok := tok["id_token"].(string)
	if !ok {
		t.Fatal(tok)
	}
	down.Store(true)
	h.clock.advance(2 * time.Hour) // the document would be fetched anew
	begun := time.Now()
	r := b.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", bye))
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("signing out took %s", took)
	}
	if page := b.follow(r); !strings.Contains(page.body, `<iframe src="https://app.example.com/out?`) || !strings.Contains(page.body, `href="`+bye+`"`) {
		t.Errorf("status %d:\n%s", page.StatusCode, page.body)
	}
	if b.signedIn() {
		t.Error("the session lives on")
	}
	h.clock.advance(48 * time.Hour) // nothing is known of it any more
	begun = time.Now()
	r = b.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", bye))
	if took := time.Since(begun); took > 5*time.Second || r.StatusCode != 200 {
		t.Errorf("an app that is gone: status %d after %s", r.StatusCode, took)
	}
}

func TestFrontChannelLogout(t *testing.T) {
	hashed := []oauth.ClientSecret{{Hash: ofAll.Hash()}}
	h := newHouse(t, options{clients: []oauth.Client{
		{ID: "framed", Secrets: hashed, Type: oauth.Server, Scope: "openid catalog.read", RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{bye, "com.example.shop:/bye"}, Settings: oauth.Settings{FrontChannelURI: "https://app.example.com/out?x=1"}},
		{ID: "framed2", Secrets: hashed, Type: oauth.Server, Scope: "openid catalog.read", RedirectURIs: []string{"https://two.example/cb"}, Settings: oauth.Settings{FrontChannelURI: "https://two.example/out"}},
	}})
	b := h.browser()
	tok := b.tokensOf("framed", callback)
	b.tokensOf("framed2", "https://two.example/cb")
	sid := claimsOf(t, tok["id_token"].(string))["sid"].(string)
	page := b.follow(b.get(logoutURL("id_token_hint", tok["id_token"].(string), "post_logout_redirect_uri", bye, "state", "s")))
	wantStatus(t, page, 200)
	if b.signedIn() {
		t.Error("the session lives on")
	}
	for _, uri := range []string{
		"https://app.example.com/out?x=1&amp;iss=" + url.QueryEscape(issuer) + "&amp;sid=" + sid,
		"https://two.example/out?iss=" + url.QueryEscape(issuer) + "&amp;sid=" + sid,
	} {
		if !strings.Contains(page.body, `<iframe src="`+uri+`"`) {
			t.Errorf("there is no frame of %s:\n%s", uri, page.body)
		}
	}
	csp := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-src https://app.example.com https://two.example") || !strings.Contains(csp, "script-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("AZ12 Content-Security-Policy is %q", csp)
	}
	if got, want := page.Header.Get("Refresh"), "5; url="+bye+"?state=s"; got != want {
		t.Errorf("Refresh is %q, want %q", got, want)
	}
	if !strings.Contains(page.body, `<a id="continue" class="button primary" href="`+bye+`?state=s">`) {
		t.Errorf("there is no link to go on:\n%s", page.body)
	}
	h.clock.advance(31 * time.Minute)
	if late := b.get(page.Request.URL.RequestURI()); late.StatusCode != 400 || late.Header.Get("Refresh") != "" {
		t.Errorf("RV12 an old link still leads on: %d %q", late.StatusCode, late.Header.Get("Refresh"))
	}
	forged := b.get("/oauth/signed-out?flow=" + url.QueryEscape(strings.TrimPrefix(h.browser().post("/oauth/logout", url.Values{"to": {"https://evil.example"}}).Header.Get("Location"), "/oauth/logout?flow=")))
	if forged.StatusCode != 400 || forged.Header.Get("Refresh") != "" {
		t.Errorf("RV12 a request became an answer: %d %q", forged.StatusCode, forged.Header.Get("Refresh"))
	}
}

// ofAll is the secret of clients that tests add.
var ofAll = secret.NewHandle(secret.ClientSecret)

// tokensOf signs in at such a client and redeems the code.
func (b *browser) tokensOf(client, uri string) map[string]any {
	b.t.Helper()
	change := []string{"client_id", client, "redirect_uri", uri}
	r := b.follow(b.get(authorizeURL(change...)))
	if strings.Contains(r.body, `id="login"`) {
		r = b.follow(b.submit(r, "username", "ada", "password", password))
	}
	if r.Header.Get("Location") == "" {
		r = b.submit(r, "decision", "allow")
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "client_secret": {ofAll.Reveal()},
		"code": {mustURL(b.t.(*testing.T), r.Header.Get("Location")).Query().Get("code")}, "code_verifier": {verifier}, "redirect_uri": {uri},
	}
	if strings.HasPrefix(client, "https://") { // which has none
		form.Del("client_secret")
	}
	return b.post("/oauth/token", form).json(b.t)
}

func claimsOf(t *testing.T, jwt string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLogoutIsInMetadata(t *testing.T) {
	m := newHouse(t, options{}).browser().get("/.well-known/openid-configuration").json(t)
	for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported"} {
		if m[name] != true {
			t.Errorf("%s is %v", name, m[name])
		}
	}
}
