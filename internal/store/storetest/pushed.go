package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

var pushedTests = []test{
	{"PR03 a pushed request is found by its handle until it is taken", pushedLives},
	{"PR03 a pushed request goes when its time is over", pushedExpires},
	{"PR06 a pushed request goes with its client", pushedClient},
}

func (r *rig) pushed(clientID string) oauth.Pushed {
	r.t.Helper()
	now := r.clock()
	p := oauth.Pushed{
		ID: secret.NewID(now), Handle: secret.NewHandle(secret.PendingSignIn).Hash(), ClientID: clientID, Request: "spfl_sealed",
		ExpiresAt: now.Add(90 * time.Second), KeptUntil: now.Add(30 * time.Minute),
	}
	r.ok(r.OAuth.AddPushed(r.ctx(), p))
	return p
}

func pushedLives(r *rig) {
	p, other := r.pushed("app"), r.pushed("app")
	for range 2 { // looking uses nothing up
		got, err := r.OAuth.Pushed(r.ctx(), p.Handle)
		r.ok(err)
		if d := cmp.Diff(p, got); d != "" {
			r.t.Error(d)
		}
	}
	_, err := r.OAuth.Pushed(r.ctx(), secret.NewHandle(secret.PendingSignIn).Hash())
	r.is("unknown handle", err, oauth.ErrNotFound)
	r.ok(r.OAuth.TakePushed(r.ctx(), p.ID))
	r.is("second approval", r.OAuth.TakePushed(r.ctx(), p.ID), oauth.ErrStale)
	_, err = r.OAuth.Pushed(r.ctx(), p.Handle)
	r.is("used handle", err, oauth.ErrNotFound)
	_, err = r.OAuth.Pushed(r.ctx(), other.Handle)
	r.ok(err)
}

func pushedExpires(r *rig) {
	p := r.pushed("app")
	for _, step := range []struct {
		at   time.Time
		want int64
	}{{p.KeptUntil.Add(-time.Second), 0}, {p.KeptUntil, 1}} {
		n, err := r.Expire(r.ctx(), step.at)
		r.ok(err)
		if n != step.want {
			r.t.Errorf("at %v: deleted %d rows, want %d", step.at.Sub(start), n, step.want)
		}
	}
	r.is("approval too late", r.OAuth.TakePushed(r.ctx(), p.ID), oauth.ErrStale)
}

func pushedClient(r *rig) {
	c := r.client("gone")
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	p, other := r.pushed(c.ID), r.pushed("app")
	r.ok(r.OAuth.RemoveClient(r.ctx(), c.ID, r.clock(), r.keep()))
	_, err := r.OAuth.Pushed(r.ctx(), p.Handle)
	r.is("request of a client that is gone", err, oauth.ErrNotFound)
	_, err = r.OAuth.Pushed(r.ctx(), other.Handle)
	r.ok(err)
}

func raceTakePushed(r *rig) {
	const hundred = 100
	for range 3 {
		p := r.pushed("app")
		var won atomic.Int32
		var all sync.WaitGroup
		for range hundred {
			all.Go(func() {
				switch err := r.OAuth.TakePushed(r.ctx(), p.ID); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, oauth.ErrStale):
					r.t.Error(err)
				}
			})
		}
		all.Wait()
		if n := won.Load(); n != 1 {
			r.t.Fatalf("%d approved the same pushed request", n)
		}
	}
}
