package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

var factorTests = []test{
	{"AU07 an authenticator counts from its first right code on, and a person has as many as may be", authenticatorLife},
	{"AU07 of sixteen with the code of one step, one is right, and no earlier step is after it", stepRace},
	{"sixteen that confirm make no more authenticators than may be", confirmRace},
	{"removing an authenticator ends what was proven with it, and spares the session that does it", removeAuthenticator},
	{"the last second factor stays where one is needed, and takes the recovery codes along where not", lastFactor},
	{"AU08 a recovery code is used once, by one of sixteen, and new ones end the old", recoveryCodes},
	{"AU04 codes are counted one by one, wait, and stop", tries},
	{"AU15 RV08 changing the password ends every other session and grant, and renames this one", changePassword},
	{"a password is not changed for a person or from a session that is over", changePasswordStale},
	{"resetting factors leaves none of them, and ends sessions and grants", resetFactors},
}

func (r *rig) authenticator(u account.User) account.Authenticator {
	a := account.Authenticator{
		ID: secret.NewID(r.clock()).String(), UserID: u.ID, Name: "Phone", Sealed: "sealed", LastStep: 100, CreatedAt: r.clock(), ConfirmedAt: r.clock(),
	}
	r.ok(r.Account.AddAuthenticator(r.ctx(), a, 5))
	r.ok(r.Account.ConfirmAuthenticator(r.ctx(), a, 5))
	return a
}

func (r *rig) removal(s account.Session, needed bool) account.Removal {
	return account.Removal{UserID: s.UserID, Spare: s, Needed: needed, Now: r.clock(), Keep: r.keep()}
}

func (r *rig) version(u account.User) int64 {
	got, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	return got.Version
}

func (r *rig) wantFactors(u account.User, want account.Factors) {
	r.t.Helper()
	got, err := r.Account.Factors(r.ctx(), u.ID)
	r.ok(err)
	if got != want {
		r.t.Errorf("factors are %+v, want %+v", got, want)
	}
}

func authenticatorLife(r *rig) {
	u, bob := r.addUser("ada"), r.addUser("bob")
	first := account.Authenticator{ID: "a", UserID: u.ID, Sealed: "one", CreatedAt: start}
	r.is("nobody's", r.Account.AddAuthenticator(r.ctx(), account.Authenticator{ID: "x", UserID: "nobody"}, 5), account.ErrNotFound)
	r.ok(r.Account.AddAuthenticator(r.ctx(), first, 2))
	r.wantFactors(u, account.Factors{})
	r.is("a code before the first", r.Account.UseStep(r.ctx(), u.ID, "a", 5, start), account.ErrNotFound)
	second := account.Authenticator{ID: "b", UserID: u.ID, Sealed: "two", CreatedAt: start}
	r.ok(r.Account.AddAuthenticator(r.ctx(), second, 2))
	r.is("one that another took the place of", r.Account.ConfirmAuthenticator(r.ctx(), first, 2), account.ErrNotFound)
	second.Name, second.LastStep, second.ConfirmedAt = "Phone", 7, start.Add(time.Minute)
	stolen := second
	stolen.UserID = bob.ID
	r.is("of another person", r.Account.ConfirmAuthenticator(r.ctx(), stolen, 2), account.ErrNotFound)
	r.ok(r.Account.ConfirmAuthenticator(r.ctx(), second, 2))
	r.is("twice", r.Account.ConfirmAuthenticator(r.ctx(), second, 2), account.ErrNotFound)
	r.wantFactors(u, account.Factors{Authenticators: 1})
	r.ok(r.Account.UseStep(r.ctx(), u.ID, "b", 9, start.Add(time.Hour)))
	second.LastStep, second.LastUsed = 9, start.Add(time.Hour)
	got, err := r.Account.Authenticators(r.ctx(), u.ID)
	r.ok(err)
	if d := cmp.Diff([]account.Authenticator{second}, got); d != "" {
		r.t.Error(d)
	}
	r.authenticator(u)
	third := account.Authenticator{ID: "c", UserID: u.ID, CreatedAt: start}
	r.is("one too many", r.Account.AddAuthenticator(r.ctx(), third, 2), account.ErrTooMany)
	r.ok(r.Account.AddAuthenticator(r.ctx(), third, 3))
	r.is("one too many by now", r.Account.ConfirmAuthenticator(r.ctx(), third, 2), account.ErrTooMany)
	r.ok(r.Account.DeleteUser(r.ctx(), u.ID, r.clock(), r.keep()))
	r.wantFactors(u, account.Factors{})
}

