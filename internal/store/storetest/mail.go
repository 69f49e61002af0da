package storetest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

var mailTests = []test{
	{"a code by mail comes back as stored, and a new one takes its place", mailRoundTrip},
	{"a code by mail has so many tries, however many come at once", mailTries},
	{"a code by mail is used once", mailOnce},
	{"an address gets so many letters in an hour", letterCounts},
	{"an address belongs to one of those who say that it is theirs", verifiedOnce},
	{"the addresses of a person and the one in front stay consistent", addressBook},
	{"an invitation is used once, and a name and an address are taken once", signUpOnce},
	{"a recovery uses up what allows it, once", recoverOnce},
	{"who waits for recovery waits once, and the link stops it", waitOnce},
	{"a recovery ends with another password, or an address that is taken away", recoveryEnds},
}

func mailCode(r *rig, userID string) account.MailCode {
	link := secret.NewHandle(secret.PendingSignIn)
	return account.MailCode{
		ID: secret.NewID(r.clock()), Purpose: account.MailSignIn, UserID: userID, Address: "a@example.com", Flow: "flow", Keep: true,
		Digest: []byte("digest"), Link: link.Hash(), Browser: "b", Tries: account.MailTries, CreatedAt: start, ExpiresAt: start.Add(time.Minute),
	}
}

func (r *rig) same(want, got any) {
	r.t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		r.t.Error(d)
	}
}

func mailRoundTrip(r *rig) {
	u := r.addUser("ada")
	c := mailCode(r, u.ID)
	r.ok(r.Account.StartMail(r.ctx(), c, account.Letter{}))
	got, err := r.Account.MailOfBrowser(r.ctx(), "b", account.MailSignIn, start)
	r.ok(err)
	r.same(c, got)
	got, err = r.Account.MailByLink(r.ctx(), c.Link, start)
	r.ok(err)
	r.same(c, got)
	_, err = r.Account.MailOfBrowser(r.ctx(), "b", account.MailSignUp, start)
	r.is("another purpose", err, account.ErrNotFound)
	_, err = r.Account.MailOfBrowser(r.ctx(), "other", account.MailSignIn, start)
	r.is("another browser", err, account.ErrNotFound)
	_, err = r.Account.MailByLink(r.ctx(), c.Link, start.Add(time.Minute))
	r.is("expired", err, account.ErrNotFound)
	next := mailCode(r, u.ID)
	r.ok(r.Account.StartMail(r.ctx(), next, account.Letter{}))
	_, err = r.Account.MailByLink(r.ctx(), c.Link, start)
	r.is("replaced", err, account.ErrNotFound)
}

func mailTries(r *rig) {
	c := mailCode(r, r.addUser("ada").ID)
	r.ok(r.Account.StartMail(r.ctx(), c, account.Letter{}))
	won := r.fight(account.ErrNotFound, func(int) error { return r.Account.TryMail(r.ctx(), c.ID, start) })
	if won != account.MailTries {
		r.t.Errorf("%d tries, want %d", won, account.MailTries)
	}
}

func mailOnce(r *rig) {
	c := mailCode(r, r.addUser("ada").ID)
	r.ok(r.Account.StartMail(r.ctx(), c, account.Letter{}))
	if won := r.fight(account.ErrNotFound, func(int) error { return r.Account.TakeMail(r.ctx(), c.ID) }); won != 1 {
		r.t.Errorf("%d have used it", won)
	}
}

func letterCounts(r *rig) {
	letter := account.Letter{Address: "a@example.com", Kind: "sign_up_code", Asked: true}
	for range account.AskedAnHour + 5 {
		c := mailCode(r, "")
		r.ok(r.Account.StartMail(r.ctx(), c, letter.Stamped(secret.NewID(r.clock()).String(), start)))
		got, err := r.Account.MailByLink(r.ctx(), c.Link, start)
		r.ok(err)
		letter.Params = map[string]string{"nobody": fmt.Sprint(got.Nobody)}
	}
	if letter.Params["nobody"] != "true" {
		r.t.Error("a code that was not sent counts")
	}
	list, err := r.Outbox.Claim(r.ctx(), start, start.Add(time.Hour), 100)
	r.ok(err)
	if len(list) != account.AskedAnHour {
		r.t.Errorf("%d letters, want %d", len(list), account.AskedAnHour)
	}
	news := account.Letter{Address: "a@example.com", Kind: "password_changed"}
	r.ok(r.Account.WriteLetter(r.ctx(), news.Stamped(secret.NewID(r.clock()).String(), start)))
	list, err = r.Outbox.Claim(r.ctx(), start, start.Add(time.Hour), 100)
	r.ok(err)
	if len(list) != 1 {
		r.t.Errorf("%d letters of news: what a stranger asks for silences them", len(list))
	}
}

