package account_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// remembering is a store that knows the browser "own" for ada.
type remembering struct {
	*memory
	asked int
}

func (m *remembering) BrowserKnown(_ context.Context, folded, mark string) (bool, error) {
	m.asked++
	h := secret.New("own").Hash()
	return folded == "ada" && mark == fmt.Sprintf("%x", h[:]), nil
}

// AU04: the wait doubles with each twenty failures of an account from everywhere,
// and ends at eight seconds; the next day nothing is left of it.
func TestAU04DelaysRise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, newMemory())
		h.add(t, "ada")
		waits := map[int]time.Duration{0: 0, 19: 0, 20: time.Second, 39: time.Second, 40: 2 * time.Second, 60: 4 * time.Second, 80: 8 * time.Second, 300: 8 * time.Second}
		for i := range 301 {
			began := time.Now()
			if _, _, err := h.signIn(t.Context(), "ada", "wrong", fmt.Sprintf("10.%d.%d.1", i/200, i%200)); !errors.Is(err, account.ErrWrongCredentials) {
				t.Fatalf("attempt %d: %v", i, err)
			}
			if want, ok := waits[i]; ok && time.Since(began) != want {
				t.Errorf("attempt %d waited %s, want %s", i, time.Since(began), want)
			}
		}
		h.clock.advance(24 * time.Hour)
		began := time.Now()
		if _, _, err := h.signIn(t.Context(), "ada", good, "203.0.113.9"); err != nil || time.Since(began) != 0 {
			t.Errorf("the next day: %v after %s", err, time.Since(began))
		}
	})
}

// AU04: on a device of their own nobody else slows or stops a person: no botnet, no
// neighbour behind the same address. It has a count of its own, so that a thief of
// the device guesses no faster than anybody else.
func TestAU04KnownBrowsersHaveACountOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &remembering{memory: newMemory()}
		h := newHouse(t, store)
		h.add(t, "ada")
		h.add(t, "bob")
		for i := range 300 {
			_, _, _ = h.signIn(t.Context(), "ada", "wrong", fmt.Sprintf("10.1.%d.1", i%250))
		}
		for range 10 { // a neighbour uses up what ada has from this address
			_, _, _ = h.signIn(t.Context(), "ada", "wrong", "192.0.2.1")
		}
		try := func(browser, name, password string) (time.Duration, error) {
			began := time.Now()
			_, err := h.SignIn(t.Context(), visitIn(browser, "192.0.2.1", ""), name, secret.New(password))
			return time.Since(began), err
		}
		for range 30 { // who is right is not counted
			if took, err := try("own", "ada", good); err != nil || took != 0 {
				t.Fatalf("on her own device: %v after %s", err, took)
			}
		}
		if _, err := try("another", "ada", good); !throttled(err) {
			t.Errorf("the pair, an unknown browser: %v, want throttled", err)
		}
		for i := range 10 {
			if _, err := try("own", "ada", "wrong"); !errors.Is(err, account.ErrWrongCredentials) {
				t.Errorf("failure %d there: %v", i, err)
			}
		}
		if _, err := try("own", "ada", good); !throttled(err) {
			t.Errorf("an eleventh guess there: %v, want throttled", err)
		}
		for range 10 {
			_, _, _ = h.signIn(t.Context(), "bob", "wrong", "192.0.2.1")
		}
		if _, err := try("own", "bob", good); !throttled(err) {
			t.Errorf("another person in the same browser: %v, want throttled", err)
		}
		for range 2000 { // and a flood does not reach the store
			_, _ = try("own", "nobody", "wrong")
		}
		if store.asked > 400 {
			t.Errorf("the store was asked %d times", store.asked)
		}
	})
}

