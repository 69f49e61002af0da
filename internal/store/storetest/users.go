package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

var userTests = []test{
	{"a person comes back as stored, by name and by ID", userRoundTrip},
	{"an ID or a folded name is taken once", userExists},
	{"RV08 a new password ends sessions, grants and tokens", setPassword},
	{"an upgraded hash ends nothing and needs the old one", upgradePassword},
	{"RV08 disabling ends sessions, grants and tokens once", setDisabled},
	{"deleting a person leaves nothing but the entry", deleteUser},
	{"changing an unknown person is not found", unknownUser},
	{"people are listed by filters and in pages", listUsers},
	{"AU03 an import leaves or changes who is there, and adds each person once", importUsers},
}

func userRoundTrip(r *rig) {
	u := r.addUser("Ada")
	bob := r.addUser("bob")
	byName, err := r.Account.UserByName(r.ctx(), "ada")
	r.ok(err)
	byID, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	for _, got := range []account.User{byName, byID} {
		if d := cmp.Diff(u, got); d != "" {
			r.t.Error(d)
		}
	}
	seen, err := r.OAuth.User(r.ctx(), u.ID)
	r.ok(err)
	if d := cmp.Diff(oauth.User{ID: u.ID, Username: "Ada", Name: u.Name, Email: u.Email, EmailVerified: true}, seen); d != "" {
		r.t.Error(d)
	}
	all, err := r.Account.Users(r.ctx())
	r.ok(err)
	if d := cmp.Diff([]account.User{u, bob}, all); d != "" {
		r.t.Error(d)
	}
	for _, name := range []string{"Ada", "nobody", "ada\x00", "\xff", ""} {
		_, err = r.Account.UserByName(r.ctx(), name)
		r.is("name "+name, err, account.ErrNotFound)
	}
	_, err = r.Account.UserByID(r.ctx(), "nobody")
	r.is("ID", err, account.ErrNotFound)
	_, err = r.OAuth.User(r.ctx(), "nobody")
	r.is("ID for oauth", err, oauth.ErrNotFound)
}

func userExists(r *rig) {
	u := r.addUser("ada")
	same := account.User{ID: u.ID, Username: "other"}
	r.is("ID", r.Account.AddUser(r.ctx(), same), account.ErrExists)
	r.is("name", r.Account.AddUser(r.ctx(), account.User{ID: "x", Username: "ADA"}), account.ErrExists)
	got, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	if d := cmp.Diff(u, got); d != "" {
		r.t.Error(d)
	}
}

// wantEnded checks that everything of a person has ended with one entry, and nothing
// of anyone else.
func (r *rig) wantEnded(s account.Session, g oauth.Grant, reason string) {
	r.t.Helper()
	_, err := r.Account.Session(r.ctx(), s.ID)
	r.is("the session", err, account.ErrNotFound)
	r.wantRevoked(g.ID, reason)
	r.wantFeed(revocation.Entry{Kind: revocation.Grant, ID: g.ID.String(), Reason: reason, ExpiresAt: r.keep()})
}

func setPassword(r *rig) {
	u, s, g := r.signedIn("ada")
	_, otherSession, otherGrant := r.signedIn("bob")
	r.advance(time.Minute)
	r.ok(r.Account.SetPassword(r.ctx(), u.ID, "$new", r.clock(), r.keep()))
	r.wantEnded(s, g, revocation.ReasonPassword)
	r.wantAlive(otherGrant.ID)
	_, err := r.Account.Session(r.ctx(), otherSession.ID)
	r.ok(err)
	got, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	if got.PasswordHash != "$new" {
		r.t.Errorf("hash is %q", got.PasswordHash)
	}
}

func upgradePassword(r *rig) {
	u, s, g := r.signedIn("ada")
	r.is("wrong old hash", r.Account.UpgradePassword(r.ctx(), u.ID, "$other", "$new"), account.ErrNotFound)
	r.ok(r.Account.UpgradePassword(r.ctx(), u.ID, u.PasswordHash, "$new"))
	r.is("old hash again", r.Account.UpgradePassword(r.ctx(), u.ID, u.PasswordHash, "$newer"), account.ErrNotFound)
	_, err := r.Account.Session(r.ctx(), s.ID)
	r.ok(err)
	r.wantAlive(g.ID)
	r.wantFeed()
}

func setDisabled(r *rig) {
	u, s, g := r.signedIn("ada")
	for range 2 {
		r.ok(r.Account.SetDisabled(r.ctx(), u.ID, true, r.clock(), r.keep()))
	}
	r.wantEnded(s, g, revocation.ReasonDisabled)
	got, err := r.OAuth.User(r.ctx(), u.ID)
	r.ok(err)
	if !got.Disabled {
		r.t.Error("not disabled")
	}
	r.ok(r.Account.SetDisabled(r.ctx(), u.ID, false, r.clock(), r.keep()))
	r.wantEnded(s, g, revocation.ReasonDisabled) // enabling brings nothing back
	r.is("what was proven before", r.Account.AddSession(r.ctx(), r.session(u), secret.ID{}), account.ErrNotFound)
	u, err = r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	r.addSession(u)
}

