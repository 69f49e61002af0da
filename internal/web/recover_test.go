package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

const fresh = "seven brown otters juggle"

func (b *browser) copyCookie(from *browser, name string) {
	u, _ := url.Parse(issuer)
	b.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: from.cookie(name), Path: "/", Secure: true}})
}

// beginRecovery proves that mail reaches the person.
func (b *browser) beginRecovery(name string) reply {
	b.t.Helper()
	page := b.follow(b.submit(b.get("/login/recover"), "name", name))
	return b.follow(b.submit(page, "code", b.mail("recover_code").code))
}

func (h *house) passwordIs(p string) bool {
	b := h.browser()
	page := b.submit(b.loginPage(), "username", "ada", "password", p)
	return page.StatusCode == http.StatusSeeOther
}

// kinds are the letters that wait, by kind and address.
func (h *house) kinds() map[string]bool {
	told := map[string]bool{}
	for _, m := range h.mails() {
		told[m.Kind+" "+m.Address] = true
	}
	return told
}

func TestAU12RecoveryNeedsTwoProofs(t *testing.T) {
	t.Parallel()
	t.Run("mail alone is not enough", func(t *testing.T) {
		h := mailHouse(t)
		b := h.browser()
		page := b.beginRecovery("ada")
		if strings.Contains(page.body, `id="password"`) {
			t.Error("the page asks for a password")
		}
		wantStatus(t, b.submitDo(page, "password", "password", fresh), http.StatusForbidden)
		if h.passwordIs(fresh) {
			t.Error("the password is set")
		}
	})
	t.Run("AU16 a second address is, and all are told, and nobody is signed in", func(t *testing.T) {
		h := mailHouse(t)
		other := h.browser()
		other.signIn()
		if err := h.store.Account().AddAddress(t.Context(), h.user.ID, "two@example.com", h.clock.now()); err != nil {
			t.Fatal(err)
		}
		h.verify(h.user.ID, "two@example.com")
		b := h.browser()
		page := b.follow(b.submit(b.get("/login/recover"), "name", "ada"))
		page = b.follow(b.submit(page, "code", h.mail("recover_code").code))
		if told := h.kinds(); !told["recovery_started "+adasAddress] || !told["recovery_started two@example.com"] {
			t.Errorf("told: %v", told)
		}
		if strings.Contains(page.body, "two@example.com") || !strings.Contains(page.body, "t…@example.com") {
			t.Error("the page shows the other address, or not that there is one")
		}
		page = b.follow(b.submitDo(page, "mail", "n", "0"))
		m := h.mail("recover_code")
		if m.Address != "two@example.com" {
			t.Fatalf("%+v", m)
		}
		page = b.follow(b.submit(page, "code", m.code))
		wantBody(t, "both proven", page, `id="password"`)
		done := b.submitDo(page, "password", "password", fresh)
		wantStatus(t, done, http.StatusOK)
		if b.signedInNow() {
			t.Error("recovery signs in")
		}
		if told := h.kinds(); !told["recovery_done "+adasAddress] || !told["recovery_done two@example.com"] {
			t.Errorf("told: %v", told)
		}
		if !h.passwordIs(fresh) || h.passwordIs(password) {
			t.Error("the password is not the new one")
		}
		if r := other.get("/account"); r.StatusCode != http.StatusSeeOther {
			t.Errorf("another session lives: %d", r.StatusCode)
		}
		wantStatus(t, b.submitDo(page, "password", "password", password), http.StatusForbidden) // once
	})
	t.Run("the same address twice is one proof", func(t *testing.T) {
		h := mailHouse(t)
		b := h.browser()
		b.beginRecovery("ada")
		page := b.follow(b.submitDo(b.get("/login/recover?sent=yes"), "start", "name", "ada"))
		page = b.follow(b.submit(page, "code", h.mail("recover_code").code))
		wantStatus(t, b.submitDo(page, "password", "password", fresh), http.StatusForbidden)
	})
	t.Run("the proofs of one browser are none in another", func(t *testing.T) {
		h := mailHouse(t)
		b, eve := h.browser(), h.browser()
		b.beginRecovery("ada")
		eve.get("/login/recover")
		eve.copyCookie(b, "__Host-sallyport-recovery")
		wantBody(t, "elsewhere", eve.get("/login/recover"), `id="name"`)
	})
}

