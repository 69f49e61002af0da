package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/bff"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

var browserSessionTests = []test{
	{"BF07 a browser session is what was stored, until it ends", browserSessionLives},
	{"BF07 a new browser session ends the one that it replaces", browserSessionReplaced},
	{"a browser session goes when it has been idle for too long", browserSessionExpires},
	{"T035 the grant behind a browser session is found by its cookie alone", browserGrant},
	{"of two touches of a browser session the later counts", browserSessionTouched},
	{"BF12 a renewal is claimed, saved and given back", renewal},
	{"BF12 sixteen renew each of twenty browser sessions and one does", raceRenewal},
	{"BF12 sixteen save renewals whose claim has run out and one counts", raceSaveRenewal},
	{"BF10 sixteen end a browser session that others renew, and it is gone", raceEndBrowserSession},
}

func (r *rig) browserSession() bff.Session {
	r.t.Helper()
	now := r.clock()
	s := bff.Session{
		ID: secret.NewID(now), Hash: secret.NewHandle(secret.BrowserSession).Hash(), App: "shop", GrantID: secret.NewID(now),
		Tokens: "spss_sealed", Version: 1, CreatedAt: now, LastSeen: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(12 * time.Hour),
	}
	r.ok(r.Browser.AddBrowserSession(r.ctx(), s, secret.ID{}))
	return s
}

func (r *rig) wantBrowserSession(want bff.Session) {
	r.t.Helper()
	got, err := r.Browser.BrowserSession(r.ctx(), want.ID)
	r.ok(err)
	if d := cmp.Diff(want, got); d != "" {
		r.t.Error(d)
	}
}

func browserSessionLives(r *rig) {
	s, other := r.browserSession(), r.browserSession()
	r.wantBrowserSession(s)
	r.ok(r.Browser.EndBrowserSession(r.ctx(), s.ID))
	_, err := r.Browser.BrowserSession(r.ctx(), s.ID)
	r.is("ended session", err, bff.ErrNotFound)
	r.is("second end", r.Browser.EndBrowserSession(r.ctx(), s.ID), bff.ErrNotFound)
	r.is("touch after the end", r.Browser.TouchBrowserSession(r.ctx(), s.ID, r.clock(), r.keep()), bff.ErrNotFound)
	r.is("claim after the end", r.Browser.ClaimRenewal(r.ctx(), s.ID, 1, r.clock(), r.keep()), bff.ErrNotFound)
	r.is("renewal after the end", r.Browser.SaveRenewal(r.ctx(), s.ID, 1, "x", r.clock(), r.keep()), bff.ErrNotFound)
	r.wantBrowserSession(other)
}

func browserSessionReplaced(r *rig) {
	before, other := r.browserSession(), r.browserSession()
	s := before
	s.ID, s.Hash = secret.NewID(r.clock()), secret.NewHandle(secret.BrowserSession).Hash()
	r.ok(r.Browser.AddBrowserSession(r.ctx(), s, before.ID))
	_, err := r.Browser.BrowserSession(r.ctx(), before.ID)
	r.is("replaced session", err, bff.ErrNotFound)
	r.wantBrowserSession(s)
	r.wantBrowserSession(other)
}

func browserSessionExpires(r *rig) {
	s := r.browserSession()
	for _, step := range []struct {
		at   time.Time
		want int64
	}{{s.IdleUntil.Add(-time.Second), 0}, {s.IdleUntil, 1}} {
		n, err := r.Expire(r.ctx(), step.at)
		r.ok(err)
		if n != step.want {
			r.t.Errorf("at %v: deleted %d rows, want %d", step.at.Sub(start), n, step.want)
		}
	}
}

func browserSessionTouched(r *rig) {
	s := r.browserSession()
	late := r.clock().Add(20 * time.Minute)
	r.ok(r.Browser.TouchBrowserSession(r.ctx(), s.ID, late, late.Add(time.Hour)))
	r.ok(r.Browser.TouchBrowserSession(r.ctx(), s.ID, late.Add(-time.Minute), late.Add(59*time.Minute)))
	r.is("touch of an idle session", r.Browser.TouchBrowserSession(r.ctx(), s.ID, late.Add(time.Hour), late.Add(2*time.Hour)), bff.ErrNotFound)
	s.LastSeen, s.IdleUntil = late, late.Add(time.Hour)
	r.wantBrowserSession(s)
}

