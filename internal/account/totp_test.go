package account_test

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

// RFC 6238 Appendix B, SHA-1. It has eight digits; six are the last of them.
func TestAU07CodesAreThoseOfRFC6238(t *testing.T) {
	seed := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := account.CodeAt(seed, account.StepAt(time.Unix(at, 0))); got != want[2:] {
			t.Errorf("at %d: %s, want %s", at, got, want[2:])
		}
	}
	// RFC 4226 Appendix D.
	for step, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := account.CodeAt(seed, int64(step)); got != want {
			t.Errorf("count %d: %s, want %s", step, got, want)
		}
	}
}

// factorHouse is a house over a real store, with a key ring.
func factorHouse(t *testing.T, change ...func(*account.Options)) (*house, *store.Store) {
	t.Helper()
	clock := &clock{t: start}
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := token.OpenRing(t.Context(), st.Keys(), master, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{store: st.Account(), clock: clock}
	o := account.Options{Store: h.store, Now: clock.now, Params: cheap, Ring: ring}
	for _, c := range change {
		c(&o)
	}
	h.Service = account.New(o)
	return h, st
}

// app is an authenticator app of a person.
type app struct {
	h    *house
	seed []byte
}

func (a app) code(aside time.Duration) string {
	return account.CodeAt(a.seed, account.StepAt(a.h.clock.now().Add(aside)))
}

// enrol sets up an app. The step of its first code is spent.
func (h *house) enrol(t *testing.T, u account.User) app {
	t.Helper()
	if err := h.StartAuthenticator(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	e, err := h.Enrolment(t.Context(), u.ID, "auth.example.com:8443")
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(e.Secret.Reveal(), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	a := app{h, seed}
	if err := h.ConfirmAuthenticator(t.Context(), visit("a"), u.ID, e.ID, "Phone", a.code(0)); err != nil {
		t.Fatal(err)
	}
	return a
}

// at signs in with a password and returns the visit in which the next step is due.
func (h *house) at(t *testing.T, u account.User, address string) account.Visit {
	t.Helper()
	v := visit("a")
	v.Remote = netip.MustParseAddr(address)
	p, err := h.Prove(t.Context(), v, u, account.Password)
	if err != nil || p.Done() {
		t.Fatalf("a password alone: %+v %v", p, err)
	}
	v.Ticket = p.Ticket
	return v
}

func TestAU07AppsReadTheKey(t *testing.T) {
	t.Parallel()
	h, _ := factorHouse(t)
	u, err := h.AddUser(t.Context(), account.NewUser{Username: "ada:ü@x", Password: secret.New(good)})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.StartAuthenticator(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	e, err := h.Enrolment(t.Context(), u.ID, "auth.example.com:8443")
	if err != nil {
		t.Fatal(err)
	}
	key := strings.ReplaceAll(e.Secret.Reveal(), " ", "")
	want := "otpauth://totp/auth.example.com%3A8443:ada%3A%C3%BC%40x?secret=" + key + "&issuer=auth.example.com%3A8443"
	if got := e.URI.Reveal(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if u, err := url.Parse(e.URI.Reveal()); err != nil || u.Query().Get("issuer") != "auth.example.com:8443" || len(key) != 32 {
		t.Errorf("%v %v, key of %d", u, err, len(key))
	}
}

// The secret is sealed under a key of ours, for one row: a copy of it in another
// place opens nothing.
func TestAU07SecretsAreSealedInTheirPlace(t *testing.T) {
	t.Parallel()
	h, st := factorHouse(t)
	ada, bob := h.add(t, "ada"), h.add(t, "bob")
	a := h.enrol(t, ada)
	list, err := st.Account().Authenticators(t.Context(), ada.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	row := list[0]
	for _, form := range []string{string(a.seed), base32.StdEncoding.EncodeToString(a.seed), fmt.Sprintf("%x", a.seed)} {
		if strings.Contains(row.Sealed, form) {
			t.Errorf("the store has the secret: %q", row.Sealed)
		}
	}
	stolen := row
	stolen.ID, stolen.UserID = "stolen", bob.ID
	for _, f := range []func() error{
		func() error { return st.Account().AddAuthenticator(t.Context(), stolen, 5) },
		func() error { return st.Account().ConfirmAuthenticator(t.Context(), stolen, 5) },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	h.clock.advance(time.Minute)
	if _, err := h.WithCode(t.Context(), h.at(t, bob, "192.0.2.1"), a.code(0)); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("AU07 a row that was copied to another person: %v", err)
	}
	if p, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), a.code(0)); err != nil || !p.Done() {
		t.Errorf("its own person: %v", err)
	}
}

func TestAU07CodesCountOnceAndByOurClock(t *testing.T) {
	t.Parallel()
	h, _ := factorHouse(t)
	ada := h.add(t, "ada")
	a := h.enrol(t, ada)
	for _, c := range []struct {
		name string
		code func() string
		ok   bool
	}{
		{"AU07 the code that confirmed it", func() string { return a.code(0) }, false},
		{"of the step before that", func() string { return a.code(-30 * time.Second) }, false},
		{"of the next step", func() string { h.clock.advance(30 * time.Second); return a.code(0) }, true},
		{"AU07 the same code twice", func() string { return a.code(0) }, false},
		{"AU07 the step before, twice", func() string { return a.code(-30 * time.Second) }, false},
		{"a step late", func() string { h.clock.advance(2 * time.Minute); return a.code(-30 * time.Second) }, true},
		{"a step early", func() string { return a.code(30 * time.Second) }, true},
		{"AU07 the step between them, now", func() string { return a.code(0) }, false},
		{"AU07 two steps late by the app's clock", func() string { h.clock.advance(5 * time.Minute); return a.code(-time.Minute) }, false},
		{"AU07 two steps early by the app's clock", func() string { return a.code(time.Minute) }, false},
		{"with a space in it", func() string { h.clock.advance(time.Hour); c := a.code(0); return c[:3] + " " + c[3:] }, true},
		{"empty", func() string { return "" }, false},
		{"too long", func() string { return strings.Repeat("1", 1000) }, false},
	} {
		code := c.code() // may wait
		p, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), code)
		if p.Done() != c.ok || (err == nil) != c.ok || !c.ok && !errors.Is(err, account.ErrWrongCredentials) {
			t.Errorf("%s: done %v, %v", c.name, p.Done(), err)
		}
		if c.ok && (p.Session.ACR != token.ACRMFA || p.Session.AMR != "pwd otp mfa") {
			t.Errorf("%s: %s %s", c.name, p.Session.ACR, p.Session.AMR)
		}
	}
}

// Whoever has the password guesses ever more slowly, and not for ever. The person
// is told, and a recovery code always gets them in.
func TestAU04WrongCodesWaitAndStop(t *testing.T) {
	t.Parallel()
	h, _ := factorHouse(t)
	ada, bob := h.add(t, "ada"), h.add(t, "bob")
	a, b := h.enrol(t, ada), h.enrol(t, bob)
	codes, err := h.MakeRecoveryCodes(t.Context(), visit("a"), ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	tries, spent := 0, time.Duration(0)
	for n := 0; tries < account.MostWrongCodes; n++ {
		if n > 10_000 {
			t.Fatalf("%d tries after %s", tries, spent)
		}
		_, err := h.WithCode(t.Context(), h.at(t, ada, fmt.Sprintf("10.0.%d.%d", n/250, n%250)), "000000")
		switch {
		case errors.Is(err, account.ErrWrongCredentials):
			tries++
		case throttled(err):
			var wait *account.ThrottledError
			errors.As(err, &wait)
			h.clock.advance(wait.RetryAfter)
			spent += wait.RetryAfter
		default:
			t.Fatalf("AU04 try %d: %v", tries, err)
		}
	}
	if spent < 20*time.Hour {
		t.Errorf("AU04 a hundred guesses from a hundred addresses took %s", spent)
	}
	h.clock.advance(24 * time.Hour)
	for range 2 {
		if _, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), a.code(0)); !errors.Is(err, account.ErrCodesStopped) {
			t.Errorf("AU04 the right code after the last wrong one: %v", err)
		}
	}
	if p, err := h.WithCode(t.Context(), h.at(t, bob, "192.0.2.1"), b.code(0)); err != nil || !p.Done() {
		t.Errorf("somebody else: %v", err)
	}
	if p, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), codes[0].Reveal()); err != nil || !p.Done() {
		t.Fatalf("AU04 a recovery code: %v", err)
	}
	if p, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), a.code(0)); err != nil || !p.Done() {
		t.Errorf("the app after that: %v", err)
	}
	events, err := h.Events(t.Context(), ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, e := range events {
		if e.Kind == account.SecondFactorFailed {
			failed++
		}
	}
	if failed != 12 { // 2, 5, 10, 20 ... 100
		t.Errorf("AU16 the person was told %d times, want 12", failed)
	}
}

