package account_test

import (
	"errors"
	"testing"
	"time"

	"sallyport/internal/account"
)

// AZ25: a sign-in at a provider is one factor. The session that comes out of both steps
// knows where it came from, so that it ends with that.
func TestAZ25ID09ASignInElsewhereIsOneFactor(t *testing.T) {
	t.Parallel()
	h, _ := factorHouse(t)
	u := h.add(t, "ada")
	a := h.enrol(t, u)
	h.clock.advance(time.Minute)
	u, err := h.User(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	e := account.ElsewhereVisit{Provider: "https://id.example", Subject: "u-1", Name: "ada@id.example", SID: "s-1"}
	v := visit("a")
	if _, err := h.WithIdentity(t.Context(), v, e); !errors.Is(err, account.ErrNotFound) {
		t.Fatalf("an identity of nobody: %v", err)
	}
	if err := h.LinkIdentity(t.Context(), &v, u.ID, e, "Id"); err != nil {
		t.Fatal(err)
	}
	p, err := h.WithIdentity(t.Context(), v, e)
	if err != nil || p.Done() || len(p.Next) != 1 || p.Next[0] != account.TOTP {
		t.Fatalf("without a second factor: %+v, %v", p, err)
	}
	v.Ticket = p.Ticket
	p, err = h.WithCode(t.Context(), v, a.code(0))
	if err != nil || !p.Done() || p.Session.Provider != e.Provider || p.Session.ProviderSID != "s-1" {
		t.Fatalf("with it: %+v, %v", p, err)
	}
	e.MultiFactor = true
	if p, err := h.WithIdentity(t.Context(), visit("a"), e); err != nil || !p.Done() || p.Session.ACR != "urn:sallyport:mfa" {
		t.Errorf("two factors there, believed: %+v, %v", p, err)
	}
	e.Provider = "https://other.example"
	if _, err := h.WithIdentity(t.Context(), visit("a"), e); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("ID09 the same sub at another provider: %v", err)
	}
}
