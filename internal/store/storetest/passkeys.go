package storetest

import (
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

var passkeyTests = []test{
	{"AU09 a passkey comes back as stored, and only to its person", passkeyRoundTrip},
	{"AU09 a challenge is spent once, and only by what succeeds", passkeyChallenges},
	{"AU09 a signature counter goes up, whoever fights", passkeyCounter},
	{"nobody has more passkeys than most, whoever fights", passkeyMost},
	{"a removed passkey is gone, and what was proven no longer counts", passkeyRemove},
}

func passkeyOf(u account.User, id string) account.Credential {
	return account.Credential{
		ID: id, UserID: u.ID, Name: "Mine", PublicKey: []byte{0, 1, 255}, SignCount: 4294967295, Transports: []string{"internal", "usb"},
		AAGUID: "00", BackupEligible: true, CreatedAt: start,
	}
}

func (r *rig) addPasskey(c account.Credential) {
	r.t.Helper()
	r.ok(r.Account.AddPasskey(r.ctx(), c, challengeOf(c.ID), r.keep(), 20))
}

func (r *rig) removePasskey(u account.User, id string) error {
	_, err := r.Account.RemovePasskey(r.ctx(), id, account.Removal{UserID: u.ID, Now: start, Keep: r.keep()})
	return err
}

func challengeOf(name string) secret.Hash { return secret.New("challenge of " + name).Hash() }

func passkeyRoundTrip(r *rig) {
	ada, bob := r.addUser("ada"), r.addUser("bob")
	c := passkeyOf(ada, "one")
	r.addPasskey(c)
	got, err := r.Account.Passkey(r.ctx(), "one")
	r.ok(err)
	if d := cmp.Diff(c, got); d != "" {
		r.t.Error(d)
	}
	list, err := r.Account.Passkeys(r.ctx(), ada.ID)
	r.ok(err)
	none, err := r.Account.Passkeys(r.ctx(), bob.ID)
	r.ok(err)
	if f, err := r.Account.Factors(r.ctx(), ada.ID); len(list) != 1 || len(none) != 0 || err != nil || f.Passkeys != 1 {
		r.t.Errorf("%v, %v, %+v, %v", list, none, f, err)
	}
	stolen := passkeyOf(bob, "one")
	r.is("ID of somebody else", r.Account.AddPasskey(r.ctx(), stolen, challengeOf("x"), r.keep(), 20), account.ErrExists)
	r.is("use by somebody else", r.Account.UsePasskey(r.ctx(), stolen, challengeOf("y"), r.keep()), account.ErrNotFound)
	r.is("rename by somebody else", r.Account.RenamePasskey(r.ctx(), bob.ID, "one", "Bob's"), account.ErrNotFound)
	r.is("removal by somebody else", r.removePasskey(bob, "one"), account.ErrNotFound)
	r.ok(r.Account.RenamePasskey(r.ctx(), ada.ID, "one", "My laptop"))
	for _, id := range []string{"two", "one\x00", "\xff", ""} {
		_, err = r.Account.Passkey(r.ctx(), id)
		r.is("ID "+id, err, account.ErrNotFound)
		r.is("rename "+id, r.Account.RenamePasskey(r.ctx(), ada.ID, id, "x"), account.ErrNotFound)
		r.is("remove "+id, r.removePasskey(ada, id), account.ErrNotFound)
	}
	r.is("nobody", r.Account.AddPasskey(r.ctx(), passkeyOf(account.User{ID: "nobody"}, "three"), challengeOf("z"), r.keep(), 20), account.ErrNotFound)
	r.ok(r.Account.SetDisabled(r.ctx(), bob.ID, true, start, r.keep()))
	r.is("disabled", r.Account.AddPasskey(r.ctx(), passkeyOf(bob, "three"), challengeOf("z"), r.keep(), 20), account.ErrNotFound)
}

func passkeyChallenges(r *rig) {
	ada := r.addUser("ada")
	c := passkeyOf(ada, "one")
	c.SignCount = 1
	r.addPasskey(c)
	r.is("the challenge of the making again", r.Account.AddPasskey(r.ctx(), passkeyOf(ada, "two"), challengeOf("one"), r.keep(), 20), account.ErrExists)
	r.is("a refused use", r.Account.UsePasskey(r.ctx(), c, challengeOf("x"), r.keep()), account.ErrRegressed)
	c.SignCount, c.LastUsed, c.BackedUp = 2, start, true
	r.ok(r.Account.UsePasskey(r.ctx(), c, challengeOf("x"), r.keep()))
	c.SignCount = 3
	r.is("a replay", r.Account.UsePasskey(r.ctx(), c, challengeOf("x"), r.keep()), account.ErrExists)
	got, err := r.Account.Passkey(r.ctx(), "one")
	r.ok(err)
	if got.SignCount != 2 || !got.LastUsed.Equal(start) || !got.BackedUp {
		r.t.Errorf("%+v", got)
	}
	for range 5 {
		c.SignCount++
		challenge := secret.New(fmt.Sprint(c.SignCount)).Hash()
		won := r.fight(account.ErrExists, func(n int) error {
			mine := c
			mine.SignCount += uint32(n) //nolint:gosec // below 16
			err := r.Account.UsePasskey(r.ctx(), mine, challenge, r.keep())
			if errors.Is(err, account.ErrRegressed) { // a fighter that is late, before the challenge of the winner is seen
				err = account.ErrExists
			}
			return err
		})
		if won != 1 {
			r.t.Fatalf("a challenge counted %d times", won)
		}
		c.SignCount += fighters
	}
}

func passkeyCounter(r *rig) {
	ada := r.addUser("ada")
	c := passkeyOf(ada, "one")
	c.SignCount = 0
	r.addPasskey(c)
	r.ok(r.Account.UsePasskey(r.ctx(), c, challengeOf("zero"), r.keep())) // no counter there
	c.SignCount = 7
	won := r.fight(account.ErrRegressed, func(n int) error {
		return r.Account.UsePasskey(r.ctx(), c, challengeOf(fmt.Sprint(n)), r.keep())
	})
	if won != 1 {
		r.t.Fatalf("counter 7 was taken %d times", won)
	}
	c.SignCount = 0
	r.is("back to zero", r.Account.UsePasskey(r.ctx(), c, challengeOf("back"), r.keep()), account.ErrRegressed)
}

func passkeyMost(r *rig) {
	ada := r.addUser("ada")
	won := r.fight(account.ErrTooMany, func(n int) error {
		return r.Account.AddPasskey(r.ctx(), passkeyOf(ada, fmt.Sprint("key ", n)), challengeOf(fmt.Sprint(n)), r.keep(), 3)
	})
	if won != 3 {
		r.t.Errorf("%d passkeys of 3", won)
	}
}

func passkeyRemove(r *rig) {
	ada := r.addUser("ada")
	c := passkeyOf(ada, "one")
	r.addPasskey(c)
	if won := r.fight(account.ErrNotFound, func(int) error { return r.removePasskey(ada, "one") }); won != 1 {
		r.t.Errorf("removed %d times", won)
	}
	u, err := r.Account.UserByID(r.ctx(), ada.ID)
	r.ok(err)
	if u.Version != ada.Version+1 {
		r.t.Errorf("version %d after %d", u.Version, ada.Version)
	}
	r.is("use", r.Account.UsePasskey(r.ctx(), c, challengeOf("x"), r.keep()), account.ErrNotFound)
	r.addPasskey(passkeyOf(ada, "two"))
	_, err = r.Account.RemovePasskey(r.ctx(), "two", account.Removal{UserID: ada.ID, Needed: true, Now: start, Keep: r.keep()})
	r.is("the last one where one is needed", err, account.ErrLastFactor)
	if list, err := r.Account.Passkeys(r.ctx(), ada.ID); err != nil || len(list) != 1 {
		r.t.Errorf("after a removal that was refused: %v, %v", list, err)
	}
	r.ok(r.Account.DeleteUser(r.ctx(), ada.ID, start, r.keep()))
	_, err = r.Account.Passkey(r.ctx(), "two")
	r.is("of somebody who was deleted", err, account.ErrNotFound)
}
