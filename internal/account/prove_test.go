package account_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

// newRing is a key ring of its own.
func newRing(t *testing.T) *token.Ring {
	t.Helper()
	now := (&clock{t: start}).now
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "keys.db"), store.Options{Now: now})
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
	ring, err := token.OpenRing(t.Context(), st.Keys(), master, now)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// stepHouse is a house with a key ring, so that sign-ins can take two steps.
func stepHouse(t *testing.T) (*house, *memory) {
	t.Helper()
	m := newMemory()
	return newHouse(t, m, func(o *account.Options) { o.Ring = newRing(t) }), m
}

func visit(browser string) account.Visit {
	v := from("192.0.2.1")
	v.Browser = secret.New(browser)
	return v
}

// AU06 AZ25: whoever has set up a second factor is asked for it, whichever way they
// begin, and none of the ways to begin opens a session.
func TestAZ25EveryWayInReachesTheSameClass(t *testing.T) {
	t.Parallel()
	h, m := stepHouse(t)
	ada := h.add(t, "ada")
	m.factors[ada.ID] = account.Factors{Authenticators: 1, RecoveryCodes: 3}
	for _, first := range []account.Method{account.Password, account.Email, account.Elsewhere} {
		p, err := h.Prove(t.Context(), visit("a"), ada, first)
		if err != nil || p.Done() || len(m.sessions) != 0 {
			t.Fatalf("AZ25 %s alone: %+v %v", first, p, err)
		}
		if want := []account.Method{account.TOTP, account.Recovery}; !slices.Equal(p.Next, want) {
			t.Errorf("%s leads to %v, want %v", first, p.Next, want)
		}
		v := visit("a")
		v.Ticket = p.Ticket
		p, err = h.Prove(t.Context(), v, ada, account.TOTP)
		if err != nil || !p.Done() || p.Session.ACR != token.ACRMFA {
			t.Errorf("%s and a code: %+v %v", first, p.Session, err)
		}
		clear(m.sessions)
	}
	for method, acr := range map[account.Method]string{account.Passkey: token.ACRPhishing, account.PasskeySync: token.ACRPhishing, account.ElsewhereMF: token.ACRMFA} {
		p, err := h.Prove(t.Context(), visit("a"), ada, method)
		if err != nil || !p.Done() || p.Session.ACR != acr {
			t.Errorf("%s: %q %v, want %q", method, p.Session.ACR, err, acr)
		}
	}
	for _, second := range []account.Method{account.TOTP, account.Recovery} {
		if p, err := h.Prove(t.Context(), visit("a"), ada, second); !errors.Is(err, account.ErrTicket) || p.Done() {
			t.Errorf("AZ25 %s without a first factor: %v", second, err)
		}
	}
}