func deleteUser(r *rig) {
	u, s, g := r.signedIn("ada")
	_, _, other := r.signedIn("bob")
	r.ok(r.OAuth.SaveConsent(r.ctx(), oauth.Consent{UserID: u.ID, ClientID: "app", Scope: "openid", GrantedAt: r.clock()}))
	r.ok(r.Account.DeleteUser(r.ctx(), u.ID, r.clock(), r.keep()))
	_, err := r.Account.UserByID(r.ctx(), u.ID)
	r.is("person", err, account.ErrNotFound)
	_, err = r.Account.Session(r.ctx(), s.ID)
	r.is("session", err, account.ErrNotFound)
	_, err = r.OAuth.Grant(r.ctx(), g.ID)
	r.is("grant", err, oauth.ErrNotFound)
	_, err = r.OAuth.Consent(r.ctx(), u.ID, "app")
	r.is("consent", err, oauth.ErrNotFound)
	r.wantAlive(other.ID)
	r.wantFeed(revocation.Entry{Kind: revocation.Grant, ID: g.ID.String(), Reason: revocation.ReasonAdmin, ExpiresAt: r.keep()})
}

func unknownUser(r *rig) {
	r.is("password", r.Account.SetPassword(r.ctx(), "nobody", "$new", r.clock(), r.keep()), account.ErrNotFound)
	r.is("upgrade", r.Account.UpgradePassword(r.ctx(), "nobody", "", "$new"), account.ErrNotFound)
	r.is("disable", r.Account.SetDisabled(r.ctx(), "nobody", true, r.clock(), r.keep()), account.ErrNotFound)
	r.is("enable", r.Account.SetDisabled(r.ctx(), "nobody", false, r.clock(), r.keep()), account.ErrNotFound)
	r.is("delete", r.Account.DeleteUser(r.ctx(), "nobody", r.clock(), r.keep()), account.ErrNotFound)
	r.wantFeed()
}

// listUsers: filters and pages, and % and _ are letters like others.
func listUsers(r *rig) {
	names := func(f account.UserFilter) (out []string) {
		r.t.Helper()
		list, err := r.Account.ListUsers(r.ctx(), f)
		r.ok(err)
		for _, u := range list {
			out = append(out, u.Username)
		}
		return out
	}
	for _, name := range []string{"Dora", "ada", "a_b", "carl"} {
		r.addUser(name)
	}
	carl, err := r.Account.UserByName(r.ctx(), "carl")
	r.ok(err)
	r.ok(r.Account.SetDisabled(r.ctx(), carl.ID, true, r.clock(), r.keep()))
	yes, no := true, false
	for _, c := range []struct {
		filter account.UserFilter
		want   []string
	}{
		{account.UserFilter{Text: "a. carl"}, []string{"carl"}},
		{account.UserFilter{Text: "dora@"}, []string{"Dora"}},
		{account.UserFilter{Text: "a_b"}, []string{"a_b"}},
		{account.UserFilter{Text: "a%a"}, nil},
		{account.UserFilter{Text: "\x00"}, nil},
		{account.UserFilter{Disabled: &yes}, []string{"carl"}},
		{account.UserFilter{Disabled: &no, After: "carl"}, []string{"Dora"}},
		{account.UserFilter{Text: "example.com", Disabled: &no, After: "carl", Limit: 5}, []string{"Dora"}},
	} {
		if d := cmp.Diff(c.want, names(c.filter)); d != "" {
			r.t.Errorf("%+v: %s", c.filter, d)
		}
	}
	var all []string
	for after := ""; ; {
		page := names(account.UserFilter{After: after, Limit: 3})
		all = append(all, page...)
		if len(page) < 3 {
			break
		}
		after = page[2]
	}
	if d := cmp.Diff(names(account.UserFilter{}), all); d != "" || len(all) != 4 {
		r.t.Errorf("pages: %s", d)
	}
}

// importUsers: what is there stays, or is changed with what it had ending.
func importUsers(r *rig) {
	ada := r.addUser("ada")
	s := r.addSession(ada)
	list := []account.User{
		{ID: "new-1", Username: "Bob", Name: "B", CreatedAt: r.clock()},
		{ID: "new-2", Username: "ADA", Name: "Changed", Email: "new@example.com", CreatedAt: r.clock()},
		{ID: ada.ID, Username: "eve", CreatedAt: r.clock()},
	}
	do := func(update bool, want ...account.ImportResult) {
		r.t.Helper()
		got, err := r.Account.ImportUsers(r.ctx(), list, update, r.clock(), r.keep())
		r.ok(err)
		if d := cmp.Diff(want, got); d != "" {
			r.t.Error(d)
		}
	}
	do(false, account.Imported, account.Unchanged, account.IDTaken)
	do(true, account.Updated, account.Updated, account.IDTaken)
	got, err := r.Account.UserByName(r.ctx(), "ada")
	r.ok(err)
	if got.ID != ada.ID || got.Name != "Changed" || got.PasswordHash != ada.PasswordHash || got.Email != "new@example.com" || got.Version == ada.Version {
		r.t.Errorf("changed to %+v", got)
	}
	_, err = r.Account.Session(r.ctx(), s.ID)
	r.ok(err) // nothing of how ada signs in has changed
	use, err := r.Account.UserUse(r.ctx(), ada.ID)
	r.ok(err)
	if use.Sessions != 1 || !use.LastSeen.Equal(s.LastSeen) {
		r.t.Errorf("use %+v", use)
	}
	list[1].PasswordHash = "$another"
	do(true, account.Updated, account.Updated, account.IDTaken)
	_, err = r.Account.Session(r.ctx(), s.ID)
	r.is("session after another password", err, account.ErrNotFound)

	// Sixteen imports of one list: each person once.
	for i := range list {
		list[i].Username = "fighter-" + string(rune('a'+i))
		list[i].ID = "fighter-" + string(rune('a'+i))
	}
	won := r.fight(account.ErrExists, func(int) error {
		results, err := r.Account.ImportUsers(r.ctx(), list, false, r.clock(), r.keep())
		if err == nil && results[0] != account.Imported {
			err = account.ErrExists
		}
		return err
	})
	if won != 1 {
		r.t.Errorf("%d imports have added a person, want 1", won)
	}
}
