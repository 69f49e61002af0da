package storetest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

var personTests = []test{
	{"RV10 a person's session ends by its owner alone", endSessionOf},
	{"RV10 all other sessions end, with their grants", endOtherSessions},
	{"T207 a person's grant ends by its owner alone, and knows where it was made", endGrantOf},
	{"AZ18 a scope that is withdrawn ends what carries it, and the codes from before", withdraw},
	{"AZ18 consents that are given at once both count", consentsMeet},
	{"AZ18 no grant outlives a withdrawal that redemptions race with", raceWithdraw},
	{"sessions are listed the newest first, page by page", listSessions},
	{"AP11 all of a person can be taken along, and none of it is a secret", export},
}

func endSessionOf(r *rig) {
	ada, s, g := r.signedIn("ada")
	bob := r.addUser("bob")
	for what, id := range map[string]secret.ID{"another's": s.ID, "an unknown one": secret.NewID(start)} {
		ended, err := r.OAuth.EndSessionOf(r.ctx(), bob.ID, id, "x", r.clock(), r.keep())
		r.ok(err)
		if ended {
			r.t.Errorf("%s has ended", what)
		}
	}
	r.wantAlive(g.ID)
	r.wantFeed()
	won := 0
	r.fight(errLost, func(int) error {
		ended, err := r.OAuth.EndSessionOf(r.ctx(), ada.ID, s.ID, "x", r.clock(), r.keep())
		if err == nil && !ended {
			return errLost
		}
		if err == nil {
			r.mu.Lock()
			won++
			r.mu.Unlock()
		}
		return err
	})
	if won != 1 {
		r.t.Errorf("%d ended the same session", won)
	}
	if got := r.stored(g.ID); got.RevokedAt.IsZero() {
		r.t.Error("T112 a grant outlives its session")
	}
}

var errLost = errors.New("another was first")

func endOtherSessions(r *rig) {
	ada, s, g := r.signedIn("ada")
	_, theirs, kept := r.signedIn("bob")
	here := r.addSession(ada)
	own := r.addGrant(here)
	n, err := r.OAuth.EndOtherSessions(r.ctx(), ada.ID, here.SID, "x", r.clock(), r.keep())
	r.ok(err)
	_, gone := r.Account.Session(r.ctx(), s.ID)
	if r.is("the other", gone, account.ErrNotFound); n != 1 || r.stored(g.ID).RevokedAt.IsZero() {
		r.t.Errorf("%d ended", n)
	}
	for _, id := range []secret.ID{here.ID, theirs.ID} {
		_, err := r.Account.Session(r.ctx(), id)
		r.ok(err)
	}
	r.wantAlive(own.ID)
	r.wantAlive(kept.ID)
}

func endGrantOf(r *rig) {
	ada := r.addUser("ada")
	s := r.session(ada)
	s.Device, s.Place = "Firefox on Linux", "Bremen, Germany"
	r.ok(r.Account.AddSession(r.ctx(), s, secret.ID{}))
	g := r.addGrant(s)
	r.advance(time.Second)
	other := r.addGrant(s)
	list, err := r.OAuth.GrantsOf(r.ctx(), ada.ID, "", r.clock(), 10)
	r.ok(err)
	if len(list) != 2 || list[0].ID != other.ID || list[0].Device != s.Device || list[1].Place != s.Place {
		r.t.Errorf("%+v", list)
	}
	if list, err = r.OAuth.GrantsOf(r.ctx(), ada.ID, "another", r.clock(), 10); err != nil || len(list) != 0 {
		r.t.Errorf("of another client: %v %v", list, err)
	}
	ended, err := r.OAuth.EndGrantOf(r.ctx(), r.addUser("bob").ID, g.ID, "x", r.clock(), r.keep())
	if r.ok(err); ended {
		r.t.Error("another's grant has ended")
	}
	r.wantAlive(g.ID)
	ended, err = r.OAuth.EndGrantOf(r.ctx(), ada.ID, g.ID, "x", r.clock(), r.keep())
	if r.ok(err); !ended {
		r.t.Error("it has not ended")
	}
	if list, err = r.OAuth.GrantsOf(r.ctx(), ada.ID, "", r.clock(), 10); err != nil || len(list) != 1 || list[0].ID != other.ID {
		r.t.Errorf("left are %v %v", list, err)
	}
	if list, err = r.OAuth.GrantsOf(r.ctx(), ada.ID, "", other.AbsoluteUntil, 10); err != nil || len(list) != 0 {
		r.t.Errorf("past their end: %v %v", list, err)
	}
}

func (r *rig) agree(u account.User, scope string) {
	r.t.Helper()
	r.ok(r.OAuth.SaveConsent(r.ctx(), oauth.Consent{UserID: u.ID, ClientID: "app", Scope: scope, GrantedAt: r.clock()}))
}

