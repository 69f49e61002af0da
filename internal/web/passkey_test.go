package web_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"sallyport/internal/token"
)

var (
	passkeyForm   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)" id="passkey_form" hidden[^>]*data-options="([^"]*)".*?</form>`)
	passkeyHidden = regexp.MustCompile(`<input name="(\w+)" type="hidden" value="([^"]*)">`)
)

// passkeyForm is the form that the script fills in, and what it asks for.
func (b *browser) passkeyForm(page reply) (action, options string, fields url.Values) {
	b.t.Helper()
	m := passkeyForm.FindStringSubmatch(page.body)
	if m == nil {
		b.t.Fatalf("no passkey is offered, status %d:\n%s", page.StatusCode, page.body)
	}
	fields = url.Values{}
	for _, f := range passkeyHidden.FindAllStringSubmatch(m[0], -1) {
		fields.Set(f[1], html.UnescapeString(f[2]))
	}
	return html.UnescapeString(m[1]), html.UnescapeString(m[2]), fields
}

// phone is an authenticator of a person.
type phone struct {
	device virtualwebauthn.Authenticator
	cred   virtualwebauthn.Credential
}

var party = virtualwebauthn.RelyingParty{ID: "auth.example.com", Name: "x", Origin: issuer}

func (p *phone) create(t *testing.T, options string) string {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		t.Fatal(err)
	}
	p.device = virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(o.UserID)})
	p.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA)
	return virtualwebauthn.CreateAttestationResponse(party, p.device, p.cred, *o)
}

func (p *phone) sign(t *testing.T, options string) string {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		t.Fatal(err)
	}
	p.cred.Counter++
	return virtualwebauthn.CreateAssertionResponse(party, p.device, p.cred, *o)
}

func (b *browser) send(action string, fields url.Values, response string) reply {
	b.t.Helper()
	fields.Set("response", response)
	return b.post(action, fields, "Sec-Fetch-Site", "same-origin", "Origin", "null")
}

const passkeysPage = "/account/security/passkeys"

func TestAU06AU09PasskeysFromPageToPage(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	page := b.follow(b.get(passkeysPage))
	if !strings.Contains(page.body, `id="login"`) {
		t.Fatalf("AU15 nobody is signed in, and the page is shown:\n%s", page.body)
	}
	page = b.follow(b.submit(page, "username", "ada", "password", password))
	action, options, fields := b.passkeyForm(page)
	fields.Set("name", "My phone")
	p := &phone{}
	response := p.create(t, options)

	t.Run("a form of another site adds nothing", func(t *testing.T) {
		wantStatus(t, b.post(action, fields, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"), http.StatusForbidden)
	})
	page = b.follow(b.send(action, fields, response))
	if !strings.Contains(page.body, `id="done"`) || !strings.Contains(page.body, `id="codes"`) {
		t.Fatalf("not added, or the first factor brings no recovery codes:\n%s", page.body)
	}
	if page = b.get(passkeysPage); !strings.Contains(page.body, "My phone") {
		t.Fatalf("not added:\n%s", page.body)
	}
	again := b.send(action, fields, response)
	if again.StatusCode != http.StatusBadRequest || !strings.Contains(again.body, `id="problem"`) {
		t.Errorf("added twice: status %d", again.StatusCode)
	}

	t.Run("AU06 the sign-in page offers it to everybody, and it signs in", func(t *testing.T) {
		b := h.browser()
		page := b.loginPage()
		action, options, fields := b.passkeyForm(page)
		for _, want := range []string{`id="passkey"`, "publickey-credentials-get=(self)", "script-src 'self'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(page.body+page.Header.Get("Permissions-Policy")+page.Header.Get("Content-Security-Policy"), want) {
				t.Errorf("the page lacks %s", want)
			}
		}
		r := b.follow(b.send(action, fields, p.sign(t, options)))
		if !strings.Contains(r.body, `id="allow"`) {
			t.Fatalf("status %d:\n%s", r.StatusCode, r.body)
		}
	})
	t.Run("AU06 after the password it is the second factor", func(t *testing.T) {
		b := h.browser()
		second := b.signIn()
		action, options, fields := b.passkeyForm(second)
		if fields.Get("step") != "yes" || !strings.Contains(options, "allowCredentials") {
			t.Errorf("not a step: %v, %s", fields, options)
		}
		wrong := b.send(action, fields, "{}")
		if wrong.StatusCode != http.StatusUnauthorized || !strings.Contains(wrong.body, `id="problem"`) {
			t.Errorf("a wrong answer: status %d", wrong.StatusCode)
		}
		action, options, fields = b.passkeyForm(wrong)
		if r := b.follow(b.send(action, fields, p.sign(t, options))); !strings.Contains(r.body, `id="allow"`) {
			t.Fatalf("status %d:\n%s", r.StatusCode, r.body)
		}
	})
	t.Run("AU09 every refusal looks alike", func(t *testing.T) {
		bodies := map[string]string{}
		for name, answer := range map[string]func(string) string{
			"nonsense": func(string) string { return "{}" },
			"unknown": func(o string) string {
				q := *p
				q.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
				return q.sign(t, o)
			},
			"UV":      func(o string) string { q := *p; q.device.Options.UserNotVerified = true; return q.sign(t, o) },
			"counter": func(o string) string { q := *p; q.cred.Counter = 0; return q.sign(t, o) },
		} {
			b := h.browser()
			action, options, fields := b.passkeyForm(b.loginPage())
			r := b.send(action, fields, answer(options))
			wantStatus(t, r, http.StatusUnauthorized)
			bodies[blank(r.body)] = name
		}
		if len(bodies) != 1 {
			t.Errorf("they can be told apart: %d pages", len(bodies))
		}
	})
	t.Run("AU09 a challenge of another browser", func(t *testing.T) {
		theirs, mine := h.browser(), h.browser()
		_, _, stolen := theirs.passkeyForm(theirs.loginPage())
		action, options, fields := mine.passkeyForm(mine.loginPage())
		fields.Set("state", stolen.Get("state"))
		wantStatus(t, mine.send(action, fields, p.sign(t, options)), http.StatusUnauthorized)
	})
}

func TestAU15PasskeysNeedASignInForThem(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.signIn() // for an app
	r := b.get(passkeysPage)
	if r.StatusCode != http.StatusSeeOther || !strings.Contains(r.Header.Get("Location"), "/login") {
		t.Errorf("a session for something else: status %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	page := b.follow(b.submit(b.follow(r), "username", "ada", "password", password))
	if !strings.Contains(page.body, `id="none"`) {
		t.Errorf("after a sign-in for it:\n%s", page.body)
	}
	h.clock.advance(token.TierStandard.Limits().SessionIdle / 2) // more than five minutes
	if r := b.get(passkeysPage); r.StatusCode != http.StatusSeeOther {
		t.Errorf("later: status %d", r.StatusCode)
	}
}

func TestPasskeyEndpoints(t *testing.T) {
	r := newHouse(t, options{}).browser().get("/.well-known/passkey-endpoints")
	want := issuer + passkeysPage
	if got := r.json(t); got["enroll"] != want || got["manage"] != want || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v, %v", got, r.Header)
	}
}