// A network that sends one guess at each of many accounts is distrusted: the right
// password from a browser that is not known there is noted, or asks for more.
func TestAU04StuffingIsFound(t *testing.T) {
	t.Parallel()
	type guess struct{ name, password, addr string }
	for name, c := range map[string]struct {
		guess  func(i int) guess
		n      int
		reason string // empty: nothing is found
	}{
		"AP02 many accounts from one address": {func(i int) guess { return guess{fmt.Sprint("u", i), fmt.Sprint("p", i), "192.0.2.1"} }, 30, "address"},
		"one account fewer":                   {func(i int) guess { return guess{fmt.Sprint("u", i), fmt.Sprint("p", i), "192.0.2.1"} }, 29, ""},
		"few accounts again and again": {func(i int) guess {
			return guess{fmt.Sprint("u", i%19), fmt.Sprint("p", i), fmt.Sprintf("192.0.2.%d", i)}
		}, 190, ""},
		"AU04 a /64 that rotates": {func(i int) guess {
			return guess{fmt.Sprint("u", i), fmt.Sprint("p", i), fmt.Sprintf("2001:db8:1:1::%x", i)}
		}, 30, "address"},
		"AP02 many accounts from one network": {func(i int) guess {
			return guess{fmt.Sprint("u", i), fmt.Sprint("p", i), fmt.Sprintf("192.0.2.%d", i)}
		}, 60, "network"},
		"AU04 a spray: one password from everywhere": {func(i int) guess {
			return guess{fmt.Sprint("u", i), "Summer2026!", fmt.Sprintf("10.%d.1.1", i)}
		}, 10, "password"},
		"an empty form, sent by many": {func(i int) guess { return guess{fmt.Sprint("u", i), "", fmt.Sprintf("10.%d.1.1", i)} }, 100, ""},
		"AP02 pairs from a botnet": {func(i int) guess {
			return guess{fmt.Sprint("u", i), fmt.Sprint("p", i), fmt.Sprintf("10.%d.%d.1", i/200, i%200)}
		}, 200, "failures"},
		"a busy morning": {func(i int) guess {
			return guess{fmt.Sprint("u", i), fmt.Sprint("p", i), fmt.Sprintf("10.%d.%d.1", i/200, i%200)}
		}, 199, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, newMemory())
			record := &audit.Record{}
			ctx := audit.WithRecord(t.Context(), record)
			for i := range c.n {
				g := c.guess(i)
				if _, _, err := h.signIn(ctx, g.name, g.password, g.addr); !errors.Is(err, account.ErrWrongCredentials) {
					t.Fatalf("guess %d: %v", i, err)
				}
			}
			var found []string
			for _, e := range record.Events() {
				if e.Name == audit.LoginStuffing {
					found = append(found, e.Reason)
				}
			}
			want := "[]"
			if c.reason != "" {
				want = "[" + c.reason + "]" // LG01: noted once
			}
			if got := fmt.Sprint(found); got != want || h.Stuffing() != (c.reason != "") {
				t.Errorf("noted %s, going on: %v; want %s", got, h.Stuffing(), want)
			}
			h.clock.advance(31 * time.Minute)
			if h.Stuffing() {
				t.Error("half an hour later it still goes on")
			}
		})
	}
}

// What is usual here is learnt: a server of many people has many who mistype.
func TestStuffingKnowsWhatIsUsual(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newMemory(), func(o *account.Options) { o.Params = account.Argon2Params{MemoryKiB: 8, Passes: 1, Threads: 1} })
	fail := func(n int) {
		for i := range n {
			_, _, _ = h.signIn(t.Context(), fmt.Sprint("u", i), fmt.Sprint("p", i, h.clock.now()), fmt.Sprintf("10.%d.%d.1", i/200, i%200))
		}
	}
	for range 150 { // a day of mistyping
		fail(60)
		h.clock.advance(10 * time.Minute)
	}
	if h.Stuffing() {
		t.Fatal("what is usual is taken for an attack")
	}
	fail(300)
	if h.Stuffing() {
		t.Error("five times the usual is taken for an attack")
	}
	fail(200)
	if !h.Stuffing() {
		t.Error("more than eight times the usual is not")
	}
}

// While it goes on, a password alone is not enough where the danger is, and is
// enough everywhere else and in known browsers.
func TestAU04StuffingAsksForMoreWhereItComesFrom(t *testing.T) {
	t.Parallel()
	store := &remembering{memory: newMemory()}
	h := newHouse(t, store)
	h.add(t, "ada")
	for i := range 30 {
		_, _, _ = h.signIn(t.Context(), fmt.Sprint("u", i), "wrong", "192.0.2.1")
	}
	for name, c := range map[string]struct {
		browser, addr string
		want          string
	}{
		"the same address":                {"another", "192.0.2.1", "[login.succeeded: account.password_only:]"},
		"the pair, her own browser":       {"own", "192.0.2.1", "[login.succeeded:]"},
		"the pair, a different network":   {"another", "203.0.113.1", "[login.succeeded:]"},
		"no cookie from the same address": {"", "192.0.2.1", "[login.succeeded: account.password_only:]"},
	} {
		record := &audit.Record{}
		v := visitIn(c.browser, c.addr, "")
		if c.browser == "" {
			v.Browser = secret.Value{}
		}
		if _, err := h.SignIn(audit.WithRecord(t.Context(), record), v, "ada", secret.New(good)); err != nil {
			t.Fatalf("%s: %v: nobody is locked out", name, err)
		}
		if got := fmt.Sprint(reasons(record)); got != c.want {
			t.Errorf("%s: noted %s, want %s", name, got, c.want)
		}
	}
}