func withdraw(r *rig) {
	u, s, carries := r.signedIn("ada") // openid catalog.read
	r.agree(u, "openid catalog.read email")
	without := r.grant(s)
	without.Scope, without.Terms = "openid", oauth.Terms{}
	r.ok(r.OAuth.RedeemCode(r.ctx(), without))
	code := r.grant(s) // issued before, redeemed after
	take := func(want bool, scopes ...string) {
		r.t.Helper()
		n, err := r.OAuth.Withdraw(r.ctx(), u.ID, "app", scopes, "x", r.clock(), r.keep())
		if r.ok(err); n > 0 != want {
			r.t.Errorf("%d records changed", n)
		}
	}
	take(true, "catalog.read")
	if r.stored(carries.ID).RevokedAt.IsZero() {
		r.t.Error("AZ18 a grant carries what was withdrawn")
	}
	r.wantAlive(without.ID)
	r.is("a code from before", r.OAuth.RedeemCode(r.ctx(), code), oauth.ErrStale)
	c, err := r.OAuth.Consent(r.ctx(), u.ID, "app")
	if r.ok(err); c.Scope != "openid email" {
		r.t.Errorf("left is %q", c.Scope)
	}
	take(false, "catalog.read")
	r.agree(u, "catalog.read") // and again
	r.ok(r.OAuth.RedeemCode(r.ctx(), r.grant(s)))
	take(true)
	if list, err := r.OAuth.GrantsOf(r.ctx(), u.ID, "app", r.clock(), 10); err != nil || len(list) != 0 {
		r.t.Errorf("left are %d grants, %v", len(list), err)
	}
	if list, err := r.OAuth.ConsentsOf(r.ctx(), u.ID, 10); err != nil || len(list) != 0 {
		r.t.Errorf("left are consents %v, %v", list, err)
	}
	r.is("a code from before", r.OAuth.RedeemCode(r.ctx(), r.grant(s)), oauth.ErrStale)
	r.advance(2 * time.Hour)
	_, err = r.Expire(r.ctx(), r.clock())
	r.ok(err)
	_, err = r.OAuth.Consent(r.ctx(), u.ID, "app")
	r.is("what was withdrawn is kept for ever", err, oauth.ErrNotFound)
	_, err = r.OAuth.Withdraw(r.ctx(), "nobody", "app", nil, "x", r.clock(), r.keep())
	r.ok(err)
}

func consentsMeet(r *rig) {
	u := r.addUser("ada")
	scopes := make([]string, fighters)
	for n := range scopes {
		scopes[n] = "s" + string(rune('a'+n))
	}
	r.fight(nil, func(n int) error {
		return r.OAuth.SaveConsent(r.ctx(), oauth.Consent{UserID: u.ID, ClientID: "app", Scope: scopes[n], GrantedAt: r.clock()})
	})
	c, err := r.OAuth.Consent(r.ctx(), u.ID, "app")
	r.ok(err)
	got := strings.Fields(c.Scope)
	if slices.Sort(got); !slices.Equal(got, scopes) {
		r.t.Errorf("agreed to %v", got)
	}
}

func raceWithdraw(r *rig) {
	u := r.addUser("ada")
	s := r.addSession(u)
	for range 10 {
		r.agree(u, "openid catalog.read")
		r.fight(oauth.ErrStale, func(n int) error {
			if n == fighters/2 {
				_, err := r.OAuth.Withdraw(r.ctx(), u.ID, "app", []string{"catalog.read"}, "x", r.clock(), r.keep())
				return err
			}
			return r.OAuth.RedeemCode(r.ctx(), r.grant(s))
		})
		list, err := r.OAuth.GrantsOf(r.ctx(), u.ID, "app", r.clock(), 100)
		if r.ok(err); len(list) > 0 {
			r.t.Fatalf("%d grants carry what was withdrawn", len(list))
		}
	}
}

func listSessions(r *rig) {
	ada, bob := r.addUser("ada"), r.addUser("bob")
	var want []secret.ID
	for range 5 {
		want = append([]secret.ID{r.addSession(ada).ID}, want...)
		r.advance(time.Second)
	}
	theirs := r.addSession(bob)
	var got []secret.ID
	var before secret.ID
	for {
		page, err := r.Account.Sessions(r.ctx(), ada.ID, before, r.clock(), 2)
		r.ok(err)
		if len(page) == 0 {
			break
		}
		for i := range page {
			got = append(got, page[i].ID)
		}
		before = got[len(got)-1]
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("listed %v, want %v", got, want)
	}
	all, err := r.Account.Sessions(r.ctx(), "", secret.ID{}, r.clock(), 10)
	if r.ok(err); len(all) != 6 || all[0].ID != theirs.ID {
		r.t.Errorf("of everybody: %d", len(all))
	}
	if all, err = r.Account.Sessions(r.ctx(), "", secret.ID{}, theirs.IdleUntil, 10); err != nil || len(all) != 0 {
		r.t.Errorf("those that are over: %d, %v", len(all), err)
	}
}

func export(r *rig) {
	u, _, _ := r.signedIn("ada")
	r.agree(u, "openid")
	r.signedIn("bob")
	p, err := r.Account.Export(r.ctx(), u.ID)
	r.ok(err)
	if len(p["profile"]) != 1 || p["profile"][0]["username"] != "ada" || p["profile"][0]["email_verified"] != true || p["profile"][0]["created"] == nil {
		r.t.Errorf("profile: %v", p["profile"])
	}
	for _, name := range []string{"sessions", "apps", "consents"} {
		if len(p[name]) != 1 {
			r.t.Errorf("%s: %v", name, p[name])
		}
	}
	for name, rows := range p {
		for _, row := range rows {
			for column := range row {
				if slices.Contains([]string{"hash", "salt", "sealed", "password_hash", "public_key", "mark", "digest", "provider_sid"}, column) {
					r.t.Errorf("AP11 %s has %s", name, column)
				}
			}
		}
	}
	_, err = r.Account.Export(r.ctx(), "nobody")
	r.is("nobody", err, account.ErrNotFound)
}
