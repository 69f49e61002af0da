package web_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

const adasAddress = "ada@example.com"

// mailHouse can send mail, and lets everybody sign up. Ada has proven that her
// address is hers.
func mailHouse(t testing.TB, change ...func(*account.Options)) *house {
	t.Helper()
	h := newHouse(t, options{people: func(o *account.Options) {
		o.Mail, o.MailSignIn, o.SignUp = true, true, account.SignUpOpen
		for _, c := range change {
			c(o)
		}
	}})
	h.verify(h.user.ID, adasAddress)
	return h
}

func (h *house) verify(userID, address string) {
	h.t.Helper()
	if err := h.store.Account().VerifyAddress(h.t.Context(), userID, address, h.clock.now()); err != nil {
		h.t.Fatal(err)
	}
}

// mail is a letter as its reader sees what matters of it.
type mail struct {
	audit.Letter
	code, link string
}

var (
	codeInMail = regexp.MustCompile(`(?m)^    (\d{4}) (\d{4})$`)
	linkInMail = regexp.MustCompile(`https://\S+`)
)

// mails takes what waits to be sent, without what is too old to be.
func (h *house) mails() (list []mail) {
	h.t.Helper()
	for {
		claimed, err := h.store.Outbox().Claim(h.t.Context(), h.clock.now(), h.clock.now().Add(time.Hour), 100)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(claimed) == 0 {
			return list
		}
		for _, n := range claimed {
			var m mail
			if err := json.Unmarshal(n.Body, &m.Letter); err != nil {
				h.t.Fatal(err)
			}
			if !h.clock.now().Before(m.Until) {
				continue
			}
			if m.Sealed != "" {
				text, err := h.accounts.OpenLetter(m.ID, m.Sealed)
				if err != nil {
					h.t.Fatal(err)
				}
				if c := codeInMail.FindStringSubmatch(text.Reveal()); c != nil {
					m.code = c[1] + c[2]
				}
				m.link = linkInMail.FindString(text.Reveal())
			}
			list = append(list, m)
		}
	}
}