func stepRace(r *rig) {
	u, bob := r.addUser("ada"), r.addUser("bob")
	a := r.authenticator(u)
	for step := int64(101); step < 110; step += 2 {
		won := r.fight(account.ErrNotFound, func(int) error { return r.Account.UseStep(r.ctx(), u.ID, a.ID, step, start) })
		if won != 1 {
			r.t.Fatalf("AU07 the code of step %d was right %d times", step, won)
		}
		r.is("AU07 the same code", r.Account.UseStep(r.ctx(), u.ID, a.ID, step, start), account.ErrNotFound)
		r.is("AU07 the step before", r.Account.UseStep(r.ctx(), u.ID, a.ID, step-1, start), account.ErrNotFound)
	}
	r.is("of another person", r.Account.UseStep(r.ctx(), bob.ID, a.ID, 200, start), account.ErrNotFound)
	r.ok(r.Account.UseStep(r.ctx(), u.ID, a.ID, 200, start))
}

func confirmRace(r *rig) {
	u := r.addUser("ada")
	r.fight(nil, func(n int) error {
		a := account.Authenticator{ID: fmt.Sprint(n), UserID: u.ID, CreatedAt: start, ConfirmedAt: start}
		err := r.Account.AddAuthenticator(r.ctx(), a, 2)
		if err == nil {
			err = r.Account.ConfirmAuthenticator(r.ctx(), a, 2)
		}
		if errors.Is(err, account.ErrTooMany) || errors.Is(err, account.ErrNotFound) { // another came first
			return nil
		}
		return err
	})
	f, err := r.Account.Factors(r.ctx(), u.ID)
	r.ok(err)
	if f.Authenticators < 1 || f.Authenticators > 2 {
		r.t.Errorf("%d authenticators, want 1 or 2", f.Authenticators)
	}
}

func removeAuthenticator(r *rig) {
	u, _, byPassword := r.signedIn("ada")
	a := r.authenticator(u)
	with := func() account.Session {
		s := r.session(u)
		s.Methods = "pwd totp"
		r.ok(r.Account.AddSession(r.ctx(), s, secret.ID{}))
		return s
	}
	here, there := with(), with()
	mine, theirs := r.addGrant(here), r.addGrant(there)
	r.is("somebody else's", second(r.Account.RemoveAuthenticator(r.ctx(), a.ID, r.removal(r.addSession(r.addUser("bob")), false))), account.ErrNotFound)
	r.is("bytes that are no text", second(r.Account.RemoveAuthenticator(r.ctx(), "\x00", r.removal(here, false))), account.ErrNotFound)
	before := r.version(u)
	gone, err := r.Account.RemoveAuthenticator(r.ctx(), a.ID, r.removal(here, false))
	r.ok(err)
	if gone.Name != a.Name || r.version(u) != before+1 {
		r.t.Errorf("removed %+v, version %d after %d", gone, r.version(u), before)
	}
	r.is("again", second(r.Account.RemoveAuthenticator(r.ctx(), a.ID, r.removal(here, false))), account.ErrNotFound)
	_, err = r.Account.Session(r.ctx(), here.ID)
	r.ok(err)
	_, err = r.Account.Session(r.ctx(), there.ID)
	r.is("a session of the app elsewhere", err, account.ErrNotFound)
	r.wantAlive(mine.ID)
	r.wantAlive(byPassword.ID)
	r.wantRevoked(theirs.ID, revocation.ReasonRevoked)
	r.is("what was proven before", r.Account.AddSession(r.ctx(), r.session(u), secret.ID{}), account.ErrNotFound)
}

func second[T any](_ T, err error) error { return err }

func lastFactor(r *rig) {
	u, s, _ := r.signedIn("ada")
	a, b := r.authenticator(u), r.authenticator(u)
	r.ok(r.Account.ReplaceRecoveryCodes(r.ctx(), u.ID, []string{"h"}, start))
	var kept atomic.Int64
	r.fight(nil, func(n int) error {
		_, err := r.Account.RemoveAuthenticator(r.ctx(), []string{a.ID, b.ID}[n%2], r.removal(s, true))
		if errors.Is(err, account.ErrLastFactor) {
			kept.Add(1)
			return nil
		}
		if errors.Is(err, account.ErrNotFound) {
			return nil
		}
		return err
	})
	if kept.Load() == 0 {
		r.t.Error("AU06 nobody was told that it is the last one")
	}
	r.wantFactors(u, account.Factors{Authenticators: 1, RecoveryCodes: 1})
	list, err := r.Account.Authenticators(r.ctx(), u.ID)
	r.ok(err)
	_, err = r.Account.RemoveAuthenticator(r.ctx(), list[0].ID, r.removal(s, false))
	r.ok(err)
	r.wantFactors(u, account.Factors{})
}

