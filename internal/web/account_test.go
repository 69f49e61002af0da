package web_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// openAccount goes to a page of an account and signs in where that is asked.
func (b *browser) openAccount(path string) reply {
	b.t.Helper()
	page := b.follow(b.get(path))
	if strings.Contains(page.body, `<button id="login"`) {
		page = b.follow(b.submit(page, "username", "ada", "password", password))
	}
	if page.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: status %d:\n%s", path, page.StatusCode, page.body)
	}
	return page
}

var accountCSRF = regexp.MustCompile(`<input type="hidden" name="csrf" value="([^"]*)">`)

// act sends one form of a page of an account.
func (b *browser) act(page reply, path string, fields ...string) reply {
	b.t.Helper()
	csrf := accountCSRF.FindStringSubmatch(page.body)
	if csrf == nil {
		b.t.Fatalf("no form on %s, status %d:\n%s", path, page.StatusCode, page.body)
	}
	form := url.Values{"csrf": {csrf[1]}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.post(path, form, "Sec-Fetch-Site", "same-origin", "Origin", "null")
}

// again signs in for ending sessions, and comes back to their page.
func (b *browser) again() reply {
	b.t.Helper()
	page := b.openAccount("/account/sessions")
	r := b.follow(b.act(page, "/account/sessions", "do", "end", "session", "x"))
	if !strings.Contains(r.body, `<button id="login"`) {
		b.t.Fatalf("RV10 ending a session asks for no sign-in: %d\n%s", r.StatusCode, r.body)
	}
	return b.follow(b.submit(r, "username", "ada", "password", password))
}

// accountPages walks to every page of an account.
func accountPages(b *browser, list map[string]reply) {
	b.clock.advance(time.Second)
	b.connected()
	list["account"] = b.openAccount("/account")
	list["account_sessions"] = b.openAccount("/account/sessions")
	list["account_apps"] = b.openAccount("/account/apps")
	list["account_events"] = b.openAccount("/account/events")
	list["account_profile"] = b.openAccount("/account/profile")
	list["account_data"] = b.openAccount("/account/data")
	list["account_data_wrong"] = b.act(list["account_data"], "/account/data", "do", "delete", "confirm", "bob")
}

// Whoever comes without an app signs in and is back at the page of the account.
func TestAccountOpensWithoutAnApp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	page := b.follow(b.get("/account"))
	if !strings.Contains(page.body, `<button id="login"`) {
		t.Fatalf("nobody is asked to sign in:\n%s", page.body)
	}
	page = b.follow(b.submit(page, "username", "ada", "password", password))
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, `href="/account" aria-current="page"`) {
		t.Fatalf("the page does not come back: %d\n%s", page.StatusCode, page.body)
	}
	if !strings.Contains(page.body, `id="no_second"`) {
		t.Error("nobody is warned that a password is all there is")
	}
}

// sessionIDs are the IDs on the page of sessions, the newest first.
var sessionID = regexp.MustCompile(`name="session" value="([^"]*)"`)

func sessionIDs(page reply) []string {
	var ids []string
	for _, m := range sessionID.FindAllStringSubmatch(page.body, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// code gets the code of an app, whoever is signed in here or not.
func (b *browser) code(change ...string) string {
	b.t.Helper()
	r := b.follow(b.get(authorizeURL(change...)))
	if strings.Contains(r.body, `<button id="login"`) {
		r = b.follow(b.submit(r, "username", "ada", "password", password))
	}
	if strings.Contains(r.body, `<button id="allow"`) {
		r = b.submit(r, "decision", "allow")
	}
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" {
		b.t.Fatalf("no code: status %d, Location %q\n%s", r.StatusCode, r.Header.Get("Location"), r.body)
	}
	return u.Query().Get("code")
}

// connected signs in an app in this browser and returns its tokens.
func (b *browser) connected(change ...string) map[string]any {
	b.t.Helper()
	return b.redeemCode(b.code(change...), change...).json(b.t)
}

// redeemCode exchanges a code of the app that change names.
func (b *browser) redeemCode(code string, change ...string) reply {
	p := authorizeParams(change...)
	return b.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": p["client_id"], "code": {code}, "redirect_uri": p["redirect_uri"], "code_verifier": {verifier},
	})
}

func (b *browser) refresh(token any) reply {
	b.t.Helper()
	s, _ := token.(string)
	if s == "" {
		b.t.Fatal("there is no refresh token")
	}
	return b.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"shop"}, "refresh_token": {s}})
}

