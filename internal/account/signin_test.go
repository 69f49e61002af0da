package account_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
)

func TestAU04ThrottlePerAccountAndAddress(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newMemory())
	h.add(t, "ada")
	h.add(t, "bob")
	for i := range 10 {
		if _, _, err := h.signIn(t.Context(), "ada", "wrong", "192.0.2.1"); !errors.Is(err, account.ErrWrongCredentials) {
			t.Fatalf("failure %d: %v", i, err)
		}
	}
	before := h.Hashes()
	record := &audit.Record{}
	_, _, err := h.signIn(audit.WithRecord(t.Context(), record), "ADA", good, "192.0.2.1")
	if !throttled(err) {
		t.Errorf("eleventh attempt: %v, want throttled, however the name is spelt", err)
	}
	if h.Hashes() != before {
		t.Error("a throttled attempt costs a hash")
	}
	if got := fmt.Sprint(reasons(record)); got != "[login.throttled:login_pair]" {
		t.Errorf("noted %s", got)
	}
	for name, c := range map[string]struct{ user, addr string }{
		"another address in the network": {"ada", "192.0.2.2"},
		"another account":                {"bob", "192.0.2.1"},
	} {
		if _, _, err := h.signIn(t.Context(), c.user, good, c.addr); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.clock.advance(5 * time.Minute)
	if _, _, err := h.signIn(t.Context(), "ada", good, "192.0.2.1"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestAU04SprayFromOneAddressAndOneNetwork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		addr func(i int) string
		most int64
	}{
		"one IPv4 address":      {func(int) string { return "192.0.2.1" }, 50},
		"one IPv4 as IPv6":      {func(int) string { return "::ffff:192.0.2.1" }, 50},
		"AU04 one IPv6 /64":     {func(i int) string { return fmt.Sprintf("2001:db8:1:1::%x", i) }, 50},
		"one IPv4 /24":          {func(i int) string { return fmt.Sprintf("192.0.2.%d", i%256) }, 500},
		"AU04 one IPv6 /48":     {func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) }, 500},
		"no address (a defect)": {nil, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, newMemory())
			for i := range 600 {
				v := from("")
				if c.addr != nil {
					v = from(c.addr(i))
				}
				_, err := h.SignIn(t.Context(), v, fmt.Sprint("user", i), secret.New(good))
				if int64(i) < c.most != errors.Is(err, account.ErrWrongCredentials) || int64(i) >= c.most != throttled(err) {
					t.Fatalf("attempt %d: %v; %d are allowed", i+1, err, c.most)
				}
			}
			if h.Hashes() != c.most {
				t.Errorf("%d hashes, want %d", h.Hashes(), c.most)
			}
			if _, _, err := h.signIn(t.Context(), "user", good, "203.0.113.9"); !errors.Is(err, account.ErrWrongCredentials) {
				t.Errorf("from elsewhere: %v", err)
			}
		})
	}
}

// While a botnet guesses at the account from thousands of addresses, the right
// password from an address of its own gets in, a little later.
func TestAU04NoStrangerLocksAnybodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, newMemory())
		h.add(t, "ada")
		slowed := 0
		for i := range 2000 {
			began := time.Now()
			addr := fmt.Sprintf("10.%d.%d.1", i/200, i%200)
			if _, _, err := h.signIn(t.Context(), "ada", "wrong", addr); !errors.Is(err, account.ErrWrongCredentials) {
				t.Fatalf("attempt %d: %v", i, err)
			}
			if time.Since(began) > 0 {
				slowed++
			}
		}
		if slowed != 1980 {
			t.Errorf("%d of 2000 guesses were slowed, want all past the first 20", slowed)
		}
		record := &audit.Record{}
		began := time.Now()
		if _, _, err := h.signIn(audit.WithRecord(t.Context(), record), "ada", good, "203.0.113.9"); err != nil {
			t.Errorf("the person is locked out: %v", err)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("the person waited %s", took)
		}
		if got := fmt.Sprint(reasons(record)); got != "[login.throttled:login_account login.succeeded: account.password_only:]" {
			t.Errorf("noted %s", got)
		}
		began = time.Now()
		if _, _, err := h.signIn(t.Context(), "nobody", "wrong", "203.0.113.9"); err == nil || time.Since(began) != 0 {
			t.Errorf("another account is slowed by %s", time.Since(began))
		}
	})
}

