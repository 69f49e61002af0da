package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	cibaGrant   = "urn:openid:params:grant-type:ciba"
)

var sameOrigin2 = []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}

func deviceClients() []oauth.Client {
	all := "openid profile offline_access catalog.read"
	device := oauth.Settings{GrantTypes: []string{deviceGrant, "refresh_token"}}
	return []oauth.Client{
		{ID: "tv", Name: "Living room TV", Type: oauth.Native, Scope: all, Settings: device},
		{ID: "tv2", Name: "Another TV", Type: oauth.Native, Scope: all, Settings: device},
		{ID: "tv-once", Type: oauth.Native, Scope: all, Settings: oauth.Settings{GrantTypes: []string{deviceGrant}}},
		{ID: "tv-bound", Type: oauth.Native, Scope: all, Settings: device, DPoPBound: true},
	}
}

func newDeviceHouse(t testing.TB) *house {
	t.Helper()
	return newHouse(t, options{clients: deviceClients()})
}

// askDevice is the device's first request.
func (b *browser) askDevice(change ...string) map[string]any {
	b.t.Helper()
	p := url.Values{"client_id": {"tv"}, "scope": {"openid offline_access catalog.read"}}
	for i := 0; i < len(change); i += 2 {
		p.Set(change[i], change[i+1])
	}
	return b.post("/oauth/device", p).json(b.t)
}

// poll asks for the tokens of a device code.
func (b *browser) poll(clientID, code string, header ...string) reply {
	b.t.Helper()
	return b.post("/oauth/token", url.Values{"grant_type": {deviceGrant}, "client_id": {clientID}, "device_code": {code}}, header...)
}

// typeCode goes to the page and types a code, as people do.
func (b *browser) typeCode(code string) reply {
	b.t.Helper()
	return b.follow(b.submit(b.get("/device"), "user_code", code))
}

// compare is the page that asks for consent, after signing in.
func (b *browser) compare(code string) reply {
	b.t.Helper()
	return b.follow(b.submit(b.typeCode(code), "username", "ada", "password", password))
}

func (r reply) wantError(t *testing.T, what, code string) {
	t.Helper()
	if got := r.json(t)["error"]; r.StatusCode != http.StatusBadRequest || got != code {
		t.Errorf("%s: %d %v, want 400 %s: %s", what, r.StatusCode, got, code, r.body)
	}
}

func TestTK21DeviceFlow(t *testing.T) {
	h := newDeviceHouse(t)
	tv, person := h.browser(), h.browser()
	asked := tv.askDevice()
	code, shown := asked["device_code"].(string), asked["user_code"].(string)
	if !strings.HasPrefix(code, "spdc_") || !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(shown) ||
		asked["verification_uri"] != issuer+"/device" || asked["verification_uri_complete"] != issuer+"/device?user_code="+shown ||
		asked["expires_in"] != 600.0 || asked["interval"] != 5.0 {
		t.Fatalf("TK22: %v", asked)
	}
	if payload, err := secret.Decode(secret.DeviceCode, code); err != nil || len(payload) != 16+32 {
		t.Errorf("TK22: device_code has %d bytes, of which 32 are to be random: %v", len(payload), err)
	}
	tv.poll("tv", code).wantError(t, "nobody has answered", "authorization_pending")
	page := person.compare(strings.ToLower(strings.ReplaceAll(shown, "-", " ")))
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, `id="allow"`) {
		t.Fatalf("%d: %s", page.StatusCode, page.body)
	}
	h.clock.advance(6 * time.Second)
	tv.poll("tv", code).wantError(t, "signed in, but not decided", "authorization_pending")
	done := person.submit(page, "decision", "allow")
	if done.StatusCode != http.StatusOK || !strings.Contains(done.body, "Access given") || !strings.Contains(done.body, "go back to your device") {
		t.Errorf("%d: %s", done.StatusCode, done.body)
	}
	tokens := tv.poll("tv", code)
	wantStatus(t, tokens, http.StatusOK)
	m := tokens.json(t)
	if m["access_token"] == nil || m["refresh_token"] == nil || m["id_token"] == nil || m["scope"] != "openid offline_access catalog.read" {
		t.Errorf("tokens: %v", m)
	}
	tv.poll("tv", code).wantError(t, "redeemed a second time", "invalid_grant")
	again := tv.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"tv"}, "refresh_token": {m["refresh_token"].(string)}})
	wantStatus(t, again, http.StatusOK)

	t.Run("signing out in the browser leaves the device signed in", func(t *testing.T) {
		person.follow(person.submit(person.get("/oauth/logout")))
		wantStatus(t, tv.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"tv"}, "refresh_token": {again.json(t)["refresh_token"].(string)}}), http.StatusOK)
	})
	t.Run("a client that may not refresh gets no refresh token", func(t *testing.T) {
		asked := tv.askDevice("client_id", "tv-once")
		page := person.compare(asked["user_code"].(string))
		if !strings.Contains(page.body, "and is not renewed.") {
			t.Errorf("the page says otherwise:\n%s", page.body)
		}
		person.submit(page, "decision", "allow")
		if m := tv.poll("tv-once", asked["device_code"].(string)).json(t); m["access_token"] == nil || m["refresh_token"] != nil {
			t.Errorf("%v", m)
		}
	})
}