func (b *browser) alive(token any) bool {
	b.t.Helper()
	s, _ := token.(string)
	return b.get("/oauth/userinfo", "Authorization", "Bearer "+s).StatusCode == http.StatusOK
}

// A device that is lost is signed out from another one: every refresh token that it
// was ever given is dead when the answer comes, its next launch asks to sign in, and
// the other device does not notice.
func TestRV10SessionsAreSeenAndEnded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	phone, laptop := h.browser(), h.browser()
	first := phone.connected()
	h.clock.advance(2 * time.Minute)
	if err := h.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := phone.refresh(first["refresh_token"]).json(t)
	own := laptop.connected()
	page := laptop.again()
	ids := sessionIDs(page)
	if len(ids) != 2 || strings.Count(page.body, "This browser") != 1 {
		t.Fatalf("%d sessions are listed:\n%s", len(ids), page.body)
	}
	if !phone.alive(second["access_token"]) {
		t.Fatalf("the phone is not signed in: %v", second)
	}
	r := laptop.act(page, "/account/sessions", "do", "end", "session", ids[1])
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/account/sessions?done=ended" {
		t.Fatalf("ending answers %d %s\n%s", r.StatusCode, r.Header.Get("Location"), r.body)
	}
	t.Run("T112 every refresh token of the device is dead", func(t *testing.T) {
		for _, old := range []any{first["refresh_token"], second["refresh_token"]} {
			if got := phone.refresh(old).json(t)["error"]; got != "invalid_grant" {
				t.Errorf("a refresh token answers %v", got)
			}
		}
		if phone.alive(second["access_token"]) {
			t.Error("an access token lives")
		}
	})
	t.Run("T115 the next launch asks to sign in", func(t *testing.T) {
		if page := phone.loginPage(); !strings.Contains(page.body, `<button id="login"`) {
			t.Errorf("it does not: %s", page.body)
		}
		q, err := url.Parse(phone.follow(phone.get(authorizeURL("prompt", "none"))).Header.Get("Location"))
		if err != nil || q.Query().Get("error") != "login_required" {
			t.Errorf("prompt=none: %v", q)
		}
	})
	t.Run("T207 the other device does not notice", func(t *testing.T) {
		if !laptop.alive(own["access_token"]) || laptop.refresh(own["refresh_token"]).StatusCode != http.StatusOK {
			t.Error("it is signed out, too")
		}
	})
	if page := laptop.follow(r); !strings.Contains(page.body, `id="notice"`) || len(sessionIDs(page)) != 1 {
		t.Errorf("the page does not tell:\n%s", page.body)
	}
	if page := laptop.openAccount("/account/events"); !strings.Contains(page.body, "Sessions ended") {
		t.Errorf("it is no event:\n%s", page.body)
	}
}

