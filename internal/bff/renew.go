package bff

import (
	"context"
	"errors"
	"time"
)

const (
	claimLife  = 10 * time.Second      // a node that has not renewed by then has died
	askAgain   = 50 * time.Millisecond // for what another node is at
	retryAfter = 2 * time.Second       // what could not be renewed and still counts
)

// renew gets the next tokens of a session, once on all nodes: whoever changes the
// row asks the issuer, the others wait for the row to change. A refresh token that
// was presented by a node that died then is answered again (ADR 0005), so nothing
// is lost.
func (a *app) renew(ctx context.Context, f *found) (*found, error) {
	for {
		now := a.Now().UTC()
		err := a.Store.ClaimRenewal(ctx, f.row.ID, f.row.Version, now, now.Add(claimLife))
		switch {
		case err == nil:
			return a.claimed(ctx, f)
		case errors.Is(err, ErrNotFound):
			return nil, errNoSession
		case !errors.Is(err, ErrStale):
			return a.meanwhile(f, err)
		}
		if err := wait(ctx, askAgain); err != nil {
			return a.meanwhile(f, err)
		}
		g, err := a.read(ctx, f.row.ID, f.row.Hash)
		if err != nil {
			return nil, err
		}
		if g.row.Version != f.row.Version && a.Now().Before(g.kept.renewAt()) {
			return g, nil
		}
		f = g
	}
}

// claimed asks the issuer, which nobody else does now.
func (a *app) claimed(ctx context.Context, f *found) (*found, error) {
	t, err := a.Client.Renew(ctx, f.kept.Refresh())
	if errors.Is(err, ErrEnded) {
		return nil, a.end(ctx, f)
	}
	if err != nil {
		if back := a.Store.ReleaseRenewal(ctx, f.row.ID, f.row.Version); back != nil && !errors.Is(back, ErrStale) && !errors.Is(back, ErrNotFound) {
			err = errors.Join(err, back)
		}
		return a.meanwhile(f, err)
	}
	next := &found{row: f.row, kept: a.keep(&t)}
	if len(next.kept.Claims) == 0 { // an issuer need not repeat the ID token
		next.kept.Claims, next.kept.Subject = f.kept.Claims, f.kept.Subject
	}
	if next.kept.RefreshToken == "" { // RFC 6749 §6: the old one goes on
		next.kept.RefreshToken = f.kept.RefreshToken
	}
	now := a.Now().UTC().Truncate(time.Second)
	next.row.Version++
	next.row.LastSeen, next.row.IdleUntil = now, a.idleUntil(now, f.row.AbsoluteUntil)
	if next.row.Tokens, err = a.seal(f.row.ID, next.kept); err != nil {
		return a.meanwhile(f, err)
	}
	err = a.Store.SaveRenewal(ctx, f.row.ID, f.row.Version, next.row.Tokens, next.row.LastSeen, next.row.IdleUntil)
	switch {
	case err == nil:
		return next, nil
	case errors.Is(err, ErrStale): // it took too long, and another node has done it too
		return a.read(ctx, f.row.ID, f.row.Hash)
	case errors.Is(err, ErrNotFound): // the person has signed out meanwhile
		_ = a.Client.Revoke(ctx, t.Refresh)
		return nil, errNoSession
	}
	return a.meanwhile(f, err)
}

// meanwhile goes on with the tokens that are there as long as they count.
func (a *app) meanwhile(f *found, err error) (*found, error) {
	now := a.Now()
	if !now.Before(f.kept.expires()) {
		return nil, err
	}
	g := *f
	g.until = now.Add(min(retryAfter, f.kept.expires().Sub(now)))
	return &g, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