func TestTK21PollingTooFastSlowsDownForGood(t *testing.T) {
	h := newDeviceHouse(t)
	b := h.browser()
	code := b.askDevice()["device_code"].(string)
	for i, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "authorization_pending"},
		{time.Second, "slow_down"}, // from now on ten seconds
		{6 * time.Second, "slow_down"},
		{14 * time.Second, "slow_down"},
		{20 * time.Second, "authorization_pending"},
		{20 * time.Second, "authorization_pending"},
		{19 * time.Second, "slow_down"},
		{10 * time.Minute, "expired_token"},
		{0, "expired_token"},
	} {
		h.clock.advance(step.after)
		b.poll("tv", code).wantError(t, "TK21 step "+string(rune('0'+i)), step.want)
	}
	// The pair: who keeps to the interval is never slowed down.
	code = b.askDevice()["device_code"].(string)
	for range 20 {
		b.poll("tv", code).wantError(t, "every five seconds", "authorization_pending")
		h.clock.advance(5 * time.Second)
	}
}

func TestTK21WhatAnotherClientOrTheWrongCodeGets(t *testing.T) {
	h := newDeviceHouse(t)
	tv, person := h.browser(), h.browser()
	asked := tv.askDevice()
	code := asked["device_code"].(string)
	person.submit(person.compare(asked["user_code"].(string)), "decision", "allow")
	payload, err := secret.Decode(secret.DeviceCode, code)
	if err != nil {
		t.Fatal(err)
	}
	forged := append(append([]byte{}, payload[:16]...), secret.Random(32)...)
	for what, r := range map[string]reply{
		"another client":           tv.poll("tv2", code),
		"known ID, another secret": tv.poll("tv", secret.Encode(secret.DeviceCode, forged).Reveal()),
		"known ID, no secret":      tv.poll("tv", secret.Encode(secret.DeviceCode, payload[:16]).Reveal()),
		"unknown":                  tv.poll("tv", secret.Encode(secret.DeviceCode, secret.Random(48)).Reveal()),
		"the user code":            tv.poll("tv", asked["user_code"].(string)),
		"another kind of handle":   tv.poll("tv", secret.Encode(secret.AuthRequestID, payload).Reveal()),
		"in capitals":              tv.poll("tv", strings.ToUpper(code)),
	} {
		r.wantError(t, what, "invalid_grant")
	}
	tv.post("/oauth/token", url.Values{"grant_type": {deviceGrant}, "client_id": {"tv"}}).wantError(t, "no code", "invalid_request")
	wantStatus(t, tv.poll("tv", code), http.StatusOK) // nothing of that has spent it
}

func TestTK20DeviceGrantIsForClientsRegisteredForIt(t *testing.T) {
	h := newDeviceHouse(t)
	b := h.browser()
	for _, id := range []string{"shop", "job"} {
		p := url.Values{"client_id": {id}, "scope": {"catalog.read"}}
		q := url.Values{"client_id": {id}, "grant_type": {deviceGrant}, "device_code": {secret.NewHandle(secret.DeviceCode).Reveal()}}
		if id == "job" {
			p.Set("client_secret", h.secret.Reveal())
			q.Set("client_secret", h.secret.Reveal())
		}
		b.post("/oauth/device", p).wantError(t, id+" asks", "unauthorized_client")
		b.post("/oauth/token", q).wantError(t, id+" polls", "unauthorized_client")
	}
	if m := b.askDevice("scope", ""); m["error"] != "invalid_scope" {
		t.Errorf("no scope: %v", m)
	}
	if m := b.askDevice("scope", "catalog.write"); m["error"] != "invalid_scope" {
		t.Errorf("a scope that is not the client's: %v", m)
	}
	wantStatus(t, b.post("/oauth/device", url.Values{"client_id": {"nobody"}, "scope": {"openid"}}), http.StatusUnauthorized)
	wantStatus(t, b.post("/oauth/device?client_id=tv", url.Values{"scope": {"openid"}}), http.StatusBadRequest)
	wantStatus(t, b.get("/oauth/device"), http.StatusMethodNotAllowed)
}