func TestAU04WrongCodesFromOneAddress(t *testing.T) {
	t.Parallel()
	h, _ := factorHouse(t)
	ada := h.add(t, "ada")
	a := h.enrol(t, ada)
	v := h.at(t, ada, "192.0.2.66")
	for range 30 { // recovery codes are not delayed, so that the address is what stops them
		if err := recover1(t, h, ada, v); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.WithCode(t.Context(), v, strings.Repeat("z", 24)); !errors.Is(err, account.ErrWrongCredentials) {
		t.Errorf("without recovery codes: %v", err)
	}
	codes, err := h.MakeRecoveryCodes(t.Context(), v, ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	last := error(nil)
	for range 31 {
		_, last = h.WithCode(t.Context(), v, strings.Repeat("z", 24))
	}
	if !throttled(last) {
		t.Errorf("AU04 the thirty-first guess at a recovery code from one address: %v", last)
	}
	h.clock.advance(time.Second)
	elsewhere := h.at(t, ada, "198.51.100.1")
	if p, err := h.WithCode(t.Context(), elsewhere, codes[0].Reveal()); err != nil || !p.Done() {
		t.Errorf("AU04 the person elsewhere: %v", err)
	}
	h.clock.advance(time.Minute)
	if p, err := h.WithCode(t.Context(), h.at(t, ada, "198.51.100.1"), a.code(0)); err != nil || !p.Done() {
		t.Errorf("AU04 the person's app elsewhere: %v", err)
	}
}

// recover1 makes sure that right codes are not counted against an address.
func recover1(t *testing.T, h *house, u account.User, v account.Visit) error {
	t.Helper()
	codes, err := h.MakeRecoveryCodes(t.Context(), v, u.ID)
	if err != nil {
		return err
	}
	_, err = h.WithCode(t.Context(), v, codes[0].Reveal())
	if err == nil {
		err = h.store.ReplaceRecoveryCodes(t.Context(), u.ID, nil, start)
	}
	return err
}

func TestAU04TheDelayGrows(t *testing.T) {
	for failed, want := range map[int]time.Duration{1: 0, 4: 0, 5: 15 * time.Second, 6: 30 * time.Second, 10: 8 * time.Minute, 11: 15 * time.Minute, 99: 15 * time.Minute} {
		if got := account.WaitAfter(failed); got != want {
			t.Errorf("after %d: %s, want %s", failed, got, want)
		}
	}
	if account.Told(1) || !account.Told(2) || account.Told(3) || !account.Told(100) {
		t.Error("who is told of how many")
	}
}

func TestAU08RecoveryCodes(t *testing.T) {
	t.Parallel()
	h, st := factorHouse(t)
	ada, bob := h.add(t, "ada"), h.add(t, "bob")
	h.enrol(t, ada)
	h.enrol(t, bob)
	codes, err := h.MakeRecoveryCodes(t.Context(), visit("a"), ada.ID)
	if err != nil || len(codes) != account.RecoveryCodeCount {
		t.Fatal(len(codes), err)
	}
	seen := map[string]bool{}
	for _, c := range codes {
		text := c.Reveal()
		if seen[text] || len(text) != 29 || strings.Trim(strings.ReplaceAll(text, "-", ""), "0123456789abcdefghjkmnpqrstvwxyz") != "" {
			t.Errorf("AU08 the code %q", text) // 24 letters of 5 bits: 120 bits
		}
		seen[text] = true
	}
	if _, err := st.Account().UseRecoveryCode(t.Context(), ada.ID, strings.ReplaceAll(codes[0].Reveal(), "-", "")); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("AU08 the store has codes and not hashes: %v", err)
	}
	bobs, err := h.MakeRecoveryCodes(t.Context(), visit("a"), bob.ID)
	if err != nil {
		t.Fatal(err)
	}
	typed := strings.NewReplacer("0", "O", "1", "l", "-", " ").Replace(strings.ToUpper(codes[1].Reveal()))
	for _, c := range []struct {
		name, code string
		ok         bool
	}{
		{"of another person", bobs[0].Reveal(), false},
		{"as it was shown", codes[0].Reveal(), true},
		{"AU08 the same again", codes[0].Reveal(), false},
		{"in large letters, with look-alikes and spaces", typed, true},
		{"the same again, as it was shown", codes[1].Reveal(), false},
		{"one letter short", codes[2].Reveal()[:28], false},
		{"letters that lose bytes when they are made small", strings.Repeat("\u212a", 8), false},
	} {
		p, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), c.code)
		if p.Done() != c.ok || !c.ok && !errors.Is(err, account.ErrWrongCredentials) {
			t.Errorf("%s: done %v, %v", c.name, p.Done(), err)
		}
		if c.ok && p.Session.ACR != token.ACRMFA {
			t.Errorf("%s: %s", c.name, p.Session.ACR)
		}
	}
	if _, err := h.MakeRecoveryCodes(t.Context(), visit("a"), ada.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), codes[3].Reveal()); !errors.Is(err, account.ErrWrongCredentials) {
		t.Errorf("AU08 an old code after new ones were made: %v", err)
	}
}

