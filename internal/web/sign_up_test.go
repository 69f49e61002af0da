package web_test

import (
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// proveAddress goes through sign-up up to the page that asks for name and password.
func (b *browser) proveAddress(start, address string) reply {
	b.t.Helper()
	page := b.follow(b.get(start))
	page = b.follow(b.submit(page, "address", address))
	return b.follow(b.submit(page, "code", b.mail("sign_up_code").code))
}

func TestSignUpContinuesTheSignIn(t *testing.T) {
	t.Parallel()
	h := mailHouse(t)
	b := h.browser()
	page := b.proveAddress(field(b.loginPage(), "sign_up"), "new@example.com")
	wantBody(t, "after the code", page, `id="username"`, `value="new@example.com"`)
	wantStatus(t, b.submit(page, "username", "new", "password", "short"), http.StatusBadRequest)
	wantStatus(t, b.submit(page, "username", "ADA", "password", password), http.StatusConflict)
	wantStatus(t, b.submit(page, "username", "victim@example.com", "password", password), http.StatusBadRequest)
	done := b.follow(b.submit(page, "username", "new", "name", "New Person", "password", password))
	wantBody(t, "signed up", done, `id="allow"`)
	u, err := h.accounts.UserByName(t.Context(), "new")
	if err != nil || u.Email != "new@example.com" || !u.EmailVerified {
		t.Errorf("%+v %v", u, err)
	}
	// What was proven is used up: the address has an account.
	wantStatus(t, b.submit(page, "username", "again", "password", password), http.StatusForbidden)
}

func TestSignUpWithoutAnAppLeadsToTheAccount(t *testing.T) {
	t.Parallel()
	h := mailHouse(t)
	b := h.browser()
	page := b.proveAddress("/login/sign-up", "new@example.com")
	done := b.follow(b.submit(page, "username", "new@example.com", "password", password))
	if done.Request.URL.Path != "/account" || done.StatusCode != http.StatusOK {
		t.Errorf("%d at %s", done.StatusCode, done.Request.URL.Path)
	}
}

func TestWhoMaySignUp(t *testing.T) {
	t.Parallel()
	t.Run("nobody, unless it is switched on", func(t *testing.T) {
		b := newHouse(t, options{}).browser()
		wantStatus(t, b.get("/login/sign-up"), http.StatusNotFound)
		if strings.Contains(b.loginPage().body, "/login/sign-up") {
			t.Error("the page offers it")
		}
	})
	t.Run("nobody without mail", func(t *testing.T) {
		b := newHouse(t, options{people: func(o *account.Options) { o.SignUp = account.SignUpOpen }}).browser()
		wantStatus(t, b.get("/login/sign-up"), http.StatusNotFound)
	})
	t.Run("who has an address of a domain", func(t *testing.T) {
		h := mailHouse(t, func(o *account.Options) { o.SignUp, o.SignUpDomains = account.SignUpDomains, []string{"example.com"} })
		b := h.browser()
		for _, address := range []string{"a@evil.example", "a@sub.example.com", "a@example.com.evil.example", "a@b@example.com", "a@example.com\r\nBcc: x@example.com", "a b@example.com"} {
			if r := b.submit(b.get("/login/sign-up"), "address", address); r.StatusCode < 400 {
				t.Errorf("%q may sign up", address)
			}
		}
		wantBody(t, "the domain", b.proveAddress("/login/sign-up", "a@EXAMPLE.com"), `id="username"`)
	})
	t.Run("who is invited, once", func(t *testing.T) {
		h := mailHouse(t, func(o *account.Options) { o.SignUp = account.SignUpInvitation })
		link, err := h.accounts.Invite(t.Context(), "guest@example.com", true)
		if err != nil {
			t.Fatal(err)
		}
		if m := h.mail("invitation"); m.link != link.Reveal() || m.Address != "guest@example.com" {
			t.Errorf("%+v", m)
		}
		b, late := h.browser(), h.browser()
		wantStatus(t, b.get("/login/sign-up"), http.StatusForbidden)
		r := b.get(link.Reveal())
		if to := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || strings.Contains(to, "spfl_") {
			t.Errorf("%d, the invitation stays in the address: %q", r.StatusCode, to)
		}
		late.follow(late.get(link.Reveal()))
		page := b.proveAddress("/login/sign-up", "somebody-else@example.com")
		wantBody(t, "invited", page, `value="guest@example.com"`)
		if done := b.follow(b.submit(page, "username", "guest", "password", password)); done.Request.URL.Path != "/account" {
			t.Errorf("%d at %s", done.StatusCode, done.Request.URL.Path)
		}
		wantStatus(t, late.get(link.Reveal()), http.StatusForbidden)
		token := link.Reveal()[strings.Index(link.Reveal(), "spfl_"):]
		if strings.Contains(h.log.String(), token) || strings.Contains(h.log.String(), "guest@example.com") {
			t.Error("the log has the invitation or the address")
		}
	})
	t.Run("nobody by an invitation for somebody else's address", func(t *testing.T) {
		h := mailHouse(t, func(o *account.Options) { o.SignUp = account.SignUpInvitation })
		open, err := h.accounts.Invite(t.Context(), "", false)
		if err != nil {
			t.Fatal(err)
		}
		named, err := h.accounts.Invite(t.Context(), "guest@example.com", false)
		if err != nil {
			t.Fatal(err)
		}
		eve := h.browser()
		page := eve.follow(eve.submit(eve.follow(eve.get(open.Reveal())), "address", "eve@example.com"))
		code := h.mail("sign_up_code").code
		eve.follow(eve.get(named.Reveal())) // opened between the letter and its code
		page = eve.follow(eve.submit(page, "code", code))
		wantStatus(t, eve.submit(page, "username", "eve", "password", password), http.StatusForbidden)
	})
	t.Run("nobody by an address that was not proven", func(t *testing.T) {
		h := mailHouse(t)
		b := h.browser()
		page := b.get("/login/sign-up")
		wantStatus(t, b.submitDo(page, "finish", "username", "x", "password", password), http.StatusForbidden)
		// What another browser has proven does not count here.
		other := h.browser()
		other.proveAddress("/login/sign-up", "other@example.com")
		b.copyCookie(other, "__Host-sallyport-newcomer")
		wantStatus(t, b.submitDo(page, "finish", "username", "x", "password", password), http.StatusForbidden)
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	h := mailHouse(t)
	bob, err := h.accounts.AddUser(t.Context(), account.NewUser{Username: "bob", Email: "bob@example.com", EmailVerified: true, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	page := b.signedInFor("/account/addresses")
	wantBody(t, "the page", page, adasAddress)
	page = b.follow(b.submitDo(page, "add", "address", "two@example.com"))
	code := h.mail("address_code")
	if code.Address != "two@example.com" {
		t.Fatalf("%+v", code)
	}
	wantStatus(t, b.submitDo(page, "primary", "address", "two@example.com"), http.StatusSeeOther)
	if u, _ := h.accounts.User(t.Context(), h.user.ID); u.Email != adasAddress {
		t.Error("an address that was not proven is the main one")
	}
	page = b.follow(b.submitDo(page, "code", "code", code.code))
	told := map[string]bool{}
	for _, m := range h.mails() {
		told[m.Kind+" "+m.Address] = true
	}
	if !told["address_added "+adasAddress] || !told["address_added two@example.com"] {
		t.Errorf("told: %v", told)
	}
	page = b.follow(b.submitDo(page, "primary", "address", "two@example.com"))
	if u, _ := h.accounts.User(t.Context(), h.user.ID); u.Email != "two@example.com" || !u.EmailVerified {
		t.Errorf("%+v", u)
	}
	h.mails()
	b.submitDo(page, "remove", "address", "two@example.com") // the main one stays
	page = b.follow(b.submitDo(page, "remove", "address", adasAddress))
	list, err := h.accounts.Addresses(t.Context(), h.user.ID)
	if err != nil || len(list) != 1 || list[0].Address != "two@example.com" {
		t.Errorf("%+v %v", list, err)
	}
	told = map[string]bool{}
	for _, m := range h.mails() {
		told[m.Kind+" "+m.Address] = true
	}
	if !told["address_removed "+adasAddress] || !told["address_removed two@example.com"] {
		t.Errorf("told of the removal: %v", told)
	}
	// Somebody else's address can be added, and never be made sure of.
	page = b.follow(b.submitDo(page, "add", "address", "BOB@example.com"))
	wantStatus(t, b.submitDo(page, "code", "code", h.mail("address_code").code), http.StatusConflict)
	if u, err := h.store.Account().PersonByAddress(t.Context(), "bob@example.com"); err != nil || u.ID != bob.ID {
		t.Errorf("%+v %v", u, err)
	}
}

func TestAU15AddressesNeedAFreshSignIn(t *testing.T) {
	t.Parallel()
	h := mailHouse(t)
	b := h.browser()
	b.signIn()
	if r := b.get("/account/addresses"); r.StatusCode != http.StatusSeeOther || !strings.Contains(r.Header.Get("Location"), "/login?flow=") {
		t.Errorf("%d %s", r.StatusCode, r.Header.Get("Location"))
	}
}
