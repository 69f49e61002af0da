package web_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/upstream"
	"sallyport/internal/web"
)

// here finds every name on this machine.
type here struct{}

func (here) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
}

// abroad is a second Sallyport, at which people of the first sign in.
type abroad struct {
	*house
	url    string
	server *httptest.Server
	client *http.Client
	change func(*upstream.Options)
}

func newAbroad(t *testing.T) *abroad {
	t.Helper()
	a := &abroad{}
	a.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }))
	a.server.StartTLS()
	t.Cleanup(a.server.Close)
	_, port, err := net.SplitHostPort(a.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a.url = "https://example.com:" + port // a name that its certificate has
	secretOfOurs := secret.NewHandle(secret.ClientSecret)
	a.house = newHouse(t, options{issuer: a.url, clients: []oauth.Client{{
		ID: "rp", Name: "The other house", Type: oauth.Server, Scope: "openid profile email", Secrets: []oauth.ClientSecret{{Hash: secretOfOurs.Hash()}},
		RedirectURIs: []string{issuer + "/login/callback/partner", issuer + "/login/callback/twin"},
	}}})
	a.secret = secretOfOurs
	if _, err := a.accounts.AddUser(t.Context(), account.NewUser{Username: "bea", Name: "Bea", Email: "bea@partner.example", EmailVerified: true, Password: secret.New(password)}); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	a.client = a.server.Client()
	a.client.Jar = jar
	a.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, a.server.Listener.Addr().String())
	}
	a.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return a
}

// home is a first Sallyport that knows the second as partner and as twin.
func (a *abroad) home(t *testing.T) *house {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.server.Certificate())
	return newHouse(t, options{language: a.language, edge: func(o *web.Options) {
		p := upstream.Options{
			Name: "partner", Label: "Partner", Kind: upstream.OIDC, Issuer: a.url, ClientID: "rp", Secret: a.secret, EmailDomains: []string{"partner.example"}, Joins: true,
			Door: outbound.NewClient(outbound.Options{AllowLoopback: true, RootCAs: roots, Resolver: here{}}),
		}
		if a.change != nil {
			a.change(&p)
		}
		twin := p
		twin.Name = "twin"
		var err error
		o.Upstream, err = upstream.New(upstream.ServiceOptions{
			Issuer: o.Issuer, Providers: []upstream.Options{p, twin}, Ring: o.Ring, Now: o.Now,
			Spend: func() func(context.Context, secret.Hash, time.Time) (bool, error) {
				used := map[secret.Hash]bool{}
				return func(_ context.Context, name secret.Hash, _ time.Time) (bool, error) {
					fresh := !used[name]
					used[name] = true
					return fresh, nil
				}
			}(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}})
}

func (a *abroad) do(req *http.Request, err error) (location, body string) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
	res, err := a.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	location = res.Header.Get("Location")
	if strings.HasPrefix(location, "/") {
		location = a.url + location
	}
	return location, string(b)
}

// consent signs in there as somebody, if nobody is yet, and returns the callback.
func (a *abroad) consent(location, username string) string {
	a.t.Helper()
	for range 8 {
		next, body := a.do(http.NewRequestWithContext(a.t.Context(), http.MethodGet, location, nil))
		for next == "" {
			action := formAction.FindStringSubmatch(body)
			if action == nil {
				a.t.Fatalf("no form at %s: %.400s", location, body)
			}
			fields := url.Values{"username": {username}, "password": {password}, "decision": {"allow"}}
			for _, m := range hidden.FindAllStringSubmatch(body, -1) {
				fields.Set(m[1], html.UnescapeString(m[2]))
			}
			req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.url+html.UnescapeString(action[1]), strings.NewReader(fields.Encode()))
			if err == nil {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Sec-Fetch-Site", "same-origin")
			}
			next, body = a.do(req, err)
		}
		if strings.HasPrefix(next, issuer) {
			return next
		}
		location = next
	}
	a.t.Fatal("too many steps")
	return ""
}

