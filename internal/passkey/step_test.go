package passkey_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// After the password, a passkey of the same person completes the sign-in; one of
// somebody else, and a challenge for somebody else, do not.
func TestAU09PasskeyAsASecondFactor(t *testing.T) {
	h := newHouse(t)
	g, others := newGadget(), newGadget()
	h.add(t, h.ada, g)
	h.add(t, h.bob, others)
	withPassword := func(name string) account.Visit {
		v := visit("a")
		p, err := h.SignIn(t.Context(), v, name, secret.New(password))
		if err != nil || p.Done() {
			t.Fatalf("a password alone: done %v, %v", p.Done(), err)
		}
		v.Ticket = p.Ticket
		return v
	}
	v := withPassword("ada")
	c, err := h.AskPasskeyOf(t.Context(), v, h.ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, reason := h.answered(t, v, c.State, others.sign(t, c.Options)); reason != "other_person" {
		t.Errorf("AU09 credential of another user: %q", reason)
	}
	if _, err := h.WithPasskey(t.Context(), withPassword("bob"), c.State, g.sign(t, c.Options)); !errors.Is(err, account.ErrTicket) {
		t.Errorf("a challenge for somebody else than the ticket's: %v", err)
	}
	if _, err := h.WithPasskey(t.Context(), visit("a"), c.State, g.sign(t, c.Options)); !errors.Is(err, account.ErrTicket) {
		t.Errorf("a step without a ticket: %v", err)
	}
	p, reason := h.answered(t, v, c.State, g.sign(t, c.Options, func(c *ceremony) { c.handle = nil })) // it may be left out where the person is known
	if !p.Done() || p.Session.ACR != token.ACRPhishing || p.Session.AMR != "pwd hwk user mfa" {
		t.Errorf("the second factor: %q, acr %q, amr %q", reason, p.Session.ACR, p.Session.AMR)
	}
}

// What people do with their passkeys.
func TestAU15PasskeysOfAPerson(t *testing.T) {
	h := newHouse(t)
	g := newGadget()
	made := h.add(t, h.ada, g)
	t.Run("made again it is refused, and left out by the browser", func(t *testing.T) {
		c, err := h.AskNewPasskey(t.Context(), visit("a"), h.ada.ID)
		if err != nil || !strings.Contains(c.Options, made.ID) {
			t.Fatal(c.Options, err)
		}
		if _, err := h.AddPasskey(t.Context(), visit("a"), h.ada.ID, c.State, g.create(t, c.Options), "Again"); !errors.Is(err, account.ErrWrongCredentials) {
			t.Error(err)
		}
	})
	t.Run("names", func(t *testing.T) {
		for name, bad := range map[string]bool{"": true, " ": true, strings.Repeat("x", 61): true, "a\u202eb": true, "My laptop": false} {
			err := h.RenamePasskey(t.Context(), h.ada.ID, made.ID, name)
			var invalid *account.InvalidError
			if errors.As(err, &invalid) != bad || !bad && err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
	t.Run("others cannot touch it", func(t *testing.T) {
		if err := h.RenamePasskey(t.Context(), h.bob.ID, made.ID, "Bob's"); !errors.Is(err, account.ErrNotFound) {
			t.Error(err)
		}
		if err := h.RemovePasskey(t.Context(), visit("a"), account.Session{UserID: h.bob.ID}, made.ID); !errors.Is(err, account.ErrNotFound) {
			t.Error(err)
		}
	})
	t.Run("use is noted", func(t *testing.T) {
		h.now = h.now.Add(time.Hour)
		h.signsIn(t, g, h.ada)
		list, err := h.Passkeys(t.Context(), h.ada.ID)
		if err != nil || len(list) != 1 || list[0].Name != "My laptop" || !list[0].LastUsed.Equal(h.now) {
			t.Error(list, err)
		}
	})
	t.Run("a disabled person does not sign in", func(t *testing.T) {
		if err := h.SetDisabled(t.Context(), h.ada.ID, true); err != nil {
			t.Fatal(err)
		}
		c := h.ask(t)
		if _, reason := h.answered(t, visit("a"), c.State, g.sign(t, c.Options)); reason != "disabled" {
			t.Errorf("reason %q", reason)
		}
		if err := h.SetDisabled(t.Context(), h.ada.ID, false); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("removed, it signs nobody in, and what was under way starts again", func(t *testing.T) {
		v := visit("a")
		p, err := h.SignIn(t.Context(), v, "ada", secret.New(password))
		if err != nil {
			t.Fatal(err)
		}
		v.Ticket = p.Ticket
		c := h.ask(t)
		spare, other := h.signedIn(t, g), h.signedIn(t, g)
		if err := h.RemovePasskey(t.Context(), v, spare.Session, made.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Session(t.Context(), spare.Cookie); err != nil {
			t.Errorf("the session in which it was removed: %v", err)
		}
		if _, err := h.Session(t.Context(), other.Cookie); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("another that was opened with it: %v", err)
		}
		if _, reason := h.answered(t, visit("a"), c.State, g.sign(t, c.Options)); reason != "unknown" {
			t.Errorf("reason %q", reason)
		}
		if _, _, err := h.Underway(t.Context(), v); !errors.Is(err, account.ErrTicket) {
			t.Errorf("a ticket from before: %v", err)
		}
		events, err := h.Events(t.Context(), h.ada.ID)
		if err != nil || len(events) < 2 || events[0].Kind != account.FactorRemoved || events[0].Detail != "My laptop" {
			t.Errorf("AU16 events %v, %v", events, err)
		}
	})
	t.Run("at most twenty", func(t *testing.T) {
		for range account.MostPasskeys {
			h.add(t, h.bob, newGadget())
		}
		c, err := h.AskNewPasskey(t.Context(), visit("a"), h.bob.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.AddPasskey(t.Context(), visit("a"), h.bob.ID, c.State, newGadget().create(t, c.Options), "One more"); !errors.Is(err, account.ErrTooMany) {
			t.Error(err)
		}
	})
}

// Wrong answers are limited by address, apart from passwords.
func TestAU04WrongPasskeysAreThrottled(t *testing.T) {
	h := newHouse(t)
	g := newGadget()
	h.add(t, h.ada, g)
	c := h.ask(t)
	var throttled *account.ThrottledError
	for range 60 {
		_, err := h.WithPasskey(t.Context(), visit("a"), c.State, "{}")
		if errors.As(err, &throttled) {
			break
		}
	}
	if throttled == nil || throttled.RetryAfter <= 0 {
		t.Fatal("nothing stops wrong answers")
	}
	if p, err := h.SignIn(t.Context(), visit("a"), "bob", secret.New(password)); err != nil || !p.Done() {
		t.Errorf("a password from the same address: %v", err)
	}
	h.now = h.now.Add(time.Minute)
	h.signsIn(t, g, h.ada)
}

func (h *house) signedIn(t *testing.T, g *gadget) account.Progress {
	t.Helper()
	c := h.ask(t)
	p, reason := h.answered(t, visit("a"), c.State, g.sign(t, c.Options))
	if !p.Done() {
		t.Fatal(reason)
	}
	return p
}
