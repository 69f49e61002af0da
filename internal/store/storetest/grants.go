package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var grantTests = []test{
	{"a grant comes back as it was stored", grantRoundTrip},
	{"a code redeemed twice exists already and changes nothing", redeemTwice},
	{"a code is stale when what it stands on has ended", redeemStale},
	{"a replay stays a replay after the session has ended", replayAfterEnd},
	{"a rotation needs the generation it starts from and a living grant", rotate},
	{"PP17 a grant comes back bound to its key, and is bound once", bind},
	{"C8 a refresh token that stays needs its generation and a living grant", keepRefresh},
	{"RV21 ending a grant twice adds one entry", revokeTwice},
	{"ending one token twice adds one entry", revokeSerial},
	{"a session takes its own living grants along", endSession},
	{"what may be used once is used once, and is forgotten after its time", spendOnce},
	{"consent is one record for a person and a client", consent},
	{"a caller whose context has ended changes nothing", contextEnded},
}

func spendOnce(r *rig) {
	name, other := secret.New("a").Hash(), secret.New("b").Hash()
	r.ok(r.OAuth.Spend(r.ctx(), name, r.clock().Add(time.Minute)))
	r.is("used again", r.OAuth.Spend(r.ctx(), name, r.clock().Add(time.Minute)), oauth.ErrExists)
	r.ok(r.OAuth.Spend(r.ctx(), other, r.clock().Add(24*time.Hour)))
	r.advance(3 * time.Hour)
	_, err := r.Expire(r.ctx(), r.clock())
	r.ok(err)
	r.ok(r.OAuth.Spend(r.ctx(), name, r.clock().Add(time.Minute)))
	r.is("not forgotten before its time", r.OAuth.Spend(r.ctx(), other, r.clock()), oauth.ErrExists)
}

func grantRoundTrip(r *rig) {
	_, s, g := r.signedIn("ada")
	if d := cmp.Diff(g, r.stored(g.ID)); d != "" {
		r.t.Error(d)
	}
	g2 := r.grant(s)
	g2.Refreshable, g2.Nonce, g2.Scope, g2.Generation = false, "", "", 1<<32-1
	g2.Terms = oauth.Terms{}
	r.ok(r.OAuth.RedeemCode(r.ctx(), g2))
	if d := cmp.Diff(g2, r.stored(g2.ID)); d != "" {
		r.t.Error(d)
	}
	_, err := r.OAuth.Grant(r.ctx(), secret.NewID(start))
	r.is("unknown grant", err, oauth.ErrNotFound)
	r.wantFeed()
}

func redeemTwice(r *rig) {
	_, _, g := r.signedIn("ada")
	again := g
	again.Scope, again.Generation = "more", 9
	r.is("second redemption", r.OAuth.RedeemCode(r.ctx(), again), oauth.ErrExists)
	if d := cmp.Diff(g, r.stored(g.ID)); d != "" {
		r.t.Error(d)
	}
}

