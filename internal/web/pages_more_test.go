package web_test

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// Pages with something new in them each time, such as a code in a mail or the port
// of another provider: no golden files, but they are looked at like all others.

// mailPages walks to what needs mail.
func mailPages(t *testing.T, tag string) map[string]reply {
	t.Helper()
	h := newHouse(t, options{language: tag, people: func(o *account.Options) {
		o.Mail, o.MailSignIn, o.SignUp, o.Issuer = true, true, account.SignUpOpen, issuer
	}})
	if _, err := h.accounts.AddUser(t.Context(), account.NewUser{Username: "bea", Email: "bea@example.com", EmailVerified: true, Password: secret.New(password)}); err != nil {
		t.Fatal(err)
	}
	list := map[string]reply{}
	b := h.browser()
	list["login_ways"] = b.loginPage()
	at := func(id string) reply {
		_, rest, _ := strings.Cut(list["login_ways"].body, `<a id="`+id+`" href="`)
		address, _, _ := strings.Cut(rest, `"`)
		return b.get(html.UnescapeString(address))
	}
	list["email"] = at("by_mail")
	list["email_code"] = b.follow(b.submit(list["email"], "name", "ada"))
	list["email_wrong"] = b.submit(list["email_code"], "code", "nonsense")
	list["recover"] = at("recover")
	h.clock.advance(time.Second) // letters have an order
	list["recover_code"] = b.follow(b.submit(list["recover"], "name", "bea"))
	list["recover_second"] = b.follow(b.submit(list["recover_code"], "code", h.mailed()))
	list["sign_up"] = at("sign_up")
	list["sign_up_code"] = b.follow(b.submit(list["sign_up"], "address", "eve@example.com"))
	list["sign_up_rest"] = b.follow(b.submit(list["sign_up_code"], "code", h.mailed()))
	list["sign_up_refused"] = b.submit(list["sign_up_rest"], "username", "ada", "password", "short")
	list["addresses"] = b.signedInFor("/account/addresses")
	list["addresses_sent"] = b.follow(b.submit(list["addresses"], "do", "add", "address", "ada.lovelace@example.org"))
	return list
}

// elsewherePages walks to what is about sign-ins at another provider.
func elsewherePages(t *testing.T, tag string) map[string]reply {
	t.Helper()
	a := newAbroad(t)
	a.language = tag
	h := a.home(t)
	b := h.browser()
	list := map[string]reply{"login_elsewhere": b.loginPage()}
	list["unknown"] = b.follow(b.get(a.consent(b.leave(list["login_elsewhere"], "partner"), "bea")))
	r := b.follow(b.press(list["unknown"], "/login/unknown", "link"))
	list["linked_pending"] = b.follow(b.submit(r, "username", "ada", "password", password))
	b.follow(b.press(list["linked_pending"], "/account/linked", "link"))
	list["linked"] = b.signedInFor("/account/linked")
	return list
}

var mailedCode = regexp.MustCompile(`[0-9]{4} [0-9]{4}`)

// mailed is the code in the latest letter.
func (h *house) mailed() string {
	h.t.Helper()
	code := ""
	for {
		list, err := h.store.Outbox().Claim(h.t.Context(), h.clock.now(), h.clock.now().Add(time.Hour), 100)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, n := range list {
			var letter audit.Letter
			if json.Unmarshal(n.Body, &letter) != nil || letter.Sealed == "" {
				continue
			}
			within, err := h.accounts.OpenLetter(letter.ID, letter.Sealed)
			if err != nil {
				h.t.Fatal(err)
			}
			if found := mailedCode.FindString(within.Reveal()); found != "" {
				code = found
			}
		}
	}
	if code == "" {
		h.t.Fatal("no code was mailed")
	}
	return code
}