func recoveryCodes(r *rig) {
	u, bob := r.addUser("ada"), r.addUser("bob")
	made, err := r.Account.RecoveryCodesMade(r.ctx(), u.ID)
	r.ok(err)
	if !made.IsZero() {
		r.t.Errorf("made %v before there were any", made)
	}
	r.is("nobody's", r.Account.ReplaceRecoveryCodes(r.ctx(), "nobody", []string{"a"}, start), account.ErrNotFound)
	r.ok(r.Account.ReplaceRecoveryCodes(r.ctx(), u.ID, []string{"old"}, start))
	r.ok(r.Account.ReplaceRecoveryCodes(r.ctx(), u.ID, []string{"a", "b", "c"}, start.Add(time.Minute)))
	made, err = r.Account.RecoveryCodesMade(r.ctx(), u.ID)
	r.ok(err)
	if !made.Equal(start.Add(time.Minute)) {
		r.t.Errorf("made %v", made)
	}
	use := func(userID, hash string) error {
		_, err := r.Account.UseRecoveryCode(r.ctx(), userID, hash)
		return err
	}
	r.is("an old one", use(u.ID, "old"), account.ErrNotFound)
	r.is("of another", use(bob.ID, "a"), account.ErrNotFound)
	if won := r.fight(account.ErrNotFound, func(int) error { return use(u.ID, "a") }); won != 1 {
		r.t.Errorf("AU08 one code was used %d times", won)
	}
	left, err := r.Account.UseRecoveryCode(r.ctx(), u.ID, "b")
	r.ok(err)
	if left != 1 {
		r.t.Errorf("%d left, want 1", left)
	}
	r.is("AU08 again", use(u.ID, "b"), account.ErrNotFound)
}

func tries(r *rig) {
	u := r.addUser("ada")
	a := r.authenticator(u)
	wait := func(failed int) time.Duration { return time.Duration(max(0, failed-8)) * time.Minute }
	spend := func(at time.Time) (account.Tries, error) {
		return r.Account.SpendTry(r.ctx(), u.ID, account.TOTP, at, wait, 10)
	}
	// Nine of sixteen at once may be looked at: the ninth makes the rest wait.
	if won := r.fight(account.ErrTooSoon, func(int) error { _, err := spend(start); return err }); won != 9 {
		r.t.Errorf("AU04 %d codes at once, want 9", won)
	}
	got, err := spend(start.Add(59 * time.Second))
	r.is("AU04 before its time", err, account.ErrTooSoon)
	if got.Failed != 9 || !got.Next.Equal(start.Add(time.Minute)) {
		r.t.Errorf("it says %+v", got)
	}
	got, err = spend(start.Add(time.Minute))
	r.ok(err)
	if got.Failed != 10 {
		r.t.Errorf("it says %+v", got)
	}
	r.is("AU04 after the last", second(spend(start.Add(time.Hour))), account.ErrCodesStopped)
	_, err = r.Account.SpendTry(r.ctx(), u.ID, account.Recovery, start, wait, 0)
	r.ok(err) // counts apart
	_, err = r.Account.SpendTry(r.ctx(), "nobody", account.TOTP, start, wait, 10)
	r.is("nobody's", err, account.ErrNotFound)
	r.ok(r.Account.ReplaceRecoveryCodes(r.ctx(), u.ID, []string{"h"}, start))
	for _, c := range []struct {
		after  string
		forget func() error
	}{
		{"a recovery code", func() error { return second(r.Account.UseRecoveryCode(r.ctx(), u.ID, "h")) }},
		{"a right code", func() error { return r.Account.UseStep(r.ctx(), u.ID, a.ID, 200, start) }},
		{"another authenticator", func() error { r.authenticator(u); return nil }},
		{"one less", func() error {
			return second(r.Account.RemoveAuthenticator(r.ctx(), a.ID, r.removal(r.addSession(u), false)))
		}},
	} {
		r.ok(c.forget())
		for want := 1; want < 4; want++ {
			if got, err := spend(start); err != nil || got.Failed != want {
				r.t.Errorf("after %s: %+v %v, want %d", c.after, got, err, want)
			}
		}
	}
}

