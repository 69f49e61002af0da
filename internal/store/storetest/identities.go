package storetest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

var identityTests = []test{
	{"ID09 an identity is issuer and subject, and belongs to one person", identityRoundTrip},
	{"ID09 of sixteen people who link one identity, one has it", identityRace},
	{"of the last two ways to sign in, one stays, whoever unlinks at once", lastWayRace},
	{"unlinking ends what that provider has opened, but for this session", unlinkEnds},
	{"a person who comes from elsewhere is added with the identity, or not at all", addElsewhere},
	{"ID09 an address counts where it was made sure of", verifiedEmail},
	{"C11 a session that ends at a provider ends here, and offline grants live", endElsewhere},
	{"C11 without sid, all sessions of that identity end, and of nobody else", endElsewhereAll},
	{"what a provider tells counts once", endElsewhereOnce},
}

const provider = "https://id.example"

func identity(u account.User, subject string) account.Identity {
	return account.Identity{Provider: provider, Subject: subject, UserID: u.ID, Name: subject + "@id.example", LinkedAt: start}
}

func identityRoundTrip(r *rig) {
	ada, bob := r.addUser("ada"), r.addUser("bob")
	i := identity(ada, "u-1")
	r.ok(r.Account.LinkIdentity(r.ctx(), i))
	got, err := r.Account.Identity(r.ctx(), provider, "u-1")
	r.ok(err)
	if d := cmp.Diff(i, got); d != "" {
		r.t.Error(d)
	}
	taken := identity(bob, "u-1")
	r.is("of somebody", r.Account.LinkIdentity(r.ctx(), taken), account.ErrExists)
	same := identity(bob, "u-1")
	same.Provider = "https://other.example"
	r.ok(r.Account.LinkIdentity(r.ctx(), same)) // the same sub at two providers is two identities
	i.LastUsed, i.Name = start.Add(time.Hour), "new@id.example"
	r.ok(r.Account.UseIdentity(r.ctx(), i))
	list, err := r.Account.Identities(r.ctx(), ada.ID)
	r.ok(err)
	if d := cmp.Diff([]account.Identity{i}, list); d != "" {
		r.t.Error(d)
	}
	for _, subject := range []string{"U-1", "u-1 ", "", "u-2", "a\x00"} {
		_, err = r.Account.Identity(r.ctx(), provider, subject)
		r.is("subject "+subject, err, account.ErrNotFound)
	}
	r.ok(r.Account.SetDisabled(r.ctx(), bob.ID, true, r.clock(), r.keep()))
	r.is("disabled", r.Account.LinkIdentity(r.ctx(), identity(bob, "u-3")), account.ErrNotFound)
	for n := range account.MostIdentities - 1 {
		r.ok(r.Account.LinkIdentity(r.ctx(), identity(ada, fmt.Sprint("more", n))))
	}
	r.is("too many", r.Account.LinkIdentity(r.ctx(), identity(ada, "last")), account.ErrNotFound)
	r.ok(r.Account.DeleteUser(r.ctx(), ada.ID, r.clock(), r.keep()))
	_, err = r.Account.Identity(r.ctx(), provider, "u-1")
	r.is("of somebody who is gone", err, account.ErrNotFound)
}

func identityRace(r *rig) {
	var people [fighters]account.User
	for n := range people {
		people[n] = r.addUser(fmt.Sprint("p", n))
	}
	if won := r.fight(account.ErrExists, func(n int) error { return r.Account.LinkIdentity(r.ctx(), identity(people[n], "u-1")) }); won != 1 {
		r.t.Errorf("%d people have it, want 1", won)
	}
}

func lastWayRace(r *rig) {
	u := account.User{ID: secret.NewID(start).String(), Username: "ada", Email: "ada@example.com", EmailVerified: true, CreatedAt: start}
	first, second := identity(u, "u-1"), identity(u, "u-2")
	r.ok(r.Account.AddUserElsewhere(r.ctx(), u, first))
	r.ok(r.Account.LinkIdentity(r.ctx(), second))
	var last atomic.Int32
	r.fight(nil, func(n int) error {
		err := r.Account.UnlinkIdentity(r.ctx(), []account.Identity{first, second}[n%2], secret.ID{}, r.clock(), r.keep())
		if err != nil {
			last.Add(1)
		}
		return nil
	})
	list, err := r.Account.Identities(r.ctx(), u.ID)
	r.ok(err)
	if len(list) != 1 || last.Load() != fighters-1 {
		r.t.Errorf("%d left, %d refused", len(list), last.Load())
	}
	r.is("the last", r.Account.UnlinkIdentity(r.ctx(), list[0], secret.ID{}, r.clock(), r.keep()), account.ErrLastWay)
}

func unlinkEnds(r *rig) {
	u := r.addUser("ada")
	r.ok(r.Account.LinkIdentity(r.ctx(), identity(u, "u-1")))
	here, there, plain := r.sessionAt(u, "s-1"), r.sessionAt(u, "s-2"), r.addSession(u)
	gone, kept := r.addGrant(there), r.addGrant(here)
	other := r.addUser("bob")
	r.is("of somebody else", r.Account.UnlinkIdentity(r.ctx(), account.Identity{Provider: provider, Subject: "u-1", UserID: other.ID}, here.SID, r.clock(), r.keep()), account.ErrNotFound)
	r.ok(r.Account.UnlinkIdentity(r.ctx(), identity(u, "u-1"), here.SID, r.clock(), r.keep()))
	r.wantRevoked(gone.ID, revocation.ReasonLogout)
	r.wantAlive(kept.ID)
	r.wantSession(here, true)
	r.wantSession(there, false)
	r.wantSession(plain, true)
	now, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	if now.Version == u.Version {
		r.t.Error("sign-ins under way still count")
	}
}