func redeemStale(r *rig) {
	for name, end := range map[string]func(g *oauth.Grant){
		"disabled person": func(g *oauth.Grant) { r.ok(r.Account.SetDisabled(r.ctx(), g.UserID, true, r.clock(), r.keep())) },
		"deleted person":  func(g *oauth.Grant) { r.ok(r.Account.DeleteUser(r.ctx(), g.UserID, r.clock(), r.keep())) },
		"new password":    func(g *oauth.Grant) { r.ok(r.Account.SetPassword(r.ctx(), g.UserID, "x", r.clock(), r.keep())) },
		"ended session": func(g *oauth.Grant) {
			r.endSession(r.ctx(), g.SID, revocation.ReasonLogout, r.clock(), r.keep())
		},
		"session past its idle end":     func(g *oauth.Grant) { g.CreatedAt = g.CreatedAt.Add(time.Hour) },
		"session past its absolute end": func(g *oauth.Grant) { g.CreatedAt = g.CreatedAt.Add(12 * time.Hour) },
		"no session":                    func(g *oauth.Grant) { g.SID = secret.ID{} },
		"session of another person":     func(g *oauth.Grant) { g.UserID = r.addUser("eve").ID },
		"disabled client":               func(g *oauth.Grant) { r.ok(r.OAuth.SetClientDisabled(r.ctx(), g.ClientID, true, r.clock(), r.keep())) },
		"removed client":                func(g *oauth.Grant) { r.ok(r.OAuth.RemoveClient(r.ctx(), g.ClientID, r.clock(), r.keep())) },
		"removed and added client": func(g *oauth.Grant) {
			r.ok(r.OAuth.RemoveClient(r.ctx(), g.ClientID, r.clock(), r.keep()))
			r.ok(r.OAuth.AddClient(r.ctx(), oauth.Client{ID: g.ClientID, Type: oauth.Native}))
		},
		"client disabled and enabled since": func(g *oauth.Grant) {
			r.ok(r.OAuth.SetClientDisabled(r.ctx(), g.ClientID, true, r.clock(), r.keep()))
			r.ok(r.OAuth.SetClientDisabled(r.ctx(), g.ClientID, false, r.clock(), r.keep()))
		},
	} {
		client := secret.NewID(start).String()
		r.ok(r.OAuth.AddClient(r.ctx(), oauth.Client{ID: client, Type: oauth.Native, CreatedAt: r.clock()}))
		g := r.grantOf(r.addSession(r.addUser("u"+client)), client)
		control := g
		control.ID = secret.NewID(r.clock())
		if err := r.OAuth.RedeemCode(r.ctx(), control); err != nil {
			r.t.Errorf("%s: before it happened: %v", name, err)
		}
		end(&g)
		r.is(name, r.OAuth.RedeemCode(r.ctx(), g), oauth.ErrStale)
		_, err := r.OAuth.Grant(r.ctx(), g.ID)
		r.is(name+": the grant", err, oauth.ErrNotFound)
	}
	// A code of later is no longer the old client's, be it in the same second.
	client := oauth.Client{ID: "back", Type: oauth.Native}
	r.ok(r.OAuth.AddClient(r.ctx(), client))
	r.ok(r.OAuth.RemoveClient(r.ctx(), client.ID, r.clock(), r.keep()))
	r.ok(r.OAuth.AddClient(r.ctx(), client))
	g := r.grantOf(r.addSession(r.addUser("late")), client.ID)
	r.ok(r.OAuth.RedeemCode(r.ctx(), g))
}

func replayAfterEnd(r *rig) {
	_, s, g := r.signedIn("ada")
	r.endSession(r.ctx(), s.ID, revocation.ReasonLogout, r.clock(), r.keep())
	r.is("replay", r.OAuth.RedeemCode(r.ctx(), g), oauth.ErrExists)
}

func rotate(r *rig) {
	_, s, g := r.signedIn("ada")
	r.advance(time.Minute)
	idle := r.clock().Add(24 * time.Hour)
	for _, from := range []uint32{0, 2, 1<<32 - 1} {
		r.is("another generation", r.OAuth.RotateRefresh(r.ctx(), g.ID, from, r.clock(), idle), oauth.ErrStale)
	}
	r.is("unknown grant", r.OAuth.RotateRefresh(r.ctx(), secret.NewID(start), 1, r.clock(), idle), oauth.ErrStale)
	r.ok(r.OAuth.RotateRefresh(r.ctx(), g.ID, 1, r.clock(), idle))
	g.Generation, g.RotatedAt, g.IdleUntil = 2, r.clock(), idle
	if d := cmp.Diff(g, r.stored(g.ID)); d != "" {
		r.t.Error(d)
	}
	r.is("spent generation", r.OAuth.RotateRefresh(r.ctx(), g.ID, 1, r.clock(), idle), oauth.ErrStale)
	r.is("at its idle end", r.OAuth.RotateRefresh(r.ctx(), g.ID, 2, idle, idle.Add(time.Hour)), oauth.ErrStale)
	r.ok(r.OAuth.RotateRefresh(r.ctx(), g.ID, 2, r.clock(), g.AbsoluteUntil.Add(time.Hour)))
	r.is("at its absolute end", r.OAuth.RotateRefresh(r.ctx(), g.ID, 3, g.AbsoluteUntil, g.AbsoluteUntil.Add(time.Hour)), oauth.ErrStale)

	dead := r.addGrant(s)
	r.ok(r.OAuth.RevokeGrant(r.ctx(), dead.ID, revocation.ReasonReused, r.clock(), r.keep()))
	r.is("revoked", r.OAuth.RotateRefresh(r.ctx(), dead.ID, 1, r.clock(), idle), oauth.ErrStale)
	if got := r.stored(dead.ID).Generation; got != 1 {
		r.t.Errorf("a revoked grant moved to generation %d", got)
	}
}