func changePassword(r *rig) {
	u, here, mine := r.signedIn("ada")
	there := r.addSession(u)
	theirs := r.addGrant(there)
	over := r.addSession(u)
	left := r.addGrant(over)
	r.ok(r.Account.AddSession(r.ctx(), r.session(u), over.ID)) // its session is gone, the app is not
	_, _, other := r.signedIn("bob")
	here, err := r.Account.Session(r.ctx(), here.ID)
	r.ok(err)
	next := here
	next.ID, next.UserVersion = secret.NewID(start.Add(time.Minute)), u.Version+1
	change := account.PasswordChange{UserID: u.ID, Version: u.Version, Hash: "$new", Replaces: here.ID, Next: next, Now: r.clock(), Keep: r.keep()}
	if won := r.fight(account.ErrNotFound, func(int) error { return r.Account.ChangePassword(r.ctx(), change) }); won != 1 {
		r.t.Errorf("%d changed it from one session", won)
	}
	for _, s := range []account.Session{here, there} {
		_, err := r.Account.Session(r.ctx(), s.ID)
		r.is("AU15 the session before", err, account.ErrNotFound)
	}
	got, err := r.Account.Session(r.ctx(), next.ID)
	r.ok(err)
	next.UserVersion = 0
	if d := cmp.Diff(next, got); d != "" {
		r.t.Error(d)
	}
	r.wantAlive(mine.ID)
	r.wantAlive(other.ID)
	r.wantRevoked(theirs.ID, revocation.ReasonPassword)
	r.wantRevoked(left.ID, revocation.ReasonPassword)
	user, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	if user.PasswordHash != "$new" || user.Version != u.Version+1 {
		r.t.Errorf("hash %q, version %d", user.PasswordHash, user.Version)
	}
}

func changePasswordStale(r *rig) {
	u, here, mine := r.signedIn("ada")
	next := here
	next.ID, next.UserVersion = secret.NewID(start.Add(time.Minute)), u.Version+1
	for what, spoil := range map[string]func(*account.PasswordChange){
		"another version":            func(c *account.PasswordChange) { c.Version++ },
		"a session that is over":     func(c *account.PasswordChange) { c.Replaces = secret.NewID(start) },
		"a session of somebody else": func(c *account.PasswordChange) { c.Replaces = r.addSession(r.addUser("bob")).ID },
		"nobody":                     func(c *account.PasswordChange) { c.UserID = "nobody" },
	} {
		c := account.PasswordChange{UserID: u.ID, Version: u.Version, Hash: "$new", Replaces: here.ID, Next: next, Now: r.clock(), Keep: r.keep()}
		spoil(&c)
		r.is(what, r.Account.ChangePassword(r.ctx(), c), account.ErrNotFound)
	}
	r.wantAlive(mine.ID)
	if got := r.version(u); got != u.Version {
		r.t.Errorf("version %d after nothing", got)
	}
	r.ok(r.Account.SetDisabled(r.ctx(), u.ID, true, r.clock(), r.keep()))
	c := account.PasswordChange{UserID: u.ID, Version: u.Version + 1, Hash: "$new", Replaces: here.ID, Next: next, Now: r.clock(), Keep: r.keep()}
	r.is("somebody who was disabled", r.Account.ChangePassword(r.ctx(), c), account.ErrNotFound)
}

func resetFactors(r *rig) {
	u, s, g := r.signedIn("ada")
	r.authenticator(u)
	r.ok(r.Account.ReplaceRecoveryCodes(r.ctx(), u.ID, []string{"a"}, start))
	_, err := r.Account.SpendTry(r.ctx(), u.ID, account.TOTP, start, func(int) time.Duration { return time.Hour }, 1)
	r.ok(err)
	r.ok(r.Account.ResetFactors(r.ctx(), u.ID, r.clock(), r.keep()))
	r.wantFactors(u, account.Factors{})
	r.wantEnded(s, g, revocation.ReasonAdmin)
	if got := r.version(u); got != u.Version+1 {
		r.t.Errorf("version %d, want %d", got, u.Version+1)
	}
	_, err = r.Account.SpendTry(r.ctx(), u.ID, account.TOTP, start, func(int) time.Duration { return 0 }, 1)
	r.ok(err)
	r.is("nobody", r.Account.ResetFactors(r.ctx(), "nobody", r.clock(), r.keep()), account.ErrNotFound)
}