// RV10 Neg: somebody else's session, by its ID.
func TestRV10NobodyEndsWhatIsAnothers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	bob, err := h.accounts.AddUser(t.Context(), account.NewUser{Username: "bob", Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	victim := h.browser()
	page := victim.follow(victim.submit(victim.loginPage(), "username", "bob", "password", password))
	q, err := url.Parse(victim.submit(page, "decision", "allow").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	tokens := victim.redeemCode(q.Query().Get("code")).json(t)
	theirs, err := h.accounts.Sessions(t.Context(), bob.ID, secret.ID{})
	if err != nil || len(theirs) != 1 {
		t.Fatal(err, len(theirs))
	}
	grants, err := h.store.OAuth().GrantsOf(t.Context(), bob.ID, "", h.clock.now(), 10)
	if err != nil || len(grants) != 1 {
		t.Fatal(err, len(grants))
	}
	b := h.browser()
	b.connected()
	mine := b.again()
	unknown := b.act(mine, "/account/sessions", "do", "end", "session", secret.NewID(h.clock.now()).String())
	for what, id := range map[string]string{"another's session": theirs[0].ID.String(), "nonsense": "../x", "nothing": ""} {
		r := b.act(mine, "/account/sessions", "do", "end", "session", id)
		if r.StatusCode != unknown.StatusCode || r.Header.Get("Location") != unknown.Header.Get("Location") {
			t.Errorf("%s answers %d %q, unlike an unknown one", what, r.StatusCode, r.Header.Get("Location"))
		}
	}
	apps := b.openAccount("/account/apps")
	r := b.act(apps, "/account/apps", "do", "end_grant", "grant", grants[0].ID.String())
	if r.Header.Get("Location") != "/account/apps?done=gone" {
		t.Errorf("another's grant answers %d %q", r.StatusCode, r.Header.Get("Location"))
	}
	b.act(apps, "/account/apps", "do", "withdraw", "client", "shop") // the own access of the same app
	b.act(mine, "/account/sessions", "do", "end_others")
	if !victim.alive(tokens["access_token"]) || victim.refresh(tokens["refresh_token"]).StatusCode != http.StatusOK {
		t.Error("it has ended")
	}
	for name, change := range map[string]func(url.Values){
		"no form token": func(f url.Values) { f.Del("csrf") }, "another page's": func(f url.Values) { f.Set("csrf", accountCSRF.FindStringSubmatch(apps.body)[1]) },
	} {
		f := url.Values{"csrf": {accountCSRF.FindStringSubmatch(mine.body)[1]}, "do": {"end_all"}}
		change(f)
		if r := b.post("/account/sessions", f, "Sec-Fetch-Site", "same-origin", "Origin", "null"); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d", name, r.StatusCode)
		}
	}
	if r := b.act(b.openAccount("/account/sessions"), "/account/sessions", "do", "dance"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown form: %d", r.StatusCode)
	}
}

func TestRV10EverythingEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	phone, laptop := h.browser(), h.browser()
	of := map[string]map[string]any{"phone": phone.connected(), "laptop": laptop.connected()}
	r := laptop.act(laptop.again(), "/account/sessions", "do", "end_others")
	if r.Header.Get("Location") != "/account/sessions?done=others" {
		t.Fatal(r.StatusCode, r.Header.Get("Location"))
	}
	if phone.alive(of["phone"]["access_token"]) || !laptop.alive(of["laptop"]["access_token"]) {
		t.Error("the others have not ended, or more has")
	}
	r = laptop.act(laptop.openAccount("/account/sessions"), "/account/sessions", "do", "end_all")
	if laptop.alive(of["laptop"]["access_token"]) || laptop.refresh(of["laptop"]["refresh_token"]).StatusCode == http.StatusOK {
		t.Error("an app is still signed in")
	}
	if page := laptop.follow(r); page.StatusCode != http.StatusOK || !strings.Contains(laptop.follow(laptop.get("/account")).body, `<button id="login"`) {
		t.Errorf("the browser is still signed in: %d", page.StatusCode)
	}
}

// One scope is withdrawn: what carries it is dead, what does not is not, and the app
// asks again for it alone.
func TestAZ18ConsentIsSeenChangedAndWithdrawn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	both := b.connected("scope", "openid catalog.read catalog.write")
	one := b.connected("scope", "openid catalog.read")
	pending := b.code("scope", "openid catalog.read catalog.write") // issued before, not redeemed yet
	page := b.openAccount("/account/apps")
	for what, mark := range map[string]string{
		"T045 the app": "<bdi>Shop</bdi>", "that its name is verified": "Verified", "a scope in words": "Change the catalog", "the API": "<bdi>catalog</bdi>",
		"until when": "Until at the latest", "since when": "Has access since", "installs": "Installs and devices",
	} {
		if !strings.Contains(page.body, mark) {
			t.Errorf("the page does not show %s:\n%s", what, page.body)
		}
	}
	r := b.act(page, "/account/apps", "do", "withdraw_scope", "client", "shop", "scope", "catalog.write")
	if r.Header.Get("Location") != "/account/apps?done=scope" {
		t.Fatal(r.StatusCode, r.Header.Get("Location"))
	}
	if b.alive(both["access_token"]) || b.refresh(both["refresh_token"]).json(t)["error"] != "invalid_grant" {
		t.Error("AZ18 an old token still carries the scope")
	}
	if got := b.redeemCode(pending).json(t); got["error"] != "invalid_grant" {
		t.Errorf("AZ18 a code from before brings the scope back: %v", got)
	}
	if !b.alive(one["access_token"]) {
		t.Error("a token without the scope has ended")
	}
	if page := b.follow(r); strings.Contains(page.body, "Change the catalog") || !strings.Contains(page.body, "Look at the catalog") {
		t.Errorf("the page shows what was withdrawn:\n%s", page.body)
	}
	if r := b.get(authorizeURL("scope", "openid catalog.read")); !strings.Contains(r.Header.Get("Location"), "code=") {
		t.Errorf("what is still agreed to is asked again: %q", r.Header.Get("Location"))
	}
	if page := b.follow(b.get(authorizeURL("scope", "openid catalog.read catalog.write"))); !strings.Contains(page.body, `<button id="allow"`) {
		t.Errorf("what was withdrawn is given without asking: %q", page.Header.Get("Location"))
	}
	r = b.act(b.openAccount("/account/apps"), "/account/apps", "do", "withdraw", "client", "shop")
	if r.Header.Get("Location") != "/account/apps?done=withdrawn" || b.alive(one["access_token"]) {
		t.Errorf("the app has access still: %q", r.Header.Get("Location"))
	}
	if page := b.follow(b.get(authorizeURL("scope", "openid"))); !strings.Contains(page.body, `<button id="allow"`) {
		t.Errorf("the app comes back without asking: %q", page.Header.Get("Location"))
	}
	if page := b.openAccount("/account/apps"); !strings.Contains(page.body, `id="nothing"`) {
		t.Errorf("the page is not empty:\n%s", page.body)
	}
	if r := b.act(page, "/account/apps", "do", "withdraw", "client", "nobody"); r.Header.Get("Location") != "/account/apps?done=gone" {
		t.Errorf("an app that is not there: %q", r.Header.Get("Location"))
	}
}