func verifiedOnce(r *rig) {
	var ids []string
	for i := range fighters {
		u := r.addUser(fmt.Sprintf("person%d", i))
		r.ok(r.Account.AddAddress(r.ctx(), u.ID, "Shared@example.com", start))
		ids = append(ids, u.ID)
	}
	won := r.fight(account.ErrAddressTaken, func(i int) error { return r.Account.VerifyAddress(r.ctx(), ids[i], "shared@example.com", start) })
	if won != 1 {
		r.t.Errorf("the address is %d people's", won)
	}
	if _, err := r.Account.PersonByAddress(r.ctx(), "shared@example.com"); err != nil {
		r.t.Error(err)
	}
}

func addressBook(r *rig) {
	u := r.addUser("ada")
	list, err := r.Account.Addresses(r.ctx(), u.ID)
	r.ok(err)
	if len(list) != 1 || !list[0].Primary || list[0].Address != u.Email {
		r.t.Fatalf("%+v", list)
	}
	r.is("the one in front", r.Account.AddAddress(r.ctx(), u.ID, u.Email, start), account.ErrExists)
	r.ok(r.Account.AddAddress(r.ctx(), u.ID, "Two@example.com", start))
	r.is("twice", r.Account.AddAddress(r.ctx(), u.ID, "two@EXAMPLE.com", start), account.ErrExists)
	r.is("not verified", r.Account.SetPrimary(r.ctx(), u.ID, "two@example.com", start), account.ErrNotFound)
	_, err = r.Account.PersonByAddress(r.ctx(), "two@example.com")
	r.is("not verified", err, account.ErrNotFound)
	r.ok(r.Account.VerifyAddress(r.ctx(), u.ID, "two@example.com", start))
	r.ok(r.Account.SetPrimary(r.ctx(), u.ID, "two@example.com", start))
	got, err := r.Account.PersonByAddress(r.ctx(), "two@example.com")
	r.ok(err)
	if got.ID != u.ID || got.Email != "Two@example.com" || !got.EmailVerified {
		r.t.Errorf("%+v", got)
	}
	r.is("the one in front stays", r.Account.RemoveAddress(r.ctx(), u.ID, "two@example.com"), account.ErrNotFound)
	r.ok(r.Account.RemoveAddress(r.ctx(), u.ID, u.Email))
	other := r.addUser("bob")
	r.ok(r.Account.AddAddress(r.ctx(), other.ID, u.Email, start))
	r.ok(r.Account.VerifyAddress(r.ctx(), other.ID, u.Email, start)) // it is free again
	for i := range account.MostAddresses - 2 {
		r.ok(r.Account.AddAddress(r.ctx(), other.ID, fmt.Sprintf("n%d@example.com", i), start))
	}
	r.is("too many", r.Account.AddAddress(r.ctx(), other.ID, "more@example.com", start), account.ErrTooMany)
	r.ok(r.Account.DeleteUser(r.ctx(), other.ID, start, start.Add(time.Hour)))
}

func signUpOnce(r *rig) {
	i := account.Invitation{ID: secret.NewID(r.clock()), Hash: secret.New("x").Hash(), Address: "a@example.com", CreatedAt: start, ExpiresAt: start.Add(time.Hour)}
	r.ok(r.Account.AddInvitation(r.ctx(), i))
	got, err := r.Account.InvitationByHash(r.ctx(), i.Hash, start)
	r.ok(err)
	r.same(i, got)
	won := r.fight(account.ErrNotFound, func(n int) error {
		return r.Account.SignUp(r.ctx(), account.User{
			ID: fmt.Sprintf("u%d", n), Username: fmt.Sprintf("n%d", n), Email: fmt.Sprintf("n%d@example.com", n), EmailVerified: true, CreatedAt: start,
		}, i.ID)
	})
	if won != 1 {
		r.t.Errorf("one invitation let %d in", won)
	}
	won = r.fight(account.ErrAddressTaken, func(n int) error {
		return r.Account.SignUp(r.ctx(), account.User{
			ID: fmt.Sprintf("v%d", n), Username: fmt.Sprintf("m%d", n), Email: "same@example.com", EmailVerified: true, CreatedAt: start,
		}, secret.ID{})
	})
	if won != 1 {
		r.t.Errorf("one address let %d in", won)
	}
	if _, err := r.Account.PersonByAddress(r.ctx(), "same@example.com"); err != nil {
		r.t.Error(err)
	}
	r.addUser("taken")
	again := account.User{ID: "w", Username: "TAKEN", Email: "w@example.com", EmailVerified: true, CreatedAt: start}
	r.is("name", r.Account.SignUp(r.ctx(), again, secret.ID{}), account.ErrExists)
}

