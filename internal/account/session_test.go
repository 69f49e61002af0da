package account_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// failing is a store whose reads can be made to fail.
type failing struct {
	*memory
	err error
}

func (f *failing) UserByName(ctx context.Context, folded string) (account.User, error) {
	if f.err != nil {
		return account.User{}, f.err
	}
	return f.memory.UserByName(ctx, folded)
}

func (f *failing) Session(ctx context.Context, id secret.ID) (account.Session, error) {
	if f.err != nil {
		return account.Session{}, f.err
	}
	return f.memory.Session(ctx, id)
}

func TestSessionSaysWhoAndHow(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		h := newHouse(t, store)
		u := h.add(t, "ada")
		opened, cookie, err := h.signIn(t.Context(), "ada", good, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Session(t.Context(), cookie)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != opened.ID || got.UserID != u.ID || got.ACR != token.ACRPassword || got.AMR != "pwd" || !got.AuthTime.Equal(start) {
			t.Errorf("session %+v", got)
		}
		if !strings.HasPrefix(cookie.Reveal(), "spse_") || got.Hash != cookie.Hash() {
			t.Error("the cookie is not a handle, or its hash is not what is kept")
		}
	})
}

func TestAU13NewSessionEachTimeAndTheOldOneEnds(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		h := newHouse(t, store)
		h.add(t, "ada")
		first, old, err := h.signIn(t.Context(), "ada", good, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		v := from("192.0.2.1")
		v.Previous = first.ID
		p, err := h.SignIn(t.Context(), v, "ada", secret.New(good))
		second, cookie := p.Session, p.Cookie
		if err != nil {
			t.Fatal(err)
		}
		if second.ID == first.ID || cookie.Equal(old) {
			t.Error("the second sign-in kept the session")
		}
		if _, err := h.Session(t.Context(), old); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("the old cookie: %v, want ErrNotFound", err)
		}
		if _, err := h.Session(t.Context(), cookie); err != nil {
			t.Errorf("the new cookie: %v", err)
		}
		_, other, err := h.signIn(t.Context(), "ada", good, "192.0.2.2")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Session(t.Context(), cookie); err != nil {
			t.Errorf("signing in in another browser ended this one: %v", err)
		}
		if _, err := h.Session(t.Context(), other); err != nil {
			t.Error(err)
		}
	})
}

func TestForgedCookiesAreUnknown(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		h := newHouse(t, store)
		h.add(t, "ada")
		s, cookie, err := h.signIn(t.Context(), "ada", good, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]secret.Value{
			"nothing":                       {},
			"garbage":                       secret.New("spse_x"),
			"unknown":                       secret.Encode(secret.SessionCookie, secret.Random(48)),
			"known ID, other secret":        secret.Encode(secret.SessionCookie, append(s.ID[:], secret.Random(32)...)),
			"known ID, no secret":           secret.Encode(secret.SessionCookie, s.ID[:]),
			"other kind of handle":          secret.Encode(secret.RefreshToken, secret.Random(48)),
			"longer":                        secret.Encode(secret.SessionCookie, append(s.ID[:], secret.Random(33)...)),
			"the cookie and a byte":         secret.New(cookie.Reveal() + "A"),
			"the cookie in quotation marks": secret.New(`"` + cookie.Reveal() + `"`),
		} {
			if _, err := h.Session(t.Context(), v); err != account.ErrNotFound { //nolint:errorlint // all alike
				t.Errorf("%s: %v, want ErrNotFound itself", name, err)
			}
		}
	})
}

func TestAU14IdleAndAbsoluteLimits(t *testing.T) {
	t.Parallel()
	for _, tier := range token.Tiers {
		t.Run("AU14 "+tier.String(), func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, store account.Store) {
				limits := tier.Limits()
				open := func() (*house, secret.Value) {
					h := newHouse(t, store)
					if _, err := h.UserByName(t.Context(), "ada"); err != nil {
						h.add(t, "ada")
					}
					v := from("192.0.2.1")
					v.Demand.Tier = tier
					p, err := h.SignIn(t.Context(), v, "ada", secret.New(good))
					cookie := p.Cookie
					if err != nil {
						t.Fatal(err)
					}
					return h, cookie
				}
				h, cookie := open()
				h.clock.advance(limits.SessionIdle - time.Second)
				if limits.SessionIdle < limits.SessionAbsolute {
					if _, err := h.Session(t.Context(), cookie); err != nil {
						t.Fatalf("just before the idle limit: %v", err)
					}
					h.clock.advance(limits.SessionIdle)
				} else {
					h.clock.advance(time.Second)
				}
				if _, err := h.Session(t.Context(), cookie); !errors.Is(err, account.ErrNotFound) {
					t.Errorf("at the idle limit: %v, want ErrNotFound", err)
				}

				h, cookie = open()
				step := limits.SessionIdle / 2
				for at := step; at < limits.SessionAbsolute; at += step {
					h.clock.advance(step)
					s, err := h.Session(t.Context(), cookie)
					if err != nil {
						t.Fatalf("in use, after %s: %v", at, err)
					}
					if s.IdleUntil.After(s.AbsoluteUntil) {
						t.Fatalf("idle limit %s is past the absolute %s", s.IdleUntil, s.AbsoluteUntil)
					}
				}
				h.clock.advance(step)
				if _, err := h.Session(t.Context(), cookie); !errors.Is(err, account.ErrNotFound) {
					t.Errorf("in use, at the absolute limit: %v, want ErrNotFound", err)
				}
			})
		})
	}
}