// T053 The person unticks e-mail: ID token and userinfo lack it, the answer says so,
// and the app works. It is not asked again, and can be changed.
func TestT053EMailIsLeftOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	ask := []string{"scope", "openid profile email", "claims", `{"id_token":{"email":null,"name":null},"userinfo":{"email":null}}`}
	b := h.browser()
	page := b.signIn(ask...)
	if !strings.Contains(page.body, `id="give_email" name="give_email" value="yes" checked`) || strings.Contains(page.body, `give_openid`) {
		t.Fatalf("there is no choice:\n%s", page.body)
	}
	q, err := url.Parse(b.submit(page, "decision", "chosen", "give_profile", "yes").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(code, scope string, name, email bool) {
		t.Helper()
		res := b.redeemCode(code).json(t)
		if res["scope"] != scope { // AZ21 the reduced set is reported
			t.Errorf("AZ21 scope %v, want %q", res["scope"], scope)
		}
		at, _ := res["access_token"].(string)
		user := b.get("/oauth/userinfo", "Authorization", "Bearer "+at)
		id, _ := res["id_token"].(string)
		for where, text := range map[string]string{"userinfo": user.body, "ID token": payload(t, id)} {
			if strings.Contains(text, "ada@example.com") != email || strings.Contains(text, `"name"`) != name {
				t.Errorf("%s: %s", where, text)
			}
		}
		if user.StatusCode != http.StatusOK {
			t.Errorf("the app does not work: %d", user.StatusCode)
		}
	}
	check(q.Query().Get("code"), "openid profile", true, false)
	r := b.get(authorizeURL(ask...))
	q, err = url.Parse(r.Header.Get("Location"))
	if err != nil || q.Query().Get("code") == "" {
		t.Fatalf("the person is asked again and again: %d %q", r.StatusCode, r.Header.Get("Location"))
	}
	check(q.Query().Get("code"), "openid profile", true, false)
	if page := b.openAccount("/account/apps"); !strings.Contains(page.body, "You left out") {
		t.Errorf("the page of apps does not say what was left out:\n%s", page.body)
	}
	page = b.follow(b.get(authorizeURL(append(ask, "prompt", "consent")...))) // the app may ask once more
	q, err = url.Parse(b.submit(page, "decision", "chosen", "give_profile", "yes", "give_email", "yes").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	check(q.Query().Get("code"), "openid profile email", true, true)
}

func payload(t *testing.T, jwt string) string {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", jwt)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Names of apps and devices come from strangers.
func TestAZ18HostileNamesOnAccountPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{clients: []oauth.Client{orderer, hostile}})
	b := h.browser()
	page := b.signIn("client_id", "hostile", "redirect_uri", "https://evil.example/cb", "scope", "openid catalog.read",
		"authorization_details", `[{"type":"order","item":"</dd><script>alert(1)</script>","count":1}]`)
	q, err := url.Parse(b.submit(page, "decision", "allow").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if r := b.redeemCode(q.Query().Get("code"), "client_id", "hostile", "redirect_uri", "https://evil.example/cb"); r.StatusCode != http.StatusOK {
		t.Fatal(r.body)
	}
	all := ""
	for _, path := range []string{"/account", "/account/apps", "/account/events", "/account/sessions"} {
		all += b.openAccount(path).body
	}
	for _, mark := range []string{"Unverified", "The name mixes letters", ", as it says itself", "&lt;script&gt;alert(1)&lt;/script&gt;"} {
		if !strings.Contains(all, mark) {
			t.Errorf("the pages lack %s", mark)
		}
	}
	for _, mark := range []string{"<b>", "<img", "<script>", "\u202e", "\u2028", "\u0301\u0301\u0301", strings.Repeat("x", 100), "https://evil.example/p", "data:"} {
		if strings.Contains(all, mark) {
			t.Errorf("the pages have %q", mark)
		}
	}
}

// A person with a great many grants gets a page of a bounded size.
func TestAZ18ManyInstalls(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	b.connected()
	sessions, err := h.accounts.Sessions(t.Context(), h.user.ID, secret.ID{})
	if err != nil {
		t.Fatal(err)
	}
	now := h.clock.now()
	for range 30 {
		g := oauth.Grant{
			ID: secret.NewID(now), ClientID: "shop", UserID: h.user.ID, SID: sessions[0].SID, Scope: "openid", Audience: issuer, ACR: "pwd", AMR: "pwd", AuthTime: now,
			CreatedAt: now, Refreshable: true, Generation: 1, Salt: secret.Random(16), RotatedAt: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour),
		}
		if err := h.store.OAuth().RedeemCode(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	page := b.openAccount("/account/apps")
	if n := strings.Count(page.body, `name="grant"`); n != 5 || !strings.Contains(page.body, "26 more installs") {
		t.Errorf("%d installs are shown", n)
	}
	if n := strings.Count(b.openAccount("/account/apps?app=shop").body, `name="grant"`); n != 31 {
		t.Errorf("%d installs of the app are shown", n)
	}
	grant := regexp.MustCompile(`name="grant" value="([^"]*)"`).FindStringSubmatch(page.body)[1]
	if r := b.act(page, "/account/apps", "do", "end_grant", "grant", grant); r.Header.Get("Location") != "/account/apps?done=grant_ended" {
		t.Errorf("ending one: %q", r.Header.Get("Location"))
	}
	if n := strings.Count(b.openAccount("/account/apps?app=shop").body, `name="grant"`); n != 30 {
		t.Errorf("%d installs are left", n)
	}
}

func TestAccountProfileName(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	page := b.openAccount("/account/profile")
	if r := b.act(page, "/account/profile", "do", "name", "name", "Ada\u202e L."); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(r.body, `role="alert"`) {
		t.Errorf("invisible characters: %d", r.StatusCode)
	}
	if r := b.follow(b.act(page, "/account/profile", "do", "name", "name", " Augusta Ada ")); !strings.Contains(r.body, `value="Augusta Ada"`) || !strings.Contains(r.body, `id="notice"`) {
		t.Errorf("the name is not saved:\n%s", r.body)
	}
}

// AP11 A person takes all data along, without a secret, and erases the account.
func TestAP11ExportAndErase(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	tokens := b.connected("scope", "openid email")
	if page := b.follow(b.get("/account/data")); !strings.Contains(page.body, `<button id="login"`) {
		t.Fatalf("nobody is asked to sign in for it: %d", page.StatusCode)
	}
	page := b.openAccount("/account/data")
	r := b.act(page, "/account/data", "do", "export")
	var all struct {
		Account account.Personal `json:"account"`
	}
	if err := json.Unmarshal([]byte(r.body), &all); err != nil || !strings.Contains(r.Header.Get("Content-Disposition"), "attachment") {
		t.Fatal(err, r.Header)
	}
	for _, name := range []string{"profile", "sessions", "apps", "consents", "events"} {
		if len(all.Account[name]) == 0 {
			t.Errorf("the export lacks %s: %s", name, r.body)
		}
	}
	user, err := h.accounts.User(t.Context(), h.user.ID)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"a password hash": user.PasswordHash, "argon2": "argon2", "a salt": `"salt"`, "a hash": `"hash"`} {
		if strings.Contains(r.body, text) {
			t.Errorf("the export has %s", what)
		}
	}
	if r := b.act(page, "/account/data", "do", "delete", "confirm", "bob"); r.StatusCode != http.StatusUnprocessableEntity || !b.alive(tokens["access_token"]) {
		t.Errorf("another name deletes: %d", r.StatusCode)
	}
	r = b.act(page, "/account/data", "do", "delete", "confirm", " ADA")
	if r.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d:\n%s", r.StatusCode, r.body)
	}
	if b.alive(tokens["access_token"]) || b.refresh(tokens["refresh_token"]).StatusCode == http.StatusOK {
		t.Error("AP11 a token lives")
	}
	if users, err := h.accounts.Users(t.Context()); err != nil || slices.ContainsFunc(users, func(u account.User) bool { return u.ID == h.user.ID }) {
		t.Error("the person is still there")
	}
	if strings.Contains(h.log.String(), "ada@example.com") || strings.Contains(h.log.String(), `"ada"`) {
		t.Error("the log has personal data")
	}
}