// Names that nobody has are throttled and slowed like others (AU05).
func TestAU05UnknownNamesAreThrottledAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, newMemory())
		h.add(t, "ada")
		var last string
		for _, name := range []string{"ada", "nobody", "not a name\x00"} {
			story := ""
			for i := range 130 {
				began := time.Now()
				_, _, err := h.signIn(t.Context(), name, "wrong", fmt.Sprintf("10.%d.0.1", i/11))
				story += fmt.Sprint(err, time.Since(began), "\n")
			}
			if last != "" && story != last {
				t.Errorf("%q: told apart by:\n%s", name, story)
			}
			last = story
			h.Service = account.New(account.Options{Store: h.store, Now: h.clock.now, Params: cheap})
		}
	})
}

func TestAU04SuccessesDoNotCount(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newMemory())
	h.add(t, "ada")
	for i := range 700 {
		if _, _, err := h.signIn(t.Context(), "ada", good, "192.0.2.1"); err != nil {
			t.Fatalf("sign-in %d: %v", i, err)
		}
	}
}

func TestAU04ParallelGuessesAreNotMore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newMemory(), func(o *account.Options) { o.HashesAtOnce = 64 })
	h.add(t, "ada")
	var guesses atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if _, _, err := h.signIn(t.Context(), "ada", "wrong", "192.0.2.1"); errors.Is(err, account.ErrWrongCredentials) {
				guesses.Add(1)
			}
		})
	}
	wg.Wait()
	if guesses.Load() != 10 {
		t.Errorf("%d guesses, want 10", guesses.Load())
	}
}

// A store that fails decides nothing, so it must not use up anybody's tries.
func TestFaultsAreNotCountedAsGuesses(t *testing.T) {
	t.Parallel()
	store := &failing{memory: newMemory()}
	limits := ratelimit.New(ratelimit.Options{})
	h := newHouse(t, store, func(o *account.Options) { o.Limits = limits })
	h.add(t, "ada")
	store.err = errors.New("disk on fire")
	for range 200 {
		_, _, err := h.signIn(t.Context(), "ada", good, "192.0.2.1")
		if !errors.Is(err, store.err) || errors.Is(err, account.ErrWrongCredentials) {
			t.Fatalf("%v, want the fault", err)
		}
	}
	store.err = nil
	if _, _, err := h.signIn(t.Context(), "ada", good, "192.0.2.1"); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

// Changes between the check of the password and the session must win.
func TestChangesDuringSignInWin(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *house, account.User){
		"disabled": func(t *testing.T, h *house, u account.User) {
			if err := h.SetDisabled(t.Context(), u.ID, true); err != nil {
				t.Error(err)
			}
		},
		"password changed": func(t *testing.T, h *house, u account.User) {
			if err := h.SetPassword(t.Context(), u.ID, secret.New("another sentence entirely")); err != nil {
				t.Error(err)
			}
		},
		"deleted": func(t *testing.T, h *house, u account.User) {
			if err := h.DeleteUser(t.Context(), u.ID); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemory()
			h := newHouse(t, store)
			u := h.add(t, "ada")
			var once sync.Once
			store.onLookup = func() { once.Do(func() { change(t, h, u) }) }
			if _, cookie, err := h.signIn(t.Context(), "ada", good, "192.0.2.1"); !errors.Is(err, account.ErrWrongCredentials) || !cookie.IsZero() {
				t.Errorf("%v, want ErrWrongCredentials", err)
			}
			for _, s := range store.sessions {
				if s.IdleUntil.After(start) {
					t.Error("a session lives on")
				}
			}
		})
	}
}

