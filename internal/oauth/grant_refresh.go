package oauth

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/token"
)

// lostAnswerBearer is how long the last refresh token of a client without a
// key of its own counts as a repeated question rather than as a theft.
const lostAnswerBearer = 60 * time.Second

var errRefresh = fail(InvalidGrant, "the refresh token is wrong, used, expired or revoked")

func refreshEnded(reason string) error {
	return &Error{Code: InvalidGrant, Description: errRefresh.Description, Reason: reason}
}

// exchangeRefresh rotates a refresh token (OAuth 2.1 §4.3.1). The grant's row
// has one generation. Presenting it moves the row on. Presenting the one before
// while the row has not moved on means that the answer was lost: the same
// generation is answered again. Anything older was copied: the grant ends.
func (s *Service) exchangeRefresh(ctx context.Context, c *Client, r Request) (*TokenResponse, error) {
	presented := r.param("refresh_token")
	if presented == "" {
		return nil, fail(InvalidRequest, "refresh_token is missing")
	}
	parsed, err := token.ParseRefresh(presented)
	if err != nil {
		return nil, errRefresh
	}
	g, known := s.rotated.at(parsed.GrantID, parsed.Generation)
	if !known {
		if g, err = s.store.Grant(ctx, parsed.GrantID); errors.Is(err, ErrNotFound) {
			return nil, errRefresh
		}
		if err != nil {
			return nil, unavailable("find grant", err)
		}
	}
	if g.ClientID != c.ID || !g.Refreshable || !s.ring.CheckRefresh(parsed, g.Salt) {
		return nil, errRefresh
	}
	scope := narrow(g.Scope, c.Scope) // what the client has lost since, the grant has lost too
	if asked := r.param("scope"); asked != "" {
		narrowed, perr := within(asked, scope)
		if perr != nil {
			return nil, perr
		}
		scope = narrowed
	}
	return s.rotate(ctx, c, &g, parsed.Generation, scope)
}

// rotate decides what presenting generation means, on a grant read a moment
// ago. Losing the race against another request for the same generation makes
// this one the repeated question.
func (s *Service) rotate(ctx context.Context, c *Client, g *Grant, generation uint32, scope string) (*TokenResponse, error) {
	now := s.now()
	switch {
	case !g.RevokedAt.IsZero():
		return nil, refreshEnded(g.RevokeReason)
	case !now.Before(g.IdleUntil), !now.Before(g.AbsoluteUntil):
		return nil, refreshEnded(token.ReasonExpired)
	case generation == g.Generation:
		return s.rotateForward(ctx, c, g, scope, now)
	case generation+1 == g.Generation && (!c.Type.Public() || now.Sub(g.RotatedAt) <= lostAnswerBearer):
		res, err := s.refreshed(ctx, g, g.Generation, scope, now)
		if err == nil {
			note(ctx, audit.Event{Name: audit.RefreshRepeated, Client: c.ID, Subject: g.UserID, Grant: g.ID.String()})
		}
		return res, err
	case generation < g.Generation:
		note(ctx, audit.Event{Name: audit.RefreshReused, Client: c.ID, Subject: g.UserID, Grant: g.ID.String()})
		if err := s.revokeGrant(ctx, g.ID, token.ReasonReused, now); err != nil {
			return nil, err
		}
		return nil, refreshEnded(token.ReasonReused)
	}
	return nil, errRefresh // of a generation not yet made; the row was restored from a backup
}

func (s *Service) rotateForward(ctx context.Context, c *Client, g *Grant, scope string, now time.Time) (*TokenResponse, error) {
	res, err := s.refreshed(ctx, g, g.Generation+1, scope, now)
	if err != nil {
		return nil, err
	}
	idle := now.Add(s.reach(g.Scope).tier.Limits().RefreshIdle)
	err = s.store.RotateRefresh(ctx, g.ID, g.Generation, now, idle)
	if errors.Is(err, ErrStale) {
		return s.rotateLost(ctx, c, g, scope)
	}
	if err != nil {
		return nil, unavailable("rotate refresh token", err)
	}
	next := *g
	next.Generation, next.RotatedAt, next.IdleUntil = g.Generation+1, now, idle
	s.rotated.put(next)
	note(ctx, audit.Event{Name: audit.RefreshRotated, Client: c.ID, Subject: g.UserID, Grant: g.ID.String()})
	return res, nil
}

// rotateLost reads again after another request won.
func (s *Service) rotateLost(ctx context.Context, c *Client, before *Grant, scope string) (*TokenResponse, error) {
	g, err := s.store.Grant(ctx, before.ID)
	if errors.Is(err, ErrNotFound) { // its person or client was removed
		return nil, errRefresh
	}
	if err != nil {
		return nil, unavailable("find grant", err)
	}
	if g.Generation == before.Generation && g.RevokedAt.IsZero() {
		return nil, unavailable("rotate refresh token", ErrStale)
	}
	return s.rotate(ctx, c, &g, before.Generation, scope)
}

func (s *Service) refreshed(ctx context.Context, g *Grant, generation uint32, scope string, now time.Time) (*TokenResponse, error) {
	res, err := s.accessFor(ctx, g, scope, now)
	if err != nil {
		return nil, err
	}
	res.RefreshToken = s.ring.RefreshToken(g.ID, generation, g.Salt)
	return res, nil
}
