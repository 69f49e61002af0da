package storetest

import (
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

var expiryTests = []test{
	{"what has ended goes and what lives stays", expire},
	{"more than one chunk is deleted", expireMany},
}

func expire(r *rig) {
	u, s, g := r.signedIn("ada")
	later := r.session(u)
	later.AbsoluteUntil = later.AbsoluteUntil.Add(30 * 24 * time.Hour)
	r.ok(r.Account.AddSession(r.ctx(), later, s.ID)) // a grant without its session
	s = r.addSession(u)
	kept := r.grant(later)
	kept.AbsoluteUntil = kept.AbsoluteUntil.Add(time.Second)
	r.ok(r.OAuth.RedeemCode(r.ctx(), kept))
	for _, step := range []struct {
		at   time.Time
		want int64
	}{
		{s.AbsoluteUntil.Add(-time.Second), 0},
		{s.AbsoluteUntil, 1},
		{g.AbsoluteUntil, 0}, // a late replay must still meet it
		{g.AbsoluteUntil.Add(time.Hour), 1},
	} {
		n, err := r.Expire(r.ctx(), step.at)
		r.ok(err)
		if n != step.want {
			r.t.Errorf("at %v: deleted %d rows, want %d", step.at.Sub(start), n, step.want)
		}
	}
	_, err := r.Account.Session(r.ctx(), s.ID)
	r.is("ended session", err, account.ErrNotFound)
	_, err = r.Account.Session(r.ctx(), later.ID)
	r.ok(err)
	_, err = r.OAuth.Grant(r.ctx(), g.ID)
	r.is("ended grant", err, oauth.ErrNotFound)
	r.wantAlive(kept.ID)
}

func expireMany(r *rig) {
	const each = 35 // times the goroutines: more than one chunk of the store
	r.fight(nil, func(int) error {
		for range each {
			if err := r.OAuth.RevokeSerial(r.ctx(), secret.NewID(start), "x", start, r.keep()); err != nil {
				return err
			}
		}
		return nil
	})
	deleted, err := r.Expire(r.ctx(), r.keep().Add(6*time.Hour))
	r.ok(err)
	// Each has a mark too, and the first and the newest mark are one more and one less.
	if deleted != 2*each*fighters {
		r.t.Errorf("deleted %d of %d", deleted, 2*each*fighters)
	}
}