func TestUseIsWrittenDownOnceAMinute(t *testing.T) {
	t.Parallel()
	store := newMemory()
	h := newHouse(t, store)
	h.add(t, "ada")
	_, cookie, err := h.signIn(t.Context(), "ada", good, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	for range 600 { // ten minutes, a request a second
		h.clock.advance(time.Second)
		if _, err := h.Session(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
	}
	if store.touches != 10 {
		t.Errorf("%d writes in ten minutes, want 10", store.touches)
	}
}

func TestWhatEndsSessions(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context, *house, string) error{
		"password change": func(ctx context.Context, h *house, id string) error {
			return h.SetPassword(ctx, id, secret.New("another sentence entirely"))
		},
		"disabling": func(ctx context.Context, h *house, id string) error { return h.SetDisabled(ctx, id, true) },
		"deletion":  func(ctx context.Context, h *house, id string) error { return h.DeleteUser(ctx, id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, store account.Store) {
				h := newHouse(t, store)
				u := h.add(t, "ada")
				_, cookie, err := h.signIn(t.Context(), "ada", good, "192.0.2.1")
				if err != nil {
					t.Fatal(err)
				}
				if err := end(t.Context(), h, u.ID); err != nil {
					t.Fatal(err)
				}
				if _, err := h.Session(t.Context(), cookie); !errors.Is(err, account.ErrNotFound) {
					t.Errorf("the session: %v, want ErrNotFound", err)
				}
				if _, _, err := h.signIn(t.Context(), "ada", good, "192.0.2.1"); !errors.Is(err, account.ErrWrongCredentials) {
					t.Errorf("sign in as before: %v, want ErrWrongCredentials", err)
				}
				if err := end(t.Context(), h, "nobody"); !errors.Is(err, account.ErrNotFound) {
					t.Errorf("for nobody: %v, want ErrNotFound", err)
				}
			})
		})
	}
}

func TestEnabledAgainSignsIn(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		h := newHouse(t, store)
		u := h.add(t, "ada")
		for _, disabled := range []bool{true, false} {
			if err := h.SetDisabled(t.Context(), u.ID, disabled); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := h.signIn(t.Context(), "ada", good, "192.0.2.1"); err != nil {
			t.Error(err)
		}
		users, err := h.Users(t.Context())
		if err != nil || len(users) != 1 || users[0].ID != u.ID {
			t.Errorf("Users = %v, %v", users, err)
		}
	})
}

func TestFaultOfTheStoreIsNotAnUnknownSession(t *testing.T) {
	t.Parallel()
	store := &failing{memory: newMemory()}
	h := newHouse(t, store)
	h.add(t, "ada")
	_, cookie, err := h.signIn(t.Context(), "ada", good, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	store.err = errors.New("disk on fire")
	if _, err := h.Session(t.Context(), cookie); !errors.Is(err, store.err) || errors.Is(err, account.ErrNotFound) {
		t.Errorf("%v, want the fault", err)
	}
}

// A row that says otherwise does not outlive the absolute limit.
func TestAU14AbsoluteLimitHoldsWhateverTheIdleLimitSays(t *testing.T) {
	t.Parallel()
	store := newMemory()
	h := newHouse(t, store)
	h.add(t, "ada")
	s, cookie, err := h.signIn(t.Context(), "ada", good, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.TouchSession(t.Context(), s.ID, start, s.AbsoluteUntil.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(s.AbsoluteUntil.Sub(start))
	if _, err := h.Session(t.Context(), cookie); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("at the absolute limit: %v, want ErrNotFound", err)
	}
}