// Two sign-ins that renew the same old hash both succeed.
func TestParallelRenewal(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		old := newHouse(t, store)
		old.add(t, "ada")
		h := newHouse(t, store, func(o *account.Options) { o.Params.MemoryKiB = 128 })
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, _, err := h.signIn(t.Context(), "ada", good, "192.0.2.1"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestUserRules(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		h := newHouse(t, store)
		for name, c := range map[string]struct {
			user  account.NewUser
			field string
		}{
			"no name":             {account.NewUser{}, "username"},
			"space":               {account.NewUser{Username: "a b"}, "username"},
			"control":             {account.NewUser{Username: "a\nb"}, "username"},
			"direction override":  {account.NewUser{Username: "a\u202eb"}, "username"},
			"zero width space":    {account.NewUser{Username: "a\u200bb"}, "username"},
			"mixed directions":    {account.NewUser{Username: "ab\u05d0"}, "username"},
			"not UTF-8":           {account.NewUser{Username: "a\xff"}, "username"},
			"129 characters":      {account.NewUser{Username: fmt.Sprintf("%0129d", 1)}, "username"},
			"name with override":  {account.NewUser{Username: "ok", Name: "Ada\u202e"}, "name"},
			"name with newline":   {account.NewUser{Username: "ok", Name: "Ada\n"}, "name"},
			"address without @":   {account.NewUser{Username: "ok", Email: "ada"}, "email"},
			"address with two @":  {account.NewUser{Username: "ok", Email: "a@b@c"}, "email"},
			"address with a line": {account.NewUser{Username: "ok", Email: "a@b\r\nBcc: c@d"}, "email"},
		} {
			c.user.Password = secret.New(good)
			_, err := h.AddUser(t.Context(), c.user)
			var invalid *account.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != c.field {
				t.Errorf("%s: %v, want invalid %s", name, err, c.field)
			}
		}
		for _, name := range []string{"ada", "Łukasz.Žák", "user@example.com", "李小龙", "x_1-2+3", fmt.Sprintf("%0128d", 1)} {
			u := h.add(t, name)
			if got, err := h.User(t.Context(), u.ID); err != nil || got.Username != name {
				t.Errorf("User(%s) = %+v, %v", name, got, err)
			}
		}
	})
}

func TestNamesCompareFolded(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		h := newHouse(t, store)
		want := h.add(t, "Jos\u00e9")
		for _, name := range []string{"jos\u00e9", "JOS\u00c9", "JOSE\u0301", "\uff2ajos\u00e9"[len("\uff2a"):], "\uff2aos\u00e9"} {
			got, err := h.UserByName(t.Context(), name)
			if err != nil || got.ID != want.ID {
				t.Errorf("UserByName(%q) = %v, %v", name, got.ID, err)
			}
			if _, err := h.AddUser(t.Context(), account.NewUser{Username: name, Password: secret.New(good)}); !errors.Is(err, account.ErrExists) {
				t.Errorf("AddUser(%q): %v, want ErrExists", name, err)
			}
			if _, _, err := h.signIn(t.Context(), name, good, "192.0.2.1"); err != nil {
				t.Errorf("sign in as %q: %v", name, err)
			}
		}
		if _, err := h.UserByName(t.Context(), "jose"); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("without the accent: %v, want ErrNotFound", err)
		}
	})
}

func FuzzFoldUsername(f *testing.F) {
	for _, s := range []string{"Ada", "JOS\u00c9", "\uff2aos\u00e9", "\u0130", "\u1e9e", "\u05d0\u05d1", "a\u0301\u0301", "ǅ", "ﬀ", "Σς"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := account.FoldUsername(s)
		if err != nil {
			return
		}
		if twice, err := account.FoldUsername(once); err != nil || twice != once {
			t.Errorf("%q folds to %q, and that to %q, %v", s, once, twice, err)
		}
	})
}