func bind(r *rig) {
	_, s, g := r.signedIn("ada")
	for i, c := range []token.Confirmation{{Method: token.ConfirmJKT, Digest: [32]byte{1}}, {Method: token.ConfirmX5T, Digest: [32]byte{31: 255}}} {
		bound := r.grant(s)
		bound.Confirm, bound.ConfirmedFrom = c, uint32(i+1)
		r.ok(r.OAuth.RedeemCode(r.ctx(), bound))
		if d := cmp.Diff(bound, r.stored(bound.ID)); d != "" {
			r.t.Error(d)
		}
		r.is("bound by its code", r.OAuth.BindRefresh(r.ctx(), bound.ID, 1, c, r.clock(), r.keep()), oauth.ErrStale)
	}
	key := token.Confirmation{Method: token.ConfirmJKT, Digest: [32]byte{7}}
	other := token.Confirmation{Method: token.ConfirmJKT, Digest: [32]byte{8}}
	idle := r.clock().Add(24 * time.Hour)
	if err := r.OAuth.BindRefresh(r.ctx(), g.ID, 1, token.Confirmation{}, r.clock(), idle); err == nil || errors.Is(err, oauth.ErrStale) {
		r.t.Errorf("bound to no key: %v", err)
	}
	r.is("another generation", r.OAuth.BindRefresh(r.ctx(), g.ID, 2, key, r.clock(), idle), oauth.ErrStale)
	r.is("at its idle end", r.OAuth.BindRefresh(r.ctx(), g.ID, 1, key, g.IdleUntil, idle), oauth.ErrStale)
	r.ok(r.OAuth.BindRefresh(r.ctx(), g.ID, 1, key, r.clock(), idle))
	g.Generation, g.RotatedAt, g.IdleUntil, g.Confirm, g.ConfirmedFrom = 2, r.clock(), idle, key, 2
	r.is("bound already", r.OAuth.BindRefresh(r.ctx(), g.ID, 2, other, r.clock(), idle), oauth.ErrStale)
	if d := cmp.Diff(g, r.stored(g.ID)); d != "" {
		r.t.Error(d)
	}
	r.ok(r.OAuth.RotateRefresh(r.ctx(), g.ID, 2, r.clock(), idle))
	if got := r.stored(g.ID); got.Confirm != key || got.ConfirmedFrom != 2 {
		r.t.Errorf("a rotation changed the key: %+v", got)
	}
	r.ok(r.OAuth.RevokeGrant(r.ctx(), g.ID, revocation.ReasonReused, r.clock(), r.keep()))
	r.is("revoked", r.OAuth.BindRefresh(r.ctx(), g.ID, 3, other, r.clock(), idle), oauth.ErrStale)
}

func keepRefresh(r *rig) {
	_, _, g := r.signedIn("ada")
	r.advance(time.Minute)
	idle := r.clock().Add(24 * time.Hour)
	for _, at := range []uint32{0, 2} {
		r.is("another generation", r.OAuth.KeepRefresh(r.ctx(), g.ID, at, r.clock(), idle), oauth.ErrStale)
	}
	r.ok(r.OAuth.KeepRefresh(r.ctx(), g.ID, 1, r.clock(), idle))
	g.IdleUntil = idle
	if d := cmp.Diff(g, r.stored(g.ID)); d != "" {
		r.t.Error(d)
	}
	r.is("at its idle end", r.OAuth.KeepRefresh(r.ctx(), g.ID, 1, idle, idle.Add(time.Hour)), oauth.ErrStale)
	r.ok(r.OAuth.KeepRefresh(r.ctx(), g.ID, 1, r.clock(), g.AbsoluteUntil.Add(time.Hour)))
	r.is("at its absolute end", r.OAuth.KeepRefresh(r.ctx(), g.ID, 1, g.AbsoluteUntil, g.AbsoluteUntil.Add(time.Hour)), oauth.ErrStale)
	r.ok(r.OAuth.RevokeGrant(r.ctx(), g.ID, revocation.ReasonReused, r.clock(), r.keep()))
	r.is("revoked", r.OAuth.KeepRefresh(r.ctx(), g.ID, 1, r.clock(), idle), oauth.ErrStale)
}