var elsewhereForm = regexp.MustCompile(`action="/login/elsewhere/(\w+)">\n<input name="flow" type="hidden" value="([^"]*)">\n<input name="csrf" type="hidden" value="([^"]*)">`)

// leave presses the button of a provider and returns where the browser is sent.
func (b *browser) leave(page reply, provider string) string {
	b.t.Helper()
	for _, m := range elsewhereForm.FindAllStringSubmatch(page.body, -1) {
		if m[1] == provider {
			return b.sent(b.post("/login/elsewhere/"+provider, url.Values{"flow": {html.UnescapeString(m[2])}, "csrf": {m[3]}}, "Sec-Fetch-Site", "same-origin"))
		}
	}
	b.t.Fatalf("no button for %s: %.600s", provider, page.body)
	return ""
}

var sentTo = regexp.MustCompile(`id="elsewhere" class="button primary" href="([^"]*)"`)

func (b *browser) sent(r reply) string {
	b.t.Helper()
	m := sentTo.FindStringSubmatch(r.body)
	if m == nil || r.Header.Get("Refresh") != "0;url="+html.UnescapeString(m[1]) {
		b.t.Fatalf("not sent: status %d, %.600s", r.StatusCode, r.body)
	}
	return html.UnescapeString(m[1])
}

// press submits the form of a page with one of its buttons.
func (b *browser) press(page reply, action, do string, fill ...string) reply {
	b.t.Helper()
	_, rest, found := strings.Cut(page.body, `<form method="post" action="`+action+`">`)
	rest, _, _ = strings.Cut(rest, "</form>")
	if !found || !strings.Contains(page.body, `name="do" value="`+do+`"`) {
		b.t.Fatalf("no form to %s with %s: %.900s", action, do, page.body)
	}
	fields := url.Values{"do": {do}}
	for _, m := range hidden.FindAllStringSubmatch(rest, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i < len(fill); i += 2 {
		fields.Set(fill[i], fill[i+1])
	}
	return b.post(action, fields, "Sec-Fetch-Site", "same-origin")
}

// link links bea abroad to ada at home, and signs out nobody.
func (b *browser) link(a *abroad) {
	b.t.Helper()
	r := b.follow(b.get(a.consent(b.leave(b.loginPage(), "partner"), "bea")))
	r = b.follow(b.press(r, "/login/unknown", "link"))
	r = b.follow(b.submit(r, "username", "ada", "password", password))
	b.follow(b.press(r, "/account/linked", "link"))
	if list, err := b.accounts.Identities(b.t.Context(), b.user.ID); err != nil || len(list) != 1 {
		b.t.Fatalf("%d identities, %v", len(list), err)
	}
}

// ID09: whoever comes from elsewhere and is not known signs in to their account first,
// and agrees on a page with both names; then the way is open, and goes on to the app.
func TestID09LinkingNeedsASignInAndConsent(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	h := a.home(t)
	// The address is known here, made sure of on both sides: it is not enough.
	if _, err := h.accounts.AddUser(t.Context(), account.NewUser{Username: "victim", Email: "bea@partner.example", EmailVerified: true, Password: secret.New(password)}); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	r := b.follow(b.get(a.consent(b.leave(b.loginPage(), "partner"), "bea")))
	if !strings.Contains(r.body, "There is an account with this address") || strings.Contains(r.body, `id="join"`) || b.cookie("__Host-sallyport") != "" {
		t.Fatalf("status %d: %.900s", r.StatusCode, r.body)
	}
	r = b.follow(b.press(r, "/login/unknown", "link"))
	if r.Request.URL.Path != "/login" {
		t.Fatalf("at %s", r.Request.URL.Path)
	}
	r = b.follow(b.submit(r, "username", "ada", "password", password))
	if !strings.Contains(r.body, "bea@partner.example") || !strings.Contains(r.body, "<strong><bdi>ada</bdi></strong>") && !strings.Contains(r.body, ">ada<") {
		t.Fatalf("the page does not say both names: %.1200s", r.body)
	}
	r = b.press(r, "/account/linked", "link")
	if location := r.Header.Get("Location"); !strings.HasPrefix(location, "/consent?") {
		t.Fatalf("linked, and goes to %q", location)
	}
	other := h.browser()
	r = other.follow(other.get(a.consent(other.leave(other.loginPage(), "partner"), "bea")))
	if r.Request.URL.Path != "/consent" || !strings.Contains(r.body, "ada") {
		t.Errorf("signed in with it: at %s, %.600s", r.Request.URL.Path, r.body)
	}
	list, err := h.accounts.Events(t.Context(), h.user.ID)
	if err != nil || len(list) == 0 || !hasEvent(list, account.IdentityLinked) {
		t.Errorf("events %v, %v", list, err)
	}
}

func hasEvent(list []account.UserEvent, kind account.EventKind) bool {
	for i := range list {
		if list[i].Kind == kind {
			return true
		}
	}
	return false
}

func TestT048AnAnswerCountsInTheBrowserThatAsked(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	h := a.home(t)
	b := h.browser()
	b.link(a)
	b = h.browser()
	back := a.consent(b.leave(b.loginPage(), "partner"), "bea")
	victim := h.browser()
	victim.loginPage() // has a cookie of its own
	refused := func(name string, r reply) {
		t.Helper()
		if r.StatusCode != http.StatusForbidden || !strings.Contains(r.body, "belongs to no sign-in of this browser") {
			t.Errorf("%s: status %d, %.300s", name, r.StatusCode, r.body)
		}
	}
	refused("T050 login CSRF: the answer in another browser", victim.get(back))
	refused("mix-up: the answer at another callback", b.get(strings.Replace(back, "/callback/partner", "/callback/twin", 1)))
	refused("another state", b.get(regexp.MustCompile(`state=[^&]*`).ReplaceAllString(back, "state=x")))
	if r := b.follow(b.get(back)); r.Request.URL.Path != "/consent" {
		t.Errorf("the answer where it belongs: at %s", r.Request.URL.Path)
	}
	refused("replayed", b.get(back))
}

// A form that the provider posts comes without our cookies: it changes nothing by
// itself, and the browser comes again by a GET.
func TestAnAnswerThatIsPosted(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	h := a.home(t)
	b := h.browser()
	b.link(a)
	b = h.browser()
	u, err := url.Parse(a.consent(b.leave(b.loginPage(), "partner"), "bea"))
	if err != nil {
		t.Fatal(err)
	}
	form := u.Query()
	form.Set("user", `{"name":{"firstName":"Bea"}}`)
	r := h.browser().post(u.Path, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://appleid.apple.com")
	location := r.Header.Get("Location")
	if r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, "/login/callback/partner?") || strings.Contains(location, "firstName") {
		t.Fatalf("status %d, Location %q", r.StatusCode, location)
	}
	if r := b.follow(b.get(location)); r.Request.URL.Path != "/consent" {
		t.Errorf("at %s: %.300s", r.Request.URL.Path, r.body)
	}
}

// T046: what a provider gave to an app is no proof of who somebody is here.
func TestT046AnAccessTokenIsNoSignIn(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	h := a.home(t)
	b := h.browser()
	b.link(a)
	b = h.browser()
	u, err := url.Parse(a.consent(b.leave(b.loginPage(), "partner"), "bea"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("access_token", secret.NewHandle(secret.AccessToken).Reveal())
	q.Set("id_token", a.appToken())
	q.Del("code")
	r := b.get(u.Path + "?" + q.Encode())
	if r.StatusCode != http.StatusBadGateway || b.cookie("__Host-sallyport") != "" {
		t.Errorf("status %d: %.300s", r.StatusCode, r.body)
	}
}

// appToken is an ID token that somebody abroad has for an app there.
func (a *abroad) appToken() string {
	a.t.Helper()
	now := a.clock.now().Unix()
	raw, err := json.Marshal(map[string]any{"iss": a.url, "aud": "web", "sub": "x", "iat": now, "exp": now + 60})
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := a.ring.Signer(token.SignIDToken).Sign("JWT", raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return made
}

func TestID09WhoeverIsDisabledStaysOut(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	h := a.home(t)
	b := h.browser()
	b.link(a)
	if err := h.accounts.SetDisabled(t.Context(), h.user.ID, true); err != nil {
		t.Fatal(err)
	}
	b = h.browser()
	r := b.get(a.consent(b.leave(b.loginPage(), "partner"), "bea"))
	if r.StatusCode != http.StatusForbidden || b.cookie("__Host-sallyport") != "" {
		t.Errorf("status %d: %.300s", r.StatusCode, r.body)
	}
}

func TestSignUpThroughAProvider(t *testing.T) {
	t.Parallel()
	t.Run("where its word counts", func(t *testing.T) {
		t.Parallel()
		a := newAbroad(t)
		h := a.home(t)
		b := h.browser()
		r := b.follow(b.get(a.consent(b.leave(b.loginPage(), "partner"), "bea")))
		r = b.follow(b.press(r, "/login/unknown", "join"))
		if r.Request.URL.Path != "/consent" {
			t.Fatalf("at %s: %.600s", r.Request.URL.Path, r.body)
		}
		u, err := h.accounts.UserByName(t.Context(), "bea@partner.example")
		if err != nil || !u.EmailVerified || u.PasswordHash != "" {
			t.Errorf("%+v, %v", u, err)
		}
		// The only way to sign in cannot be taken away.
		list, err := h.accounts.Identities(t.Context(), u.ID)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		if err := h.accounts.UnlinkIdentity(t.Context(), nil, u.ID, list[0].Provider, list[0].Subject, secret.ID{}, ""); !errors.Is(err, account.ErrLastWay) {
			t.Errorf("unlinked: %v", err)
		}
	})
	t.Run("GW12 not for an address that it has not verified", func(t *testing.T) {
		t.Parallel()
		a := newAbroad(t)
		b := a.home(t).browser()
		r := b.follow(b.get(a.consent(b.leave(b.loginPage(), "partner"), "ada"))) // ada@example.com, not verified
		if strings.Contains(r.body, `id="join"`) {
			t.Error("may join")
		}
		if r := b.press(r, "/login/unknown", "link"); r.StatusCode != http.StatusSeeOther {
			t.Errorf("status %d", r.StatusCode)
		}
		_, rest, _ := strings.Cut(r.body, `action="/login/unknown">`)
		fields := url.Values{"do": {"join"}}
		for _, m := range hidden.FindAllStringSubmatch(rest, -1) {
			fields.Set(m[1], html.UnescapeString(m[2]))
		}
		b.post("/login/unknown", fields, "Sec-Fetch-Site", "same-origin")
		if _, err := b.accounts.UserByName(t.Context(), "ada@example.com"); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("joined: %v", err)
		}
	})
}

// C11: what ends at the provider ends here; what was made to last lives.
func TestC11UpstreamLogoutEndsOurs(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	h := a.home(t)
	b := h.browser()
	b.link(a)
	b = h.browser()
	b.follow(b.get(a.consent(b.leave(b.loginPage(), "partner"), "bea")))
	list, err := h.accounts.Identities(t.Context(), h.user.ID)
	if err != nil {
		t.Fatal(err)
	}
	signedIn := func() bool {
		return !strings.HasPrefix(b.get(authorizeURL("client_id", "web")).Header.Get("Location"), "/login?")
	}
	if !signedIn() {
		t.Fatal("not signed in")
	}
	make := func(change map[string]any) string {
		now := h.clock.now().Unix()
		claims := map[string]any{
			"iss": a.url, "aud": "rp", "sub": list[0].Subject, "iat": now, "exp": now + 120, "jti": "j-1",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		for name, v := range change {
			claims[name] = v
		}
		raw, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		made, err := a.ring.Signer(token.SignIDToken).Sign("logout+jwt", raw)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	tell := func(logoutToken string) reply {
		return h.browser().post("/login/elsewhere/partner/logout", url.Values{"logout_token": {logoutToken}})
	}
	for name, change := range map[string]map[string]any{"for another": {"aud": "web"}, "of somebody else": {"sub": "x", "jti": "j-0"}, "with a nonce": {"nonce": "n"}} {
		tell(make(change))
		if !signedIn() {
			t.Fatalf("%s: signed out", name)
		}
	}
	wantStatus(t, tell("x"), http.StatusBadRequest)
	r := tell(make(nil))
	wantStatus(t, r, http.StatusOK)
	if signedIn() || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("still signed in, Cache-Control %q", r.Header.Get("Cache-Control"))
	}
	wantStatus(t, tell(make(nil)), http.StatusBadRequest)
}

// Linking is an act of its own, agreed to after the provider has said who it is.
func TestLinkedPage(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	h := a.home(t)
	b := h.browser()
	b.signIn()
	r := b.follow(b.get("/account/linked")) // an act that is signed in for
	if r.Request.URL.Path != "/login" {
		t.Fatalf("at %s", r.Request.URL.Path)
	}
	r = b.follow(b.submit(r, "username", "ada", "password", password))
	if !strings.Contains(r.body, "Nothing is linked.") {
		t.Fatalf("%.900s", r.body)
	}
	_, rest, _ := strings.Cut(r.body, `name="provider" value="partner"`)
	if rest == "" {
		t.Fatal("no button")
	}
	action, fields := b.form(r)
	fields.Set("do", "start")
	fields.Set("provider", "partner")
	back := a.consent(b.sent(b.post(action, fields, "Sec-Fetch-Site", "same-origin")), "bea")
	r = b.follow(b.get(back))
	if list, err := h.accounts.Identities(t.Context(), h.user.ID); err != nil || len(list) != 0 || !strings.Contains(r.body, "Link Partner?") {
		t.Fatalf("linked without consent: %v, %v", list, err)
	}
	r = b.follow(b.press(r, "/account/linked", "link"))
	if !strings.Contains(r.body, "The account is linked.") || !strings.Contains(r.body, "Partner: <bdi>bea@partner.example</bdi>") {
		t.Fatalf("%.1500s", r.body)
	}
	r = b.follow(b.press(r, "/account/linked", "unlink"))
	if !strings.Contains(r.body, "no longer linked") {
		t.Errorf("%.900s", r.body)
	}
}

// AU20: a sign-in for linking is for nothing else. A request that waits behind the page,
// of whomever, does not count as what the person has signed in for: neither where it
// wants a sign-in of its own, nor where it would let a factor be set up.
func TestAU20ASignInForLinkingCountsForNothingElse(t *testing.T) {
	t.Parallel()
	b := newAbroad(t).home(t).browser()
	r := b.follow(b.get("/account/linked"))
	r = b.follow(b.submit(r, "username", "ada", "password", password))
	for name, change := range map[string][]string{"prompt": {"prompt", "login"}, "two factors": {"acr_values", token.ACRMFA}} {
		own := b.follow(b.get(authorizeURL(change...)))
		flow := url.QueryEscape(own.Request.URL.Query().Get("flow"))
		page := b.get("/account/linked?flow=" + flow)
		action, fields := b.form(page)
		fields.Set("do", "dismiss")
		r = b.post(action, fields, "Sec-Fetch-Site", "same-origin")
		next := mustURL(t, r.Header.Get("Location"))
		if r.StatusCode != http.StatusSeeOther || next.Query().Get("flow") == "" {
			t.Fatalf("%s: status %d, to %s", name, r.StatusCode, next)
		}
		if name == "prompt" && next.Path != "/login" {
			t.Errorf("prompt=login is satisfied by a sign-in for linking: to %s", next.Path)
		}
		set := b.get("/account/security/authenticator?flow=" + url.QueryEscape(next.Query().Get("flow")))
		if !strings.HasPrefix(set.Header.Get("Location"), "/login?") {
			t.Errorf("%s: a factor can be set up after a sign-in for linking: %d", name, set.StatusCode)
		}
	}
}