func TestTK23AddressThatHasTheCodeAllowsNothing(t *testing.T) {
	h := newDeviceHouse(t)
	tv, person := h.browser(), h.browser()
	person.submit(person.compare(tv.askDevice()["user_code"].(string)), "decision", "deny") // signed in from here on
	asked := tv.askDevice()
	page := person.get(asked["verification_uri_complete"].(string))
	if !strings.Contains(page.body, `value="`+asked["user_code"].(string)+`"`) || !strings.Contains(page.body, `id="continue"`) || strings.Contains(page.body, "Living room TV") {
		t.Errorf("the address does more, or less, than fill in the code:\n%s", page.body)
	}
	tv.poll("tv", asked["device_code"].(string)).wantError(t, "opened by somebody who is signed in", "authorization_pending")
	h.clock.advance(90 * time.Second)
	confirm := person.follow(person.submit(page, "user_code", asked["user_code"].(string)))
	for _, want := range []string{
		asked["user_code"].(string), "Living room TV", "client_id <code>tv", "192.0.2.7", "2 minutes ago", "12:00 UTC", "Go on only if you have started this yourself",
		`id="allow"`, `id="deny"`, "Look at the catalog", "Unverified",
	} {
		if !strings.Contains(confirm.body, want) {
			t.Errorf("the page that asks lacks %q:\n%s", want, confirm.body)
		}
	}
	tv.poll("tv", asked["device_code"].(string)).wantError(t, "looked at", "authorization_pending")
	for _, bad := range []string{`"><script>alert(1)</script>`, "BCDF", "AEIO-UAEI"} {
		if page := person.get("/device?user_code=" + url.QueryEscape(bad)); page.StatusCode != http.StatusOK || !strings.Contains(page.body, `name="user_code" type="text" value=""`) {
			t.Errorf("%q is filled in: %s", bad, page.body)
		}
	}
}

func TestTK21RefusedOnThePage(t *testing.T) {
	h := newDeviceHouse(t)
	tv, person := h.browser(), h.browser()
	asked := tv.askDevice()
	page := person.compare(asked["user_code"].(string))
	done := person.submit(page, "decision", "deny")
	if done.StatusCode != http.StatusOK || !strings.Contains(done.body, "Access denied") {
		t.Errorf("%d: %s", done.StatusCode, done.body)
	}
	tv.poll("tv", asked["device_code"].(string)).wantError(t, "refused", "access_denied")
	if r := person.submit(page, "decision", "allow"); r.StatusCode != http.StatusBadRequest || !strings.Contains(r.body, "answered already") {
		t.Errorf("allow after deny: %d: %s", r.StatusCode, r.body)
	}
	tv.poll("tv", asked["device_code"].(string)).wantError(t, "still refused", "access_denied")
	if r := h.browser().typeCode(asked["user_code"].(string)); r.StatusCode != http.StatusBadRequest {
		t.Errorf("the code works after it was used: %d", r.StatusCode)
	}
}