// AU12: a recovery code is a second factor and nothing by itself.
func TestAU12ARecoveryCodeIsNoWayAroundThePassword(t *testing.T) {
	t.Parallel()
	h, _ := factorHouse(t)
	ada := h.add(t, "ada")
	h.enrol(t, ada)
	codes, err := h.MakeRecoveryCodes(t.Context(), visit("a"), ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := h.WithCode(t.Context(), visit("a"), codes[0].Reveal()); !errors.Is(err, account.ErrTicket) || p.Done() {
		t.Errorf("AU12 without a first factor: %v", err)
	}
	stolen := h.at(t, ada, "192.0.2.1")
	stolen.Browser = secret.New("another")
	if p, err := h.WithCode(t.Context(), stolen, codes[0].Reveal()); !errors.Is(err, account.ErrTicket) || p.Done() {
		t.Errorf("AU20 in another browser: %v", err)
	}
	if p, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), codes[0].Reveal()); err != nil || !p.Done() {
		t.Errorf("the pair: %v", err)
	}
}

func TestAU06TheLastFactorStaysWhereOneIsNeeded(t *testing.T) {
	t.Parallel()
	for _, needed := range []bool{true, false} {
		h, _ := factorHouse(t, func(o *account.Options) { o.NeedSecond = needed })
		ada := h.add(t, "ada")
		a := h.enrol(t, ada)
		h.clock.advance(time.Minute)
		p, err := h.WithCode(t.Context(), h.at(t, ada, "192.0.2.1"), a.code(0))
		if err != nil {
			t.Fatal(err)
		}
		list, err := h.Authenticators(t.Context(), ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		err = h.RemoveAuthenticator(t.Context(), visit("a"), p.Session, list[0].ID)
		if got := errors.Is(err, account.ErrLastFactor); got != needed || !needed && err != nil {
			t.Errorf("AU06 needed %v: %v", needed, err)
		}
		f, err := h.Factors(t.Context(), ada.ID)
		if err != nil || (f.Authenticators == 1) != needed {
			t.Errorf("AU06 needed %v: %+v %v", needed, f, err)
		}
	}
}

func TestAU07APersonHasFiveAuthenticatorsAtMost(t *testing.T) {
	t.Parallel()
	h, _ := factorHouse(t)
	ada := h.add(t, "ada")
	for range account.MostAuthenticators {
		h.enrol(t, ada)
		h.clock.advance(time.Second)
	}
	if err := h.StartAuthenticator(t.Context(), ada.ID); !errors.Is(err, account.ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	if err := h.ResetFactors(t.Context(), ada.ID); err != nil {
		t.Fatal(err)
	}
	if p, err := h.Prove(t.Context(), visit("a"), mustUser(t, h, ada.ID), account.Password); err != nil || !p.Done() {
		t.Errorf("after an operator has reset them: %v", err)
	}
}

func mustUser(t *testing.T, h *house, id string) account.User {
	t.Helper()
	u, err := h.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func FuzzCodes(f *testing.F) {
	for _, s := range []string{"123456", "123 456", "", "\x00", "AAAA-bbbb-CCCC-dddd-0000-1111", strings.Repeat("\u212a", 8), "\xff\xfe", "１２３４５６"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		letters, ok := account.RecoveryForm(account.Tightened(typed))
		if ok && (len(letters) != 24 || strings.Trim(letters, "0123456789abcdefghjkmnpqrstvwxyz") != "") {
			t.Errorf("%q became %q", typed, letters)
		}
		if again, twice := account.RecoveryForm(letters); ok && (!twice || again != letters) {
			t.Errorf("%q became %q and then %q", typed, letters, again)
		}
	})
}