// AU12, AZ25: the second factor is asked for after recovery as before it.
func TestAU12RecoveryDoesNotGoAroundTheSecondFactor(t *testing.T) {
	t.Parallel()
	h := mailHouse(t)
	app := h.withAuthenticator(h.user)
	codes, err := h.accounts.MakeRecoveryCodes(t.Context(), account.Visit{}, h.user.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.mails()
	b := h.browser()
	page := b.beginRecovery("ada")
	wantStatus(t, b.submitDo(page, "factor", "factor", "000000"), http.StatusUnauthorized)
	page = b.follow(b.submitDo(page, "factor", "factor", app.code()))
	if strings.Contains(page.body, `id="lost"`) {
		t.Error("who has the app may say that it is lost")
	}
	wantStatus(t, b.submitDo(page, "password", "password", fresh, "lost", "yes"), http.StatusOK)
	signIn := func() reply {
		b := h.browser()
		return b.follow(b.submit(b.loginPage(), "username", "ada", "password", fresh))
	}
	if page := signIn(); page.Request.URL.Path != "/login/second" {
		t.Fatalf("after recovery the password alone leads to %s", page.Request.URL.Path)
	}
	// A recovery code is a second factor too, and lets a lost app be removed.
	h.mails()
	h.clock.advance(time.Hour)
	if err := h.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	b = h.browser()
	page = b.follow(b.submitDo(b.beginRecovery("ada"), "factor", "factor", codes[0].Reveal()))
	wantBody(t, "with a recovery code", page, `id="lost"`)
	wantStatus(t, b.submitDo(page, "password", "password", fresh+" 2", "lost", "yes"), http.StatusOK)
	// The last app takes the recovery codes along, which would come back with the next.
	if f, err := h.accounts.Factors(t.Context(), h.user.ID); err != nil || f.Authenticators+f.RecoveryCodes != 0 {
		t.Errorf("%+v %v", f, err)
	}
	if told := h.kinds(); !told["factor_removed "+adasAddress] {
		t.Errorf("told: %v", told)
	}
}

func TestAU12AnAdministratorStartsAndChoosesNoPassword(t *testing.T) {
	t.Parallel()
	t.Run("mail is the second proof", func(t *testing.T) {
		h := mailHouse(t)
		token, err := h.accounts.StartReset(t.Context(), h.user.ID)
		if err != nil {
			t.Fatal(err)
		}
		link := h.accounts.ResetLink(token)
		b := h.browser()
		r := b.get(link)
		if to := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || strings.Contains(to, "spfl_") {
			t.Fatalf("%d, the approval stays in the address: %q", r.StatusCode, to)
		}
		page := b.follow(r)
		wantStatus(t, b.submitDo(page, "password", "password", fresh), http.StatusForbidden)
		page = b.follow(b.submitDo(page, "mail", "n", "0"))
		page = b.follow(b.submit(page, "code", h.mail("recover_code").code))
		wantStatus(t, b.submitDo(page, "password", "password", fresh), http.StatusOK)
		if b.signedInNow() || !h.passwordIs(fresh) {
			t.Error("signed in, or the password is not set")
		}
		wantStatus(t, h.browser().get(link), http.StatusGone)
		if strings.Contains(h.log.String(), token.Reveal()) {
			t.Error("the log has the approval")
		}
	})
	t.Run("where no mail reaches the person it is enough, for a day", func(t *testing.T) {
		h := newHouse(t, options{})
		token, err := h.accounts.StartReset(t.Context(), h.user.ID)
		if err != nil {
			t.Fatal(err)
		}
		b, late := h.browser(), h.browser()
		page := b.follow(b.get(h.accounts.ResetLink(token)))
		wantBody(t, "approved", page, `id="password"`)
		wantStatus(t, b.submitDo(page, "password", "password", fresh), http.StatusOK)
		if b.signedInNow() {
			t.Error("a reset link signs in")
		}
		if token, err = h.accounts.StartReset(t.Context(), h.user.ID); err != nil {
			t.Fatal(err)
		}
		h.clock.advance(account.ResetLife)
		wantStatus(t, late.get(h.accounts.ResetLink(token)), http.StatusGone)
	})
}

func TestWhoCanProveOneThingOnlyWaits(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*house, *browser, string) {
		h := mailHouse(t, func(o *account.Options) { o.RecoveryWait = 10 * time.Hour })
		b := h.browser()
		page := b.follow(b.submitDo(b.beginRecovery("ada"), "wait"))
		wantBody(t, "waiting", page, `id="ripe"`)
		return h, b, h.mail("recovery_waiting").link
	}
	again := func(h *house) (*browser, reply) {
		b := h.browser()
		b.beginRecovery("ada")
		return b, b.get("/login/recover?sent=yes") // it always has a form
	}
	t.Run("until then nothing is possible, and afterwards it is", func(t *testing.T) {
		h, _, _ := begin(t)
		h.clock.advance(10*time.Hour - time.Minute)
		b, page := again(h)
		wantStatus(t, b.submitDo(page, "password", "password", fresh), http.StatusForbidden)
		h.mails()
		h.clock.advance(time.Minute)
		b, page = again(h)
		wantStatus(t, b.submitDo(page, "password", "password", fresh), http.StatusOK)
		if !h.passwordIs(fresh) {
			t.Error("the password is not set")
		}
		h.mails()
		b, page = again(h) // it was used up
		wantStatus(t, b.submitDo(page, "password", "password", fresh+" 2"), http.StatusForbidden)
	})
	t.Run("the link stops it, from anywhere, and opening it does not", func(t *testing.T) {
		h, b, link := begin(t)
		owner := h.browser()
		page := owner.get(link)
		wantStatus(t, page, http.StatusOK)
		if _, err := h.store.Account().Waiting(t.Context(), h.user.ID, h.clock.now()); err != nil {
			t.Fatalf("opening the link stops it: %v", err)
		}
		wantStatus(t, owner.submit(page), http.StatusOK)
		wantBody(t, "the recovery under way", b.get("/login/recover"), `id="name"`)
		h.mails()
		h.clock.advance(11 * time.Hour)
		b, page = again(h)
		wantStatus(t, b.submitDo(page, "password", "password", fresh), http.StatusForbidden)
		wantStatus(t, owner.submit(owner.get(link)), http.StatusGone)
	})
}