func (r *rig) sessionAt(u account.User, sid string) account.Session {
	r.t.Helper()
	s := r.session(u)
	s.Provider, s.ProviderSID = provider, sid
	r.ok(r.Account.AddSession(r.ctx(), s, secret.ID{}))
	return s
}

func (r *rig) wantSession(s account.Session, alive bool) {
	r.t.Helper()
	_, err := r.Account.Session(r.ctx(), s.ID)
	if alive {
		r.ok(err)
		return
	}
	r.is("session", err, account.ErrNotFound)
}

func addElsewhere(r *rig) {
	r.addUser("ada")
	again := account.User{ID: secret.NewID(start).String(), Username: "Ada", CreatedAt: start}
	r.is("name taken", r.Account.AddUserElsewhere(r.ctx(), again, identity(again, "u-1")), account.ErrExists)
	_, err := r.Account.Identity(r.ctx(), provider, "u-1")
	r.is("identity of nobody", err, account.ErrNotFound)
	won := r.fight(account.ErrExists, func(n int) error {
		u := account.User{ID: secret.NewID(start).String(), Username: fmt.Sprint("p", n), CreatedAt: start}
		return r.Account.AddUserElsewhere(r.ctx(), u, identity(u, "u-1"))
	})
	people, err := r.Account.Users(r.ctx())
	r.ok(err)
	if won != 1 || len(people) != 2 {
		r.t.Errorf("%d were added, %d people", won, len(people))
	}
}

func verifiedEmail(r *rig) {
	u := r.addUser("ada")
	unsure := account.User{ID: secret.NewID(start).String(), Username: "eve", Email: "bob@example.com", CreatedAt: start}
	r.ok(r.Account.AddUser(r.ctx(), unsure))
	for email, want := range map[string]int{"ada@example.com": 1, "ADA@example.com": 1, "bob@example.com": 0, "": 0, "a\x00": 0} {
		got, err := r.Account.PeopleByVerifiedEmail(r.ctx(), email)
		r.ok(err)
		if len(got) != want || want == 1 && got[0] != u.ID {
			r.t.Errorf("%q: got %v", email, got)
		}
	}
}

func (r *rig) over(subject, sid, once string) account.EndedElsewhere {
	return account.EndedElsewhere{Provider: provider, Subject: subject, SID: sid, Once: secret.New(once).Hash(), Until: r.clock().Add(time.Minute)}
}

func endElsewhere(r *rig) {
	u := r.addUser("ada")
	r.ok(r.Account.LinkIdentity(r.ctx(), identity(u, "u-1")))
	s, other, local := r.sessionAt(u, "s-1"), r.sessionAt(u, "s-2"), r.addSession(u)
	online, elsewhere := r.addGrant(s), r.addGrant(other)
	offline, near := r.grant(s), r.grant(s)
	offline.Scope, near.Scope = "openid offline_access catalog.read", "openid offline_access.not"
	r.ok(r.OAuth.RedeemCode(r.ctx(), offline))
	r.ok(r.OAuth.RedeemCode(r.ctx(), near))
	for name, e := range map[string]account.EndedElsewhere{
		"another subject": r.over("u-2", "s-1", "a"), "another sid": r.over("u-1", "s-9", "b"),
		"another provider": {Provider: "https://other.example", SID: "s-1", Once: secret.New("c").Hash(), Until: r.keep()},
	} {
		people, err := r.Account.EndElsewhere(r.ctx(), e, r.clock(), r.keep())
		r.ok(err)
		if len(people) != 0 {
			r.t.Errorf("%s: ended sessions of %v", name, people)
		}
	}
	people, err := r.Account.EndElsewhere(r.ctx(), r.over("u-1", "s-1", "d"), r.clock(), r.keep())
	r.ok(err)
	if len(people) != 1 || people[0] != u.ID {
		r.t.Errorf("ended sessions of %v", people)
	}
	r.wantSession(s, false)
	r.wantSession(other, true)
	r.wantSession(local, true)
	r.wantRevoked(online.ID, revocation.ReasonLogout)
	r.wantRevoked(near.ID, revocation.ReasonLogout)
	r.wantAlive(offline.ID)
	r.wantAlive(elsewhere.ID)
}

func endElsewhereAll(r *rig) {
	ada, bob := r.addUser("ada"), r.addUser("bob")
	r.ok(r.Account.LinkIdentity(r.ctx(), identity(ada, "u-1")))
	r.ok(r.Account.LinkIdentity(r.ctx(), identity(bob, "u-2")))
	one, two, his := r.sessionAt(ada, "s-1"), r.sessionAt(ada, ""), r.sessionAt(bob, "")
	_, err := r.Account.EndElsewhere(r.ctx(), r.over("u-1", "", "a"), r.clock(), r.keep())
	r.ok(err)
	r.wantSession(one, false)
	r.wantSession(two, false)
	r.wantSession(his, true)
}

func endElsewhereOnce(r *rig) {
	u := r.addUser("ada")
	r.ok(r.Account.LinkIdentity(r.ctx(), identity(u, "u-1")))
	r.sessionAt(u, "s-1")
	won := r.fight(account.ErrExists, func(int) error {
		_, err := r.Account.EndElsewhere(r.ctx(), r.over("u-1", "s-1", "a"), r.clock(), r.keep())
		return err
	})
	if won != 1 {
		r.t.Errorf("it counted %d times", won)
	}
	later := r.sessionAt(u, "s-1")
	_, err := r.Account.EndElsewhere(r.ctx(), r.over("u-1", "s-1", "a"), r.clock(), r.keep())
	r.is("replayed", err, account.ErrExists)
	r.wantSession(later, true)
}