func TestTK21ApprovedTwiceAndRedeemedByMany(t *testing.T) {
	h := newDeviceHouse(t)
	tv, person := h.browser(), h.browser()
	asked := tv.askDevice()
	page := person.compare(asked["user_code"].(string))
	person.submit(page, "decision", "allow")
	wantStatus(t, person.submit(page, "decision", "allow"), http.StatusBadRequest)
	code := asked["device_code"].(string)
	var mu sync.Mutex
	var wg sync.WaitGroup
	won := 0
	for range 100 {
		wg.Go(func() {
			r := tv.poll("tv", code)
			mu.Lock()
			defer mu.Unlock()
			if r.StatusCode == http.StatusOK {
				won++
			} else if !strings.Contains(r.body, "invalid_grant") {
				t.Errorf("%d: %s", r.StatusCode, r.body)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of a hundred polls got tokens", won)
	}
}

func TestAZ23DeviceFormsAreProtected(t *testing.T) {
	h := newDeviceHouse(t)
	tv, person, other := h.browser(), h.browser(), h.browser()
	code := tv.askDevice()["user_code"].(string)
	action, fields := person.form(person.get("/device"))
	fields.Set("user_code", code)
	_, foreign := other.form(other.get("/device"))
	for what, r := range map[string]reply{
		"no token":           person.post(action, url.Values{"user_code": {code}}, sameOrigin2...),
		"another browser's":  person.post(action, url.Values{"user_code": {code}, "csrf": foreign["csrf"]}, sameOrigin2...),
		"from another site":  person.post(action, fields, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"),
		"in another browser": other.post(action, fields, sameOrigin2...),
	} {
		if r.StatusCode != http.StatusForbidden || r.Header.Get("Location") != "" {
			t.Errorf("AZ23 %s: %d", what, r.StatusCode)
		}
	}
	page := person.follow(person.post(action, fields, sameOrigin2...))
	if !strings.Contains(page.body, `id="login"`) {
		t.Fatalf("the pair: %d: %s", page.StatusCode, page.body)
	}
	consent := person.follow(person.submit(page, "username", "ada", "password", password))
	action, fields = person.form(consent)
	fields.Set("decision", "allow")
	if r := person.get(action + "?" + fields.Encode()); strings.Contains(r.body, "Access given") {
		t.Error("AZ23 allowed by GET")
	}
	if r := person.get("/device?user_code=" + code + "&decision=allow"); strings.Contains(r.body, "Access given") {
		t.Error("TK23 allowed by an address")
	}
}

func TestAZ12AZ26DevicePagesAreOurOwn(t *testing.T) {
	h := newDeviceHouse(t)
	b := h.browser()
	page := b.get("/device")
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || page.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("AZ12: %v", page.Header)
	}
	for _, path := range []string{"/device", "/ciba"} {
		if r := b.get(path, "X-Requested-With", "com.example.shop"); r.StatusCode != http.StatusForbidden || !strings.Contains(r.body, "Open this in your browser") {
			t.Errorf("AZ26 %s in a web view: %d", path, r.StatusCode)
		}
	}
	if r := b.do(b.request(http.MethodPost, "/device", url.Values{"csrf": {"x"}}.Encode(), "X-Requested-With", "com.example.shop")); r.StatusCode != http.StatusForbidden {
		t.Errorf("AZ26 POST in a web view: %d", r.StatusCode)
	}
}

func TestAZ25DevicePathDemandsWhatTheBrowserPathDoes(t *testing.T) {
	h := newDeviceHouse(t)
	tv, person := h.browser(), h.browser()
	if m := tv.askDevice("claims", `{"id_token":{"acr":{"essential":true,"value":"silver"}}}`); m["error"] != "unmet_authentication_requirements" {
		t.Errorf("AZ25 a class that nobody can reach: %v", m)
	}
	asked := tv.askDevice()
	action, fields := person.form(person.typeCode(asked["user_code"].(string)))
	// Who has the sealed request and skips the sign-in is sent back to it.
	r := person.follow(person.get("/consent?flow=" + url.QueryEscape(fields.Get("flow"))))
	if !strings.HasSuffix(action, "/login") || !strings.Contains(r.body, `id="login"`) {
		t.Errorf("AZ25 without signing in: %d: %s", r.StatusCode, r.body)
	}
	tv.poll("tv", asked["device_code"].(string)).wantError(t, "AZ25", "authorization_pending")
}

func TestTK22WrongCodesAreThrottled(t *testing.T) {
	h := newDeviceHouse(t)
	b := h.browser()
	good := b.askDevice()["user_code"].(string)
	page := b.get("/device")
	for i := range 10 {
		if r := b.submit(page, "user_code", "BBBB-BBBB"); r.StatusCode != http.StatusBadRequest || !strings.Contains(r.body, "No device waits") {
			t.Fatalf("TK22 wrong code %d: %d", i, r.StatusCode)
		}
	}
	r := b.submit(page, "user_code", good)
	if r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "60" || !strings.Contains(r.body, "Too many wrong codes. Wait 1 minute") {
		t.Errorf("TK22 10 wrong codes: throttled: %d: %s", r.StatusCode, r.body)
	}
	h.clock.advance(time.Minute)
	if r := b.follow(b.submit(page, "user_code", good)); !strings.Contains(r.body, `id="login"`) {
		t.Errorf("TK22 a minute later: %d: %s", r.StatusCode, r.body)
	}
}

// What comes from many addresses at once meets the bound for all; whoever is
// signed in goes on.
func TestTK22BruteForceFromManyAddresses(t *testing.T) {
	h := newDeviceHouse(t)
	b, member := h.browser(), h.browser()
	asked := b.askDevice()
	member.signIn("client_id", "web")
	page := b.get("/device")
	action, fields := b.form(page)
	fields.Set("user_code", "BBBB-BBBB")
	tried, refused := 0, 0
	for i := range 1500 {
		req := b.request(http.MethodPost, action, fields.Encode(), sameOrigin2...)
		req.Header.Set("Cookie", "__Host-sallyport-browser="+b.cookie("__Host-sallyport-browser"))
		switch r := b.from(req, i); r.StatusCode {
		case http.StatusBadRequest:
			tried++
		case http.StatusTooManyRequests:
			refused++
		default:
			t.Fatalf("%d: %s", r.StatusCode, r.body)
		}
	}
	if tried != 1000 || refused != 500 {
		t.Errorf("TK22: %d of 1500 guesses from 1500 addresses were looked up, want 1000", tried)
	}
	fields.Set("user_code", asked["user_code"].(string))
	if r := b.post(action, fields, sameOrigin2...); r.StatusCode != http.StatusTooManyRequests || !strings.Contains(r.body, `id="sign_in" href="/device?sign_in=yes"`) {
		t.Errorf("somebody else meanwhile: %d: %s", r.StatusCode, r.body)
	}
	if r := member.typeCode(asked["user_code"].(string)); !strings.Contains(r.body, `id="allow"`) {
		t.Errorf("somebody who is signed in: %d: %s", r.StatusCode, r.body)
	}
	back := b.follow(b.get("/device?sign_in=yes"))
	if back = b.follow(b.submit(back, "username", "ada", "password", password)); !strings.Contains(back.body, `id="user_code"`) {
		t.Fatalf("after signing in first: %d: %s", back.StatusCode, back.body)
	}
	if r := b.typeCode(asked["user_code"].(string)); !strings.Contains(r.body, `id="allow"`) {
		t.Errorf("somebody who has signed in first: %d: %s", r.StatusCode, r.body)
	}
}

func TestDeviceRequestsAreBounded(t *testing.T) {
	h := newDeviceHouse(t)
	b := h.browser()
	for range 60 {
		if m := b.askDevice(); m["device_code"] == nil {
			t.Fatal(m)
		}
	}
	if m := b.askDevice(); m["error"] != "too_many_requests" {
		t.Errorf("the 61st at once: %v", m)
	}
	if m := b.askDevice("client_id", "tv2"); m["device_code"] == nil {
		t.Errorf("another client: %v", m)
	}
}

func TestWhatEndsADeviceRequest(t *testing.T) {
	h := newDeviceHouse(t)
	tv, person := h.browser(), h.browser()
	asked := tv.askDevice()
	person.submit(person.compare(asked["user_code"].(string)), "decision", "allow")
	person.follow(person.submit(person.get("/oauth/logout")))
	tv.poll("tv", asked["device_code"].(string)).wantError(t, "signed out before the device came back", "invalid_grant")
	asked = tv.askDevice()
	person.submit(person.compare(asked["user_code"].(string)), "decision", "allow")
	h.clock.advance(10 * time.Minute)
	tv.poll("tv", asked["device_code"].(string)).wantError(t, "allowed, but never fetched", "expired_token")
}

func FuzzReadUserCode(f *testing.F) {
	for _, s := range []string{"WDJB-MJHT", "wdjb mjht", "wdjbmjht", "WDJB–MJHT", "AEIO-UAEI", "", "ſſſſſſſſ", "\xff", strings.Repeat("-", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		shown, ok := oauth.ReadUserCode(typed)
		if ok != regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(shown) {
			t.Errorf("%q is %q, %v", typed, shown, ok)
		}
		if again, _ := oauth.ReadUserCode(shown); again != shown {
			t.Errorf("%q is read as %q", shown, again)
		}
	})
}