func TestAProvenRecoveryEndsWithThePassword(t *testing.T) {
	t.Parallel()
	h := mailHouse(t)
	b := h.browser()
	b.beginRecovery("ada")
	if err := h.accounts.SetPassword(t.Context(), h.user.ID, secret.New(fresh)); err != nil {
		t.Fatal(err)
	}
	wantBody(t, "after another password", b.get("/login/recover"), `id="name"`)
}

// Whoever has an old mailbox, or an old approval, waits in vain once the person has
// done something about it.
func TestARecoveryEndsWithWhatItStandsOn(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*testing.T, *house){
		"another password": func(t *testing.T, h *house) {
			if err := h.accounts.SetPassword(t.Context(), h.user.ID, secret.New(fresh)); err != nil {
				t.Fatal(err)
			}
		},
		"the person's own new password": func(t *testing.T, h *house) {
			h.changeOwnPassword(h.user, fresh)
		},
		"an address that is taken away": func(t *testing.T, h *house) {
			if err := h.accounts.SetPrimary(t.Context(), &account.Visit{}, h.user.ID, "two@example.com"); err != nil {
				t.Fatal(err)
			}
			if err := h.accounts.RemoveAddress(t.Context(), &account.Visit{}, h.user.ID, adasAddress); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			h := mailHouse(t)
			if err := h.store.Account().AddAddress(t.Context(), h.user.ID, "two@example.com", h.clock.now()); err != nil {
				t.Fatal(err)
			}
			h.verify(h.user.ID, "two@example.com")
			approval, err := h.accounts.StartReset(t.Context(), h.user.ID)
			if err != nil {
				t.Fatal(err)
			}
			eve := h.browser()
			eve.follow(eve.submitDo(eve.beginRecovery("ada"), "wait"))
			if _, err := h.store.Account().Waiting(t.Context(), h.user.ID, h.clock.now()); err != nil {
				t.Fatalf("nobody waits: %v", err)
			}
			end(t, h)
			wantBody(t, "what was proven", eve.get("/login/recover"), `id="name"`)
			if _, err := h.store.Account().Waiting(t.Context(), h.user.ID, h.clock.now()); !errors.Is(err, account.ErrNotFound) {
				t.Errorf("the time still counts: %v", err)
			}
			if strings.Contains(name, "password") {
				wantStatus(t, h.browser().get(h.accounts.ResetLink(approval)), http.StatusGone)
			}
		})
	}
}

// changeOwnPassword is what the page does, without the page.
func (h *house) changeOwnPassword(u account.User, password string) {
	h.t.Helper()
	b := h.browser()
	b.signIn()
	list, err := h.accounts.Sessions(h.t.Context(), u.ID, secret.ID{})
	if err != nil || len(list) != 1 {
		h.t.Fatalf("%+v %v", list, err)
	}
	if _, _, err := h.accounts.ChangePassword(h.t.Context(), account.Visit{}, list[0], secret.New(password)); err != nil {
		h.t.Fatal(err)
	}
}
