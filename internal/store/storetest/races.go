package storetest

import (
	"errors"
	"sync"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var raceTests = []test{
	{"TK08 sixteen redeem each of fifty codes and one wins", raceRedeem},
	{"sixteen use the same name and one wins", raceSpend},
	{"PR03 a hundred approve one pushed request and one wins", raceTakePushed},
	{"sixteen rotate each of twenty grants and one wins", raceRotate},
	{"PP17 sixteen bind each of twenty grants to keys of their own and one wins", raceBind},
	{"RV21 sixteen end the same grant, session and token and the feed says so once", raceRevoke},
	{"sixteen add the first key and one counts", raceFirstKey},
	{"KY08 sixteen make a successor and one counts", raceSuccessor},
	{"KY08 sixteen compromise and rotate and one key makes", raceCompromiseKeys},
	{"KY06 no key is wrapped by the master key that sixteen replace", raceRewrap},
	{"sixteen add the same name and one wins", raceAddUser},
	{"sixteen upgrade the same hash and one wins", raceUpgrade},
	{"sixteen disable and delete everything without a deadlock", raceEverything},
	{"no grant outlives a logout that redemptions race with", raceLogout},
	{"no session outlives a disabling that sign-ins race with", raceDisable},
}

func raceRedeem(r *rig) {
	s := r.addSession(r.addUser("ada"))
	for range 50 {
		g := r.grant(s)
		if won := r.fight(oauth.ErrExists, func(int) error { return r.OAuth.RedeemCode(r.ctx(), g) }); won != 1 {
			r.t.Fatalf("%d redeemed the same code", won)
		}
	}
}

func raceSpend(r *rig) {
	for range 50 {
		name := secret.NewHandle(secret.AuthCode).Hash()
		if won := r.fight(oauth.ErrExists, func(int) error { return r.OAuth.Spend(r.ctx(), name, r.keep()) }); won != 1 {
			r.t.Fatalf("%d used the same name", won)
		}
	}
}

func raceRotate(r *rig) {
	s := r.addSession(r.addUser("ada"))
	for range 20 {
		g := r.addGrant(s)
		rotate := func(int) error { return r.OAuth.RotateRefresh(r.ctx(), g.ID, 1, r.clock(), r.keep()) }
		if won := r.fight(oauth.ErrStale, rotate); won != 1 {
			r.t.Fatalf("%d rotated the same generation", won)
		}
		if got := r.stored(g.ID).Generation; got != 2 {
			r.t.Fatalf("generation is %d", got)
		}
	}
}

func raceBind(r *rig) {
	s := r.addSession(r.addUser("ada"))
	for range 20 {
		g := r.addGrant(s)
		var mu sync.Mutex
		var winner token.Confirmation
		won := r.fight(oauth.ErrStale, func(n int) error {
			key := token.Confirmation{Method: token.ConfirmJKT, Digest: [32]byte{byte(n)}} //nolint:gosec // there are sixteen
			err := r.OAuth.BindRefresh(r.ctx(), g.ID, 1, key, r.clock(), r.keep())
			if err == nil {
				mu.Lock()
				winner = key
				mu.Unlock()
			}
			return err
		})
		if got := r.stored(g.ID); won != 1 || got.Confirm != winner || got.Generation != 2 {
			r.t.Fatalf("%d bound the same grant, which is now %+v", won, got)
		}
	}
}

func raceRevoke(r *rig) {
	u := r.addUser("ada")
	var want []revocation.Entry
	for range 5 {
		s, serial := r.addSession(u), secret.NewID(start)
		g, h := r.addGrant(s), r.addGrant(s)
		r.fight(nil, func(n int) error {
			switch n % 3 {
			case 0:
				return r.OAuth.RevokeGrant(r.ctx(), g.ID, "x", r.clock(), r.keep())
			case 1:
				_, err := r.OAuth.EndSession(r.ctx(), s.ID, "x", r.clock(), r.keep())
				return err
			}
			return r.OAuth.RevokeSerial(r.ctx(), serial, "x", r.clock(), r.keep())
		})
		for _, id := range []secret.ID{g.ID, h.ID} {
			want = append(want, revocation.Entry{Kind: revocation.Grant, ID: id.String()})
		}
		want = append(want, revocation.Entry{Kind: revocation.Serial, ID: serial.String()})
	}
	times := map[string]int{}
	for _, e := range r.entries() {
		times[string(e.Kind)+e.ID]++
	}
	for _, e := range want {
		if times[string(e.Kind)+e.ID] != 1 {
			r.t.Errorf("%s %s is in the feed %d times", e.Kind, e.ID, times[string(e.Kind)+e.ID])
		}
	}
	if len(times) != len(want) {
		r.t.Errorf("the feed names %d things, want %d", len(times), len(want))
	}
}

func raceFirstKey(r *rig) {
	for _, p := range []token.Purpose{token.SealAccess, token.SealFlow, token.MACForm} {
		r.fight(nil, func(int) error { return r.Keys.AddFirstKey(r.ctx(), r.key(p)) })
	}
	keys, err := r.Keys.Keys(r.ctx())
	r.ok(err)
	if len(keys) != 3 {
		r.t.Errorf("%d keys for three purposes", len(keys))
	}
}

func raceAddUser(r *rig) {
	won := r.fight(account.ErrExists, func(n int) error {
		return r.Account.AddUser(r.ctx(), account.User{ID: secret.NewID(start).String(), Username: []string{"ada", "ADA"}[n%2]})
	})
	if won != 1 {
		r.t.Errorf("%d people have the name", won)
	}
}

func raceUpgrade(r *rig) {
	u := r.addUser("ada")
	won := r.fight(account.ErrNotFound, func(int) error { return r.Account.UpgradePassword(r.ctx(), u.ID, u.PasswordHash, "$new") })
	if won != 1 {
		r.t.Errorf("%d upgraded the same hash", won)
	}
}

// raceEverything lets transitions that touch the same rows in different orders
// meet: each must end with success or with an answer of the contract.
func raceEverything(r *rig) {
	now, keep := r.clock(), r.keep()
	for range 5 {
		client := r.client(secret.NewID(start).String())
		r.ok(r.OAuth.AddClient(r.ctx(), client))
		u := r.addUser(client.ID)
		s := r.addSession(u)
		for range 4 {
			g := r.grantOf(s, client.ID)
			r.ok(r.OAuth.RedeemCode(r.ctx(), g))
		}
		do := []func() error{
			func() error { return r.OAuth.SetClientDisabled(r.ctx(), client.ID, true, now, keep) },
			func() error { return r.Account.SetDisabled(r.ctx(), u.ID, true, now, keep) },
			func() error { return r.Account.SetPassword(r.ctx(), u.ID, "$new", now, keep) },
			func() error { _, err := r.OAuth.EndSession(r.ctx(), s.ID, "x", now, keep); return err },
			func() error { return r.OAuth.RemoveClient(r.ctx(), client.ID, now, keep) },
			func() error { return r.Account.DeleteUser(r.ctx(), u.ID, now, keep) },
			func() error { return r.OAuth.RedeemCode(r.ctx(), r.grant(s)) },
			func() error { return r.Account.AddSession(r.ctx(), r.session(u), s.ID) },
			func() error { _, err := r.OAuth.LeakSession(r.ctx(), s.SID, r.ending()); return err },
			func() error { _, err := r.OAuth.LeakCode(r.ctx(), r.grant(s), r.ending()); return err },
			func() error {
				_, err := r.OAuth.LeakSecret(r.ctx(), client.ID, client.Secrets[0].Hash, false, r.ending())
				return err
			},
			func() error {
				_, err := r.OAuth.CompromiseSecret(r.ctx(), oauth.Compromise{ClientID: client.ID, New: r.secret(time.Time{}), KillGrants: true}, r.ending())
				return err
			},
			func() error { return r.OAuth.SaveConsent(r.ctx(), oauth.Consent{UserID: u.ID, ClientID: client.ID}) },
		}
		r.fight(errGone, func(n int) error { return gone(do[n%len(do)]()) })
	}
}

var errGone = errors.New("what it needs is gone")

func gone(err error) error {
	for _, e := range []error{oauth.ErrNotFound, account.ErrNotFound, oauth.ErrStale, oauth.ErrExists} {
		if errors.Is(err, e) {
			return errGone
		}
	}
	return err
}

func raceLogout(r *rig) {
	u := r.addUser("ada")
	for range 15 {
		s := r.addSession(u)
		var mu sync.Mutex
		var redeemed []oauth.Grant
		r.fight(oauth.ErrStale, func(n int) error {
			if n == fighters/2 {
				_, err := r.OAuth.EndSession(r.ctx(), s.ID, "x", r.clock(), r.keep())
				return err
			}
			g := r.grant(s)
			err := r.OAuth.RedeemCode(r.ctx(), g)
			if err == nil {
				mu.Lock()
				redeemed = append(redeemed, g)
				mu.Unlock()
			}
			return err
		})
		for _, g := range redeemed {
			r.wantRevoked(g.ID, "x")
		}
	}
}

func raceDisable(r *rig) {
	for i := range 10 {
		u := r.addUser("ada" + time.Duration(i).String())
		sessions := make([]account.Session, fighters)
		for n := range sessions {
			sessions[n] = r.session(u)
		}
		r.fight(account.ErrNotFound, func(n int) error {
			if n == fighters/2 {
				return r.Account.SetDisabled(r.ctx(), u.ID, true, r.clock(), r.keep())
			}
			return r.Account.AddSession(r.ctx(), sessions[n], secret.ID{})
		})
		for _, s := range sessions {
			if _, err := r.Account.Session(r.ctx(), s.ID); !errors.Is(err, account.ErrNotFound) {
				r.t.Fatalf("a disabled person has a session: %v", err)
			}
		}
	}
}