func renewal(r *rig) {
	s, now := r.browserSession(), r.clock()
	until := now.Add(15 * time.Second)
	r.ok(r.Browser.ClaimRenewal(r.ctx(), s.ID, 1, now, until))
	r.is("claim of what is claimed", r.Browser.ClaimRenewal(r.ctx(), s.ID, 1, until.Add(-time.Second), r.keep()), bff.ErrStale)
	r.ok(r.Browser.ReleaseRenewal(r.ctx(), s.ID, 1))
	r.ok(r.Browser.ClaimRenewal(r.ctx(), s.ID, 1, now, until))
	r.ok(r.Browser.ClaimRenewal(r.ctx(), s.ID, 1, until, until.Add(time.Minute))) // who had it is gone
	r.ok(r.Browser.SaveRenewal(r.ctx(), s.ID, 1, "spss_next", until, r.keep()))
	r.is("late save", r.Browser.SaveRenewal(r.ctx(), s.ID, 1, "spss_late", until, r.keep()), bff.ErrStale)
	r.is("late claim", r.Browser.ClaimRenewal(r.ctx(), s.ID, 1, r.keep(), r.keep()), bff.ErrStale)
	r.is("late release", r.Browser.ReleaseRenewal(r.ctx(), s.ID, 1), bff.ErrStale)
	s.Tokens, s.Version, s.LastSeen, s.IdleUntil = "spss_next", 2, until, r.keep()
	r.wantBrowserSession(s)
	r.ok(r.Browser.ClaimRenewal(r.ctx(), s.ID, 2, until, r.keep()))
}

func raceRenewal(r *rig) {
	for range 20 {
		s := r.browserSession()
		won := r.fight(bff.ErrStale, func(n int) error {
			if err := r.Browser.ClaimRenewal(r.ctx(), s.ID, 1, r.clock(), r.keep()); err != nil {
				return err
			}
			return r.Browser.SaveRenewal(r.ctx(), s.ID, 1, fmt.Sprint("spss_", n), r.clock(), r.keep())
		})
		got, err := r.Browser.BrowserSession(r.ctx(), s.ID)
		r.ok(err)
		if won != 1 || got.Version != 2 {
			r.t.Fatalf("%d renewed the same tokens, which are of version %d now", won, got.Version)
		}
	}
}

func raceSaveRenewal(r *rig) {
	for range 20 {
		s := r.browserSession()
		var mu sync.Mutex
		var winner string
		won := r.fight(bff.ErrStale, func(n int) error {
			tokens := fmt.Sprint("spss_", n)
			err := r.Browser.SaveRenewal(r.ctx(), s.ID, 1, tokens, r.clock(), r.keep())
			if err == nil {
				mu.Lock()
				winner = tokens
				mu.Unlock()
			}
			return err
		})
		got, err := r.Browser.BrowserSession(r.ctx(), s.ID)
		r.ok(err)
		if won != 1 || got.Tokens != winner {
			r.t.Fatalf("%d saved tokens after the same ones; %s are kept, %s won", won, got.Tokens, winner)
		}
	}
}

func raceEndBrowserSession(r *rig) {
	for range 10 {
		s := r.browserSession()
		r.fight(bff.ErrNotFound, func(n int) error {
			if n%2 == 0 {
				return r.Browser.EndBrowserSession(r.ctx(), s.ID)
			}
			return r.Browser.TouchBrowserSession(r.ctx(), s.ID, r.clock().Add(time.Minute), r.keep())
		})
		_, err := r.Browser.BrowserSession(r.ctx(), s.ID)
		r.is("session that was ended while it was used", err, bff.ErrNotFound)
	}
}

func browserGrant(r *rig) {
	s := r.browserSession()
	got, err := r.OAuth.BrowserGrant(r.ctx(), s.ID, s.Hash)
	r.ok(err)
	if got != s.GrantID {
		r.t.Errorf("grant %s, want %s", got, s.GrantID)
	}
	_, err = r.OAuth.BrowserGrant(r.ctx(), s.ID, secret.NewHandle(secret.BrowserSession).Hash())
	r.is("forged cookie", err, oauth.ErrNotFound)
}