// mail is the only letter of a kind that waits.
func (h *house) mail(kind string) mail {
	h.t.Helper()
	var found []mail
	all := h.mails()
	for _, m := range all {
		if m.Kind == kind {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		h.t.Fatalf("%d letters %s among %+v", len(found), kind, all)
	}
	return found[0]
}

// askForCode goes from an app to the page that asks for the code of a mail.
func (b *browser) askForCode(name string) reply {
	b.t.Helper()
	login := b.loginPage()
	to := regexp.MustCompile(`id="by_mail" href="([^"]*)"`).FindStringSubmatch(login.body)
	if to == nil {
		b.t.Fatalf("no way to sign in by mail:\n%s", login.body)
	}
	return b.follow(b.submit(b.get(html.UnescapeString(to[1])), "name", name))
}

func (b *browser) signedInNow() bool { return b.cookie("__Host-sallyport") != "" }

func TestSignInByMail(t *testing.T) {
	t.Parallel()
	for how, name := range map[string]string{"by name": "ada", "by address": "Ada@Example.com"} {
		t.Run(how, func(t *testing.T) {
			h := mailHouse(t)
			b := h.browser()
			page := b.askForCode(name)
			m := h.mail("sign_in_code")
			if m.Address != adasAddress || m.code == "" || !strings.HasPrefix(m.link, issuer+"/login/link?token=spfl_") {
				t.Fatalf("%+v", m)
			}
			page = b.follow(b.submit(page, "code", m.code[:4]+" "+m.code[4:]))
			wantBody(t, "after the code", page, `id="allow"`)
			claims := b.redeem(page)
			if claims["access_token"] == nil {
				t.Errorf("%v", claims)
			}
			// Replay: the code, and the link that came with it.
			other := h.browser()
			wantStatus(t, other.submit(other.askForCode("ada"), "code", m.code), http.StatusUnauthorized)
			wantStatus(t, b.get(m.link), http.StatusGone)
		})
	}
}

func TestAU11MailIsNoSecondFactor(t *testing.T) {
	t.Parallel()
	h := mailHouse(t)
	app := h.withAuthenticator(h.user)
	h.mails()
	b := h.browser()
	page := b.askForCode("ada")
	page = b.follow(b.submit(page, "code", h.mail("sign_in_code").code))
	if page.Request.URL.Path != "/login/second" || b.signedInNow() {
		t.Fatalf("a code by mail led to %s, signed in: %t", page.Request.URL.Path, b.signedInNow())
	}
	wantBody(t, "with the app", b.withCode(page, app.code()), `id="allow"`)
}

func TestCodesByMail(t *testing.T) {
	t.Parallel()
	t.Run("a code counts in the browser that asked", func(t *testing.T) {
		h := mailHouse(t)
		b, eve := h.browser(), h.browser()
		page := b.askForCode("ada")
		code := h.mail("sign_in_code").code
		evil := eve.askForCode("ada")
		h.mails()
		wantStatus(t, eve.submit(evil, "code", code), http.StatusUnauthorized)
		if eve.signedInNow() {
			t.Error("signed in in another browser")
		}
		wantBody(t, "in its own", b.follow(b.submit(page, "code", code)), `id="allow"`)
	})
	t.Run("a code is tried five times", func(t *testing.T) {
		h := mailHouse(t)
		b := h.browser()
		page := b.askForCode("ada")
		code := h.mail("sign_in_code").code
		wrong := "00000000"
		if code == wrong {
			wrong = "11111111"
		}
		for range account.MailTries {
			page = b.submit(page, "code", wrong)
			wantStatus(t, page, http.StatusUnauthorized)
		}
		wantStatus(t, b.submit(page, "code", code), http.StatusUnauthorized)
	})
	t.Run("the fifth try may be right", func(t *testing.T) {
		h := mailHouse(t)
		b := h.browser()
		page := b.askForCode("ada")
		code := h.mail("sign_in_code").code
		for range account.MailTries - 1 {
			page = b.submit(page, "code", "x")
		}
		wantBody(t, "fifth try", b.follow(b.submit(page, "code", code)), `id="allow"`)
	})
	t.Run("a code lives ten minutes", func(t *testing.T) {
		h := mailHouse(t)
		b := h.browser()
		page := b.askForCode("ada")
		m := h.mail("sign_in_code")
		h.clock.advance(10 * time.Minute)
		wantStatus(t, b.submit(page, "code", m.code), http.StatusUnauthorized)
		wantStatus(t, b.get(m.link), http.StatusGone)
	})
	t.Run("a code for one thing is none for another", func(t *testing.T) {
		h := mailHouse(t)
		b := h.browser()
		b.askForCode("ada")
		code := h.mail("sign_in_code").code
		page := b.submit(b.get("/login/recover?sent=yes"), "code", code)
		wantStatus(t, page, http.StatusUnauthorized)
	})
	t.Run("who asks again and again is told to wait, and others are not", func(t *testing.T) {
		h := mailHouse(t)
		b := h.browser()
		page := b.get("/login/recover")
		var last reply
		for range 6 {
			last = b.submit(page, "name", "ada")
		}
		wantStatus(t, last, http.StatusTooManyRequests)
		if last.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		wantStatus(t, b.submit(page, "name", "bob"), http.StatusSeeOther)
	})
}

// Mail servers open links before people do, and a link of somebody else must not
// sign a person in as them (login CSRF).
func TestLinksByMail(t *testing.T) {
	t.Parallel()
	h := mailHouse(t)
	b, scanner, victim := h.browser(), h.browser(), h.browser()
	b.askForCode("ada")
	m := h.mail("sign_in_code")
	for range 3 {
		page := scanner.get(m.link)
		wantStatus(t, page, http.StatusForbidden)
		if strings.Contains(page.body, "<button id=\"go_on\"") || scanner.signedInNow() {
			t.Error("a scanner gets further")
		}
	}
	// A victim who is made to post it, from a page with a form token of their own.
	if _, err := h.accounts.AddUser(t.Context(), account.NewUser{Username: "eve", Email: "eve@example.com", EmailVerified: true, Password: secret.New(password)}); err != nil {
		t.Fatal(err)
	}
	victim.askForCode("eve")
	own := victim.get(h.mail("sign_in_code").link)
	wantStatus(t, victim.get(m.link), http.StatusForbidden)
	_, theirs := b.form(b.get(m.link))
	_, fields := victim.form(own)
	fields.Set("token", theirs.Get("token"))
	stolen := victim.post("/login/link", fields, "Sec-Fetch-Site", "same-origin", "Origin", "null")
	if stolen.StatusCode < 400 || victim.signedInNow() {
		t.Errorf("a stranger's link signs in: status %d", stolen.StatusCode)
	}
	page := b.get(m.link)
	wantStatus(t, page, http.StatusOK)
	if b.signedInNow() {
		t.Error("opening a link signs in")
	}
	wantBody(t, "the button", b.follow(b.submit(page)), `id="allow"`)
	wantStatus(t, b.get(m.link), http.StatusGone)
	if strings.Contains(h.log.String(), m.link[strings.Index(m.link, "spfl_"):]) || strings.Contains(h.log.String(), m.code) {
		t.Error("the log has the link or the code")
	}
}

// AU05: whoever asks for the account of somebody who is not there sees the same.
func TestAU05MailsToNobody(t *testing.T) {
	t.Parallel()
	flow := regexp.MustCompile(`spfl_[\w-]+|value="[\w-]{43}"`)
	alike := func(p reply) string { return flow.ReplaceAllString(p.body, "X") }
	t.Run("sign-in", func(t *testing.T) {
		h := mailHouse(t)
		known, unknown := h.browser().askForCode("ada"), h.browser().askForCode("nobody")
		if alike(known) != alike(unknown) || known.StatusCode != unknown.StatusCode {
			t.Errorf("%s\n\n%s", alike(known), alike(unknown))
		}
		if list := h.mails(); len(list) != 1 {
			t.Errorf("%d letters", len(list))
		}
	})
	t.Run("recovery", func(t *testing.T) {
		h := mailHouse(t)
		var pages []string
		for _, name := range []string{"ada", "nobody", "nobody@example.com", strings.Repeat("x", 5000)} {
			b := h.browser()
			pages = append(pages, alike(b.follow(b.submit(b.get("/login/recover"), "name", name))))
			if pages[0] != pages[len(pages)-1] {
				t.Errorf("%.40q: %s", name, pages[len(pages)-1])
			}
		}
	})
	t.Run("registration", func(t *testing.T) {
		h := mailHouse(t)
		b, c := h.browser(), h.browser()
		taken := b.follow(b.submit(b.get("/login/sign-up"), "address", "ADA@example.com"))
		free := c.follow(c.submit(c.get("/login/sign-up"), "address", "new@example.com"))
		if alike(taken) != alike(free) || taken.StatusCode != free.StatusCode {
			t.Errorf("%s\n\n%s", alike(taken), alike(free))
		}
		kinds := map[string]string{}
		for _, m := range h.mails() {
			kinds[strings.ToLower(m.Address)] = m.Kind + m.code
		}
		if !strings.HasPrefix(kinds[adasAddress], "sign_up_taken") || !strings.HasPrefix(kinds["new@example.com"], "sign_up_code") {
			t.Errorf("%v", kinds)
		}
	})
	t.Run("an unverified address, and one that two have, reach nobody", func(t *testing.T) {
		h := mailHouse(t)
		if _, err := h.accounts.AddUser(t.Context(), account.NewUser{Username: "bob", Email: "bob@example.com", Password: secret.New(password)}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"carl", "dora"} {
			if _, err := h.accounts.AddUser(t.Context(), account.NewUser{Username: name, Email: "two@example.com", EmailVerified: true, Password: secret.New(password)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"bob", "bob@example.com", "two@example.com"} {
			h.browser().askForCode(name)
		}
		if list := h.mails(); len(list) != 0 {
			t.Errorf("%+v", list)
		}
	})
}

// AU05: asking for somebody who is there and for nobody takes the same time, within
// the noise: the medians of many, in turns, differ by less than half. A busy machine
// may spoil a round, so one of five has to be right.
func TestAU05MailsToNobodyTakeAsLong(t *testing.T) {
	const rounds, asks, bound = 5, 80, 1.5
	h := mailHouse(t)
	var seen []string
	for range rounds {
		took := map[string][]time.Duration{}
		for i := range asks {
			b := h.browser()
			h.clock.advance(time.Hour) // no limit is met
			page := b.get("/login/recover")
			name := []string{"ada", "nobody"}[i%2]
			start := time.Now()
			wantStatus(t, b.submit(page, "name", name), http.StatusSeeOther)
			took[name] = append(took[name], time.Since(start))
		}
		for _, list := range took {
			slices.Sort(list)
		}
		a, n := took["ada"][asks/4], took["nobody"][asks/4]
		if ratio := float64(a) / float64(n); ratio < bound && ratio > 1/bound {
			return
		}
		seen = append(seen, fmt.Sprintf("%s and %s", a, n))
	}
	t.Errorf("somebody and nobody: %s", strings.Join(seen, "; "))
}

func field(page reply, id string) string {
	m := regexp.MustCompile(`id="` + id + `"[^>]* href="([^"]*)"`).FindStringSubmatch(page.body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// submitDo sends the form of a page that has several, by what it does.
func (b *browser) submitDo(page reply, do string, fill ...string) reply {
	b.t.Helper()
	_, fields := b.form(page)
	form := url.Values{"csrf": {fields.Get("csrf")}, "do": {do}}
	if f := fields.Get("flow"); f != "" {
		form.Set("flow", f)
	}
	for i := 0; i < len(fill); i += 2 {
		form.Set(fill[i], fill[i+1])
	}
	return b.post(page.Request.URL.Path, form, "Sec-Fetch-Site", "same-origin", "Origin", "null")
}