func recoverOnce(r *rig) {
	u := r.addUser("ada")
	c := mailCode(r, u.ID)
	r.ok(r.Account.StartMail(r.ctx(), c, account.Letter{}))
	won := r.fight(account.ErrNotFound, func(i int) error {
		return r.Account.Recover(r.ctx(), account.Recovered{UserID: u.ID, Version: u.Version, Hash: fmt.Sprint(i), Reset: c.ID}, start, start.Add(time.Hour))
	})
	if won != 1 {
		r.t.Errorf("one approval was used %d times", won)
	}
	u, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	r.is("without having waited", r.Account.Recover(r.ctx(), account.Recovered{UserID: u.ID, Version: u.Version, Waited: true}, start, start), account.ErrNotFound)
	after, err := r.Account.UserByID(r.ctx(), u.ID)
	r.ok(err)
	r.same(u, after)
}

func waitOnce(r *rig) {
	u := r.addUser("ada")
	won := map[secret.Hash]bool{}
	for i := range 3 {
		w := account.Waiting{UserID: u.ID, Stop: secret.New(fmt.Sprint(i)).Hash(), CreatedAt: start, RipeAt: start.Add(time.Hour), ExpiresAt: start.Add(2 * time.Hour)}
		got, err := r.Account.Wait(r.ctx(), w)
		r.ok(err)
		won[got.Stop] = true
	}
	if len(won) != 1 {
		r.t.Error("a later wish has put the time off, or taken the link away")
	}
	ripe := start.Add(time.Hour)
	early := account.Recovered{UserID: u.ID, Version: u.Version, Hash: "new", Waited: true}
	r.is("too early", r.Account.Recover(r.ctx(), early, start.Add(time.Hour-time.Second), ripe), account.ErrNotFound)
	id, err := r.Account.StopWaiting(r.ctx(), secret.New("0").Hash())
	r.ok(err)
	if id != u.ID {
		r.t.Errorf("stopped for %q", id)
	}
	_, err = r.Account.StopWaiting(r.ctx(), secret.New("0").Hash())
	r.is("twice", err, account.ErrNotFound)
	r.is("stopped", r.Account.Recover(r.ctx(), early, ripe, ripe), account.ErrNotFound)
}

func recoveryEnds(r *rig) {
	u := r.addUser("ada")
	wait := func() {
		r.t.Helper()
		_, err := r.Account.Wait(r.ctx(), account.Waiting{UserID: u.ID, Stop: secret.New("s").Hash(), CreatedAt: start, RipeAt: start, ExpiresAt: start.Add(time.Hour)})
		r.ok(err)
	}
	over := func(what string) {
		r.t.Helper()
		_, err := r.Account.Waiting(r.ctx(), u.ID, start)
		r.is(what, err, account.ErrNotFound)
	}
	version := func() int64 {
		r.t.Helper()
		now, err := r.Account.UserByID(r.ctx(), u.ID)
		r.ok(err)
		return now.Version
	}
	wait()
	r.ok(r.Account.SetPassword(r.ctx(), u.ID, "other", start, start.Add(time.Hour)))
	over("after another password")
	wait()
	r.ok(r.Account.AddAddress(r.ctx(), u.ID, "two@example.com", start))
	before := version()
	r.ok(r.Account.RemoveAddress(r.ctx(), u.ID, "two@example.com"))
	if _, err := r.Account.Waiting(r.ctx(), u.ID, start); err != nil || version() != before {
		r.t.Errorf("an address that proves nothing has ended something: %v", err)
	}
	r.ok(r.Account.AddAddress(r.ctx(), u.ID, "two@example.com", start))
	r.ok(r.Account.VerifyAddress(r.ctx(), u.ID, "two@example.com", start))
	r.ok(r.Account.RemoveAddress(r.ctx(), u.ID, "two@example.com"))
	over("without the address")
	if version() == before {
		r.t.Error("what was proven by an address counts without it")
	}
}
