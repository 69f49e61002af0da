package oauth_test

import (
	"errors"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// compromise ends all keys of a purpose, as a node that follows the feed sees it.
func (r *rig) compromise(p token.Purpose) {
	r.t.Helper()
	keeper := &token.Keeper{Store: r.store.Keys(), Now: r.clock.now, Master: func() (*token.Master, error) { return r.master, nil }}
	policy, _ := token.PolicyOf(p)
	done, err := keeper.Compromise(r.t.Context(), policy, secret.ID{})
	if err != nil || len(done.Dead) == 0 {
		r.t.Fatal(done, err)
	}
	for _, id := range done.Dead {
		r.ring.Drop(id)
	}
	if err := r.ring.Reload(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.clock.advance(time.Second)
}

func TestKY08WhatACompromisedKeyMadeIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		purpose token.Purpose
		try     func(r *rig, before *oauth.TokenResponse, code string) error
		again   func(r *rig) error // the same with what the successor makes
	}{
		"access token": {token.SealAccess, func(r *rig, before *oauth.TokenResponse, _ string) error {
			if r.active(before.AccessToken) {
				return nil
			}
			return errors.New("inactive")
		}, func(r *rig) error {
			if !r.active(r.tokens().AccessToken) {
				return errors.New("inactive")
			}
			return nil
		}},
		"refresh token": {token.MACRefresh, func(r *rig, before *oauth.TokenResponse, _ string) error {
			_, err := r.refresh(before.RefreshToken)
			return err
		}, func(r *rig) error {
			_, err := r.refresh(r.tokens().RefreshToken)
			return err
		}},
		"code": {token.SealFlow, func(r *rig, _ *oauth.TokenResponse, code string) error {
			_, err := r.redeem(code)
			return err
		}, func(r *rig) error {
			_, err := r.redeem(r.code())
			return err
		}},
		"ID token as a hint": {token.SignIDToken, func(r *rig, before *oauth.TokenResponse, _ string) error {
			_, err := r.Logout(r.t.Context(), map[string][]string{"id_token_hint": {before.IDToken.Reveal()}}, nil)
			return err
		}, func(r *rig) error {
			_, err := r.Logout(r.t.Context(), map[string][]string{"id_token_hint": {r.tokens().IDToken.Reveal()}}, nil)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			before, code := r.tokens(), r.code()
			parsed, err := token.ParseRefresh(before.RefreshToken.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			r.compromise(c.purpose)
			if c.try(r, before, code) == nil {
				t.Error("what the compromised key made is accepted")
			}
			g, err := r.store.OAuth().Grant(t.Context(), parsed.GrantID)
			// With a key of codes whoever had it could begin grants for anybody: those of
			// its time end. No other key ends a grant.
			if err != nil || g.RevokedAt.IsZero() == (c.purpose == token.SealFlow) {
				t.Errorf("the grant's end: %v %q %v", g.RevokedAt, g.RevokeReason, err)
			}
			if err := c.again(r); err != nil {
				t.Errorf("what the successor makes is refused: %v", err)
			}
		})
	}
}

// A key is compromised while this node can read neither the feed nor the keys.
// It cannot know, so what the key made is refused as soon as its view is old.
func TestKY08ACompromiseThatANodeCannotHearOfFailsClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens()
	r.feed.OnEntry(func(e revocation.Entry) {
		if id, err := secret.ParseID(e.ID); err == nil && e.Reason == revocation.KeyCompromised {
			r.ring.Drop(id)
		}
	})
	keeper := &token.Keeper{Store: r.store.Keys(), Now: r.clock.now, Master: func() (*token.Master, error) { return r.master, nil }}
	for _, p := range []token.Purpose{token.SealAccess, token.MACRefresh} {
		policy, _ := token.PolicyOf(p)
		if _, err := keeper.Compromise(t.Context(), policy, secret.ID{}); err != nil {
			t.Fatal(err)
		}
	}
	introspect := func() error {
		_, err := r.Introspect(t.Context(), r.form("client_id", "rs", "client_secret", "yes", "token", res.AccessToken.Reveal()))
		return err
	}
	r.clock.advance(11 * time.Second)
	wantCode(t, introspect(), "temporarily_unavailable")
	_, err := r.refresh(res.RefreshToken)
	wantCode(t, err, "temporarily_unavailable")
	if err := r.feed.CatchUp(t.Context()); err != nil { // the feed is back, the keys are not read yet
		t.Fatal(err)
	}
	if r.active(res.AccessToken) {
		t.Error("the access token is active again")
	}
	_, err = r.refresh(res.RefreshToken)
	wantCode(t, err, "invalid_grant")
}