func revokeTwice(r *rig) {
	_, s, g := r.signedIn("ada")
	other := r.addGrant(s)
	at := r.clock()
	r.ok(r.OAuth.RevokeGrant(r.ctx(), g.ID, revocation.ReasonReused, at, r.keep()))
	want := revocation.Entry{Kind: revocation.Grant, ID: g.ID.String(), Reason: revocation.ReasonReused, ExpiresAt: r.keep()}
	r.advance(time.Minute)
	r.ok(r.OAuth.RevokeGrant(r.ctx(), g.ID, revocation.ReasonAdmin, r.clock(), r.keep()))
	r.ok(r.OAuth.RevokeGrant(r.ctx(), secret.NewID(start), revocation.ReasonAdmin, r.clock(), r.keep()))
	if got := r.stored(g.ID); !got.RevokedAt.Equal(at) || got.RevokeReason != revocation.ReasonReused {
		r.t.Errorf("the second call changed when or why it ended: %v %q", got.RevokedAt, got.RevokeReason)
	}
	r.wantAlive(other.ID)
	r.wantFeed(want)
}

func revokeSerial(r *rig) {
	a, b := secret.NewID(start), secret.NewID(start)
	for _, id := range []secret.ID{a, b, a, b} {
		r.ok(r.OAuth.RevokeSerial(r.ctx(), id, revocation.ReasonRevoked, r.clock(), r.keep()))
	}
	r.wantFeed(
		revocation.Entry{Kind: revocation.Serial, ID: a.String(), Reason: revocation.ReasonRevoked, ExpiresAt: r.keep()},
		revocation.Entry{Kind: revocation.Serial, ID: b.String(), Reason: revocation.ReasonRevoked, ExpiresAt: r.keep()},
	)
}

func endSession(r *rig) {
	u, s, g := r.signedIn("ada")
	dead, elsewhere := r.addGrant(s), r.addGrant(r.addSession(u))
	r.ok(r.OAuth.RevokeGrant(r.ctx(), dead.ID, revocation.ReasonReused, r.clock(), r.keep()))
	for range 2 {
		r.endSession(r.ctx(), s.ID, revocation.ReasonLogout, r.clock(), r.keep())
	}
	_, err := r.Account.Session(r.ctx(), s.ID)
	r.is("the session", err, account.ErrNotFound)
	r.wantRevoked(g.ID, revocation.ReasonLogout)
	r.wantRevoked(dead.ID, revocation.ReasonReused)
	r.wantAlive(elsewhere.ID)
	r.wantFeed(
		revocation.Entry{Kind: revocation.Grant, ID: dead.ID.String(), Reason: revocation.ReasonReused, ExpiresAt: r.keep()},
		revocation.Entry{Kind: revocation.Grant, ID: g.ID.String(), Reason: revocation.ReasonLogout, ExpiresAt: r.keep()},
	)
}

func consent(r *rig) {
	u := r.addUser("ada")
	_, err := r.OAuth.Consent(r.ctx(), u.ID, "app")
	r.is("none yet", err, oauth.ErrNotFound)
	c := oauth.Consent{UserID: u.ID, ClientID: "app", Scope: "openid", GrantedAt: r.clock()}
	r.ok(r.OAuth.SaveConsent(r.ctx(), c))
	r.advance(time.Minute)
	c.Scope, c.GrantedAt = "openid email", r.clock()
	r.ok(r.OAuth.SaveConsent(r.ctx(), c))
	got, err := r.OAuth.Consent(r.ctx(), u.ID, "app")
	r.ok(err)
	if d := cmp.Diff(c, got); d != "" {
		r.t.Error(d)
	}
	for _, other := range [][2]string{{u.ID, "other"}, {"nobody", "app"}, {u.ID, "app\x00"}, {"\xff", "app"}} {
		_, err = r.OAuth.Consent(r.ctx(), other[0], other[1])
		r.is("another's", err, oauth.ErrNotFound)
	}
	c.UserID = "nobody"
	r.is("of an unknown person", r.OAuth.SaveConsent(r.ctx(), c), oauth.ErrNotFound)
}

func contextEnded(r *rig) {
	_, s, g := r.signedIn("ada")
	ctx, cancel := context.WithCancel(r.ctx())
	cancel()
	r.is("rotate", r.OAuth.RotateRefresh(ctx, g.ID, 1, r.clock(), r.keep()), context.Canceled)
	_, err := r.OAuth.EndSession(ctx, s.ID, revocation.ReasonLogout, r.clock(), r.keep())
	r.is("end session", err, context.Canceled)
	_, err = r.OAuth.Grant(ctx, g.ID)
	r.is("read", err, context.Canceled)
	if got := r.stored(g.ID).Generation; got != 1 {
		r.t.Errorf("generation moved to %d", got)
	}
	r.wantAlive(g.ID)
}
