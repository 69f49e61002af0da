package storetest

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var sessionTests = []test{
	{"a session comes back as it was stored", sessionRoundTrip},
	{"a new session ends the one it replaces and no grant", sessionReplaces},
	{"signing out ends the grants of a replaced session of the same person", replacedSessionsGrants},
	{"a session needs a person who may sign in", sessionNeedsUser},
	{"AU19 a person has as many sessions as may be, and sixteen sign-ins at once make no more", sessionsAreBounded},
	{"what was proven before the password was set opens no session", sessionOfAnOldVersion},
	{"touching moves a living session forward only", touch},
}

func sessionRoundTrip(r *rig) {
	s := r.session(r.addUser("ada"))
	s.Methods, s.Tier, s.Keep, s.Purpose, s.Device, s.Place = "pwd totp", token.TierHigh, true, "factors", "Firefox on Linux", "Bremen, Germany"
	s.Provider, s.ProviderSID = "google", "x1"
	r.ok(r.Account.AddSession(r.ctx(), s, secret.ID{}))
	got, err := r.Account.Session(r.ctx(), s.ID)
	r.ok(err)
	if d := cmp.Diff(s, got); d != "" {
		r.t.Error(d)
	}
	_, err = r.Account.Session(r.ctx(), secret.NewID(start))
	r.is("unknown", err, account.ErrNotFound)
	r.is("same ID", r.Account.AddSession(r.ctx(), s, secret.ID{}), account.ErrExists)
}

func sessionReplaces(r *rig) {
	u, old, g := r.signedIn("ada")
	next := r.session(u)
	r.ok(r.Account.AddSession(r.ctx(), next, old.ID))
	_, err := r.Account.Session(r.ctx(), old.ID)
	r.is("replaced session", err, account.ErrNotFound)
	_, err = r.Account.Session(r.ctx(), next.ID)
	r.ok(err)
	r.wantAlive(g.ID)
	r.wantFeed()

	other := r.session(r.addUser("bob")) // somebody else signs in in the same browser
	r.ok(r.Account.AddSession(r.ctx(), other, next.ID))
	r.endSession(r.ctx(), other.SID, "x", r.clock(), r.keep())
	r.wantAlive(g.ID)
}

// Signing in again and then out must not leave the tokens of the first time.
func replacedSessionsGrants(r *rig) {
	u, old, g := r.signedIn("ada")
	next := r.session(u)
	next.SID = old.SID
	r.ok(r.Account.AddSession(r.ctx(), next, old.ID))
	r.ok(r.OAuth.RedeemCode(r.ctx(), r.grant(old))) // a code from before the second sign-in
	r.endSession(r.ctx(), next.SID, "x", r.clock(), r.keep())
	_, err := r.Account.Session(r.ctx(), next.ID)
	r.is("ended session", err, account.ErrNotFound)
	got, err := r.OAuth.Grant(r.ctx(), g.ID)
	r.ok(err)
	if got.RevokedAt.IsZero() {
		r.t.Error("T112: a grant of the replaced session outlives signing out")
	}
}

func sessionNeedsUser(r *rig) {
	u := r.addUser("ada")
	old := r.addSession(u)
	s := r.session(account.User{ID: "nobody"})
	r.is("unknown person", r.Account.AddSession(r.ctx(), s, old.ID), account.ErrNotFound)
	_, err := r.Account.Session(r.ctx(), old.ID)
	r.ok(err) // what failed has replaced nothing
	r.ok(r.Account.SetDisabled(r.ctx(), u.ID, true, r.clock(), r.keep()))
	r.is("disabled person", r.Account.AddSession(r.ctx(), r.session(u), secret.ID{}), account.ErrNotFound)
}

func touch(r *rig) {
	u := r.addUser("ada")
	s := r.addSession(u)
	r.advance(time.Minute)
	s.LastSeen, s.IdleUntil = r.clock(), r.clock().Add(time.Hour)
	r.ok(r.Account.TouchSession(r.ctx(), s.ID, s.LastSeen, s.IdleUntil))
	r.ok(r.Account.TouchSession(r.ctx(), s.ID, s.LastSeen.Add(-time.Second), s.IdleUntil.Add(-time.Second))) // overtaken
	got, err := r.Account.Session(r.ctx(), s.ID)
	r.ok(err)
	if d := cmp.Diff(s, got); d != "" {
		r.t.Error(d)
	}
	r.is("past its idle end", r.Account.TouchSession(r.ctx(), s.ID, s.IdleUntil, s.IdleUntil.Add(time.Hour)), account.ErrNotFound)
	r.is("unknown", r.Account.TouchSession(r.ctx(), secret.NewID(start), r.clock(), r.keep()), account.ErrNotFound)
	r.endSession(r.ctx(), s.ID, "x", r.clock(), r.keep())
	r.is("ended", r.Account.TouchSession(r.ctx(), s.ID, r.clock(), r.keep()), account.ErrNotFound)
}

func (r *rig) endSession(ctx context.Context, sid secret.ID, reason string, now, keep time.Time) {
	r.t.Helper()
	_, err := r.OAuth.EndSession(ctx, sid, reason, now, keep)
	r.ok(err)
}

func sessionsAreBounded(r *rig) {
	u, bob := r.addUser("ada"), r.addSession(r.addUser("bob"))
	var old []account.Session
	for range 3 {
		s := r.session(u)
		s.Most = 3
		r.ok(r.Account.AddSession(r.ctx(), s, secret.ID{}))
		old = append(old, s)
		r.advance(time.Minute)
	}
	r.ok(r.Account.TouchSession(r.ctx(), old[0].ID, r.clock(), r.clock().Add(time.Hour))) // the first is used again
	g := r.addGrant(old[1])
	next := r.session(u)
	next.Most = 3
	r.ok(r.Account.AddSession(r.ctx(), next, secret.ID{}))
	for n, want := range map[int]error{0: nil, 1: account.ErrNotFound, 2: nil} {
		_, err := r.Account.Session(r.ctx(), old[n].ID)
		r.is("session", err, want)
	}
	r.wantAlive(g.ID) // apps stay connected
	_, err := r.Account.Session(r.ctx(), bob.ID)
	r.ok(err)

	r.advance(time.Minute)
	all := make([]account.Session, fighters)
	for n := range all {
		all[n] = r.session(u)
		all[n].Most = 3
	}
	r.fight(nil, func(n int) error { return r.Account.AddSession(r.ctx(), all[n], secret.ID{}) })
	alive := 0
	for _, s := range append(all, old[0], old[2], next) {
		if _, err := r.Account.Session(r.ctx(), s.ID); err == nil {
			alive++
		}
	}
	if alive != 3 {
		r.t.Errorf("AU19 %d sessions, want 3", alive)
	}
}

func sessionOfAnOldVersion(r *rig) {
	u := r.addUser("ada")
	s := r.session(u)
	r.ok(r.Account.SetPassword(r.ctx(), u.ID, "$x", r.clock(), r.keep()))
	r.is("before it", r.Account.AddSession(r.ctx(), s, secret.ID{}), account.ErrNotFound)
	u, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	r.ok(r.Account.UpgradePassword(r.ctx(), u.ID, "$x", "$y")) // the same password, hashed anew
	r.ok(r.Account.AddSession(r.ctx(), r.session(u), secret.ID{}))
}