// What a ticket says counts for its person, in its browser, for ten minutes, and as
// long as nothing about the person changes.
func TestAU20TicketsAreBoundAndEnd(t *testing.T) {
	t.Parallel()
	h, m := stepHouse(t)
	ada, bob := h.add(t, "ada"), h.add(t, "bob")
	for _, u := range []account.User{ada, bob} {
		m.factors[u.ID] = account.Factors{Authenticators: 1}
	}
	p, err := h.Prove(t.Context(), visit("a"), ada, account.Password)
	if err != nil {
		t.Fatal(err)
	}
	with := func(browser string, ticket secret.Value) account.Visit {
		v := visit(browser)
		v.Ticket = ticket
		return v
	}
	forged := []byte(p.Ticket.Reveal())
	forged[len(forged)/2] ^= 1
	changed := ada
	changed.Version++
	elsewhere := with("a", p.Ticket)
	elsewhere.Demand.Purpose = account.PurposeFactors
	for name, c := range map[string]struct {
		visit account.Visit
		user  account.User
	}{
		"AU20 for another purpose":        {elsewhere, ada},
		"AU20 in another browser":         {with("b", p.Ticket), ada},
		"AU20 for another person":         {with("a", p.Ticket), bob},
		"forged":                          {with("a", secret.New(string(forged))), ada},
		"after another password was set":  {with("a", p.Ticket), changed},
		"a session cookie in its place":   {with("a", secret.NewHandle(secret.SessionCookie)), ada},
		"nothing, and nobody signed in":   {visit("a"), ada},
		"a session of another, signed in": {account.Visit{Current: &account.Session{UserID: bob.ID, Methods: "pwd", AuthTime: h.clock.now()}}, ada},
	} {
		if got, err := h.Prove(t.Context(), c.visit, c.user, account.TOTP); !errors.Is(err, account.ErrTicket) || got.Done() {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if _, ways, err := h.Underway(t.Context(), with("a", p.Ticket)); err != nil || !slices.Equal(ways, []account.Method{account.TOTP}) {
		t.Errorf("under way: %v %v", ways, err)
	}
	if _, _, err := h.Underway(t.Context(), with("b", p.Ticket)); !errors.Is(err, account.ErrTicket) {
		t.Errorf("under way in another browser: %v", err)
	}
	h.clock.advance(10 * time.Minute)
	if _, err := h.Prove(t.Context(), with("a", p.Ticket), ada, account.TOTP); !errors.Is(err, account.ErrTicket) {
		t.Errorf("after ten minutes: %v", err)
	}
}

// Who is signed in adds a factor to what they have proven lately; the moment of the
// sign-in and its end stay where they were.
func TestAU20StepUpAddsToARecentSession(t *testing.T) {
	t.Parallel()
	h, m := stepHouse(t)
	ada := h.add(t, "ada")
	p, err := h.Prove(t.Context(), visit("a"), ada, account.Password)
	if err != nil || !p.Done() {
		t.Fatalf("%+v %v", p, err)
	}
	m.factors[ada.ID] = account.Factors{Authenticators: 1, Passkeys: 1}
	h.clock.advance(14 * time.Minute)
	v := visit("a")
	v.Current, v.Previous = &p.Session, p.Session.ID
	strong, err := h.Prove(t.Context(), v, ada, account.TOTP)
	if err != nil || strong.Session.ACR != token.ACRMFA || strong.Session.AMR != "pwd otp mfa" {
		t.Fatalf("%+v %v", strong.Session, err)
	}
	if !strong.Session.AuthTime.Equal(p.Session.AuthTime) || !strong.Session.AbsoluteUntil.Equal(p.Session.AbsoluteUntil) {
		t.Errorf("the sign-in moved: %s until %s", strong.Session.AuthTime, strong.Session.AbsoluteUntil)
	}
	if strong.Session.ID == p.Session.ID || strong.Session.SID != p.Session.SID {
		t.Error("AU13 the session has no new ID, or another sid")
	}
	v.Demand.ACR = []string{token.ACRPhishing}
	if _, ways, err := h.Underway(t.Context(), account.Visit{Current: &strong.Session, Demand: v.Demand}); err != nil || !slices.Equal(ways, []account.Method{account.Passkey}) {
		t.Errorf("only a passkey is more: %v %v", ways, err)
	}
	h.clock.advance(time.Minute)
	if _, err := h.Prove(t.Context(), v, ada, account.TOTP); !errors.Is(err, account.ErrTicket) {
		t.Errorf("after a quarter of an hour: %v", err)
	}
}

// T114: the wish to stay signed in is the person's, for this browser; where the
// risk is high it is not granted (AU14).
func TestT114AU14StayingSignedIn(t *testing.T) {
	t.Parallel()
	h, m := stepHouse(t)
	ada := h.add(t, "ada")
	for _, c := range []struct {
		tier       token.Tier
		keep, want bool
	}{{token.TierLow, true, true}, {token.TierStandard, true, true}, {token.TierStandard, false, false}, {token.TierHigh, true, false}} {
		v := visit("a")
		v.Demand.Tier, v.Demand.Keep = c.tier, c.keep
		p, err := h.Prove(t.Context(), v, ada, account.Password)
		if err != nil || p.Session.Keep != c.want {
			t.Errorf("tier %s, wish %v: %v %v", c.tier, c.keep, p.Session.Keep, err)
		}
		if limits := c.tier.Limits(); p.Session.AbsoluteUntil.Sub(h.clock.now()) != limits.SessionAbsolute || p.Session.IdleUntil.Sub(h.clock.now()) != min(limits.SessionIdle, limits.SessionAbsolute) {
			t.Errorf("AU14 tier %s: until %s and %s", c.tier, p.Session.IdleUntil, p.Session.AbsoluteUntil)
		}
	}
	m.factors[ada.ID] = account.Factors{Authenticators: 1}
	v := visit("a")
	v.Demand.Keep = true
	p, err := h.Prove(t.Context(), v, ada, account.Password)
	if err != nil {
		t.Fatal(err)
	}
	v = visit("a")
	v.Ticket = p.Ticket
	if p, err = h.Prove(t.Context(), v, ada, account.TOTP); err != nil || !p.Session.Keep {
		t.Errorf("the wish is lost between two steps: %v", err)
	}
}

// AU15: what changes an account is allowed by a sign-in for it, for five minutes,
// and by no other.
func TestAU15SessionsAllowOneAct(t *testing.T) {
	t.Parallel()
	h, _ := stepHouse(t)
	ada := h.add(t, "ada")
	v := visit("a")
	v.Demand.Purpose = account.PurposeFactors
	p, err := h.Prove(t.Context(), v, ada, account.Password)
	if err != nil {
		t.Fatal(err)
	}
	at := h.clock.now()
	for name, c := range map[string]struct {
		purpose string
		after   time.Duration
		want    bool
	}{
		"the act":             {account.PurposeFactors, 0, true},
		"almost five minutes": {account.PurposeFactors, 5*time.Minute - time.Second, true},
		"AU15 five minutes":   {account.PurposeFactors, 5 * time.Minute, false},
		"AU20 another act":    {account.PurposeData, 0, false},
		"no act":              {"", 0, false},
	} {
		if got := p.Session.Allows(c.purpose, at.Add(c.after)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	v.Demand.Purpose = ""
	if p, _ := h.Prove(t.Context(), v, ada, account.Password); p.Session.Allows("", at) || p.Session.Allows(account.PurposeFactors, at) {
		t.Error("AU15 a fresh sign-in for nothing allows an act")
	}
}

// What has been proven counts for nothing when the person is disabled meanwhile.
func TestADisabledPersonGetsNoSession(t *testing.T) {
	t.Parallel()
	h, _ := stepHouse(t)
	ada := h.add(t, "ada")
	if err := h.SetDisabled(t.Context(), ada.ID, true); err != nil {
		t.Fatal(err)
	}
	if p, err := h.Prove(t.Context(), visit("a"), ada, account.Passkey); !errors.Is(err, account.ErrWrongCredentials) || p.Done() {
		t.Errorf("%+v %v", p, err)
	}
}

func TestMethodsSayWhatTheyAreWorth(t *testing.T) {
	t.Parallel()
	for methods, want := range map[account.Methods][2]string{
		"":                    {"", ""},
		"pwd":                 {token.ACRPassword, "pwd"},
		"email":               {token.ACRPassword, "email"},
		"pwd email":           {token.ACRPassword, "pwd email"},
		"elsewhere pwd":       {token.ACRPassword, "pwd fed"},
		"totp":                {"", "otp"},
		"totp recovery":       {"", "otp"},
		"pwd totp":            {token.ACRMFA, "pwd otp mfa"},
		"pwd recovery":        {token.ACRMFA, "pwd otp mfa"},
		"elsewhere_mf":        {token.ACRMFA, "fed mfa"},
		"passkey":             {token.ACRPhishing, "hwk user mfa"},
		"passkey_sync":        {token.ACRPhishing, "swk user mfa"},
		"pwd passkey":         {token.ACRPhishing, "pwd hwk user mfa"},
		"something of later":  {"", ""},
		"pwd something_later": {token.ACRPassword, "pwd"},
	} {
		if got := [2]string{methods.ACR(), methods.AMR()}; got != want {
			t.Errorf("AU11 %q: %q, want %q", methods, got, want)
		}
	}
	if got := account.Methods("").With("pwd").With("totp").With("pwd"); got != "pwd totp" {
		t.Errorf("%q", got)
	}
}
