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
// generation is answered again. Anything older was copied: the grant ends. A
// token that is bound to a key is presented by that key, or not at all: a copy
// without the key neither spends nor ends anything (RFC 9449 §5).
func (s *Service) exchangeRefresh(ctx context.Context, c *Client, r Request) (*TokenResponse, error) {
	presented := r.param("refresh_token")
	if presented == "" {
		return nil, fail(InvalidRequest, "refresh_token is missing")
	}
	parsed, err := token.ParseRefresh(presented)
	if err != nil {
		return nil, errRefresh
	}
	g, err := s.presentedGrant(ctx, parsed)
	if err != nil {
		return nil, err
	}
	if g.ClientID != c.ID || g.Terms.ClientKey != c.instance || !g.Refreshable || !s.ring.CheckRefresh(parsed, g.Salt) {
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
	need := g.boundAt(parsed.Generation)
	granted := g.Terms
	granted.Details = s.stillMay(c, granted.Details)
	to, perr := s.aimRequest(r, scope, &granted)
	if perr != nil {
		return nil, perr
	}
	held, err := s.possess(ctx, c, r, to.tier, need)
	if err != nil {
		return nil, err
	}
	if need.Method != token.ConfirmNone && held.confirm != need {
		return nil, errRefresh
	}
	if err := s.settle(ctx, c.ID, held); err != nil {
		return nil, err
	}
	res, err := s.rotate(ctx, &refreshing{client: c, generation: parsed.Generation, scope: scope, to: to, held: held}, &g)
	if err == nil {
		res.Nonce = s.nextNonce(held)
	}
	return res, err
}

// presentedGrant finds the grant of a refresh token. What this node remembers
// of it may be older than the row only in how long it may stay unused.
func (s *Service) presentedGrant(ctx context.Context, parsed token.Refresh) (Grant, error) {
	g, known := s.rotated.at(parsed.GrantID, parsed.Generation)
	if known && s.now().Before(g.IdleUntil) {
		return g, nil
	}
	g, err := s.store.Grant(ctx, parsed.GrantID)
	if errors.Is(err, ErrNotFound) {
		return Grant{}, errRefresh
	}
	if err != nil {
		return Grant{}, unavailable("find grant", err)
	}
	return g, nil
}

// boundAt is the key that the refresh token of a generation is bound to.
func (g *Grant) boundAt(generation uint32) token.Confirmation {
	if generation < g.ConfirmedFrom {
		return token.Confirmation{}
	}
	return g.Confirm
}

// refreshing is a refresh token that was presented as it should be.
type refreshing struct {
	client     *Client
	generation uint32
	scope      string // of the grant, as narrowed by the request
	to         aim
	held       possession
}

// rotate decides what presenting a generation means, on a grant read a moment
// ago. Losing the race against another request for the same generation makes
// this one the repeated question.
func (s *Service) rotate(ctx context.Context, p *refreshing, g *Grant) (*TokenResponse, error) {
	now := s.now()
	switch {
	case !g.RevokedAt.IsZero():
		return nil, refreshEnded(g.RevokeReason)
	case !now.Before(g.IdleUntil), !now.Before(g.AbsoluteUntil):
		return nil, refreshEnded(token.ReasonExpired)
	case p.generation == g.Generation:
		return s.rotateForward(ctx, p, g, now)
	case p.generation+1 == g.Generation && p.mayRepeat(g, now):
		res, err := s.refreshed(ctx, g, g.Generation, p, now)
		if err == nil {
			note(ctx, audit.Event{Name: audit.RefreshRepeated, Client: p.client.ID, Subject: g.UserID, Grant: g.ID.String()})
		}
		return res, err
	case p.generation < g.Generation:
		note(ctx, audit.Event{Name: audit.RefreshReused, Client: p.client.ID, Subject: g.UserID, Grant: g.ID.String()})
		if err := s.revokeGrant(ctx, g.ID, token.ReasonReused, now); err != nil {
			return nil, err
		}
		s.tellPerson(ctx, g.UserID, ToldReused, p.client.ID)
		return nil, refreshEnded(token.ReasonReused)
	}
	return nil, errRefresh // of a generation not yet made; the row was restored from a backup
}

// mayRepeat reports whether the answer that was lost may be given again. Whoever
// proves a key that nobody else has may ask as long as the answer is unused: a
// client by its authentication, an app by the key that the grant is bound to. A
// bearer may for a minute, unless somebody has bound the grant to another key
// meanwhile: then two have held the token.
func (p *refreshing) mayRepeat(g *Grant, now time.Time) bool {
	switch {
	case !p.client.Type.Public() || p.client.instance != "":
		return true
	case g.Confirm.Method != token.ConfirmNone:
		return p.held.confirm == g.Confirm
	}
	return now.Sub(g.RotatedAt) <= lostAnswerBearer
}

// stays reports whether the refresh token is not rotated. One that only its
// client can use, with its authentication, and that gives nothing but bound
// tokens, gains nothing by rotation, and in tier high, and for clients of FAPI, a
// lost answer must not cost a session (FAPI 2.0 §5.3.2.1). See ADR 0005.
func (p *refreshing) stays(tier token.Tier) bool {
	return !p.client.Type.Public() && p.held.confirm.Method != token.ConfirmNone && (tier == token.TierHigh || p.client.profile().keepsRefresh)
}

func (s *Service) rotateForward(ctx context.Context, p *refreshing, g *Grant, now time.Time) (*TokenResponse, error) {
	tier := s.reachOf(g.Scope, g.Terms.Details).tier
	next, bind := *g, token.Confirmation{}
	next.IdleUntil = now.Add(p.client.lives(tier).idle)
	if !p.stays(tier) {
		next.Generation, next.RotatedAt = g.Generation+1, now
	}
	if g.Confirm.Method == token.ConfirmNone {
		bind = p.held.binds(p.client)
	}
	if bind.Method != token.ConfirmNone {
		next.Confirm, next.ConfirmedFrom = bind, next.Generation
	}
	res, err := s.refreshed(ctx, g, next.Generation, p, now)
	if err != nil {
		return nil, err
	}
	switch {
	case next.Generation == g.Generation:
		err = s.store.KeepRefresh(ctx, g.ID, g.Generation, now, next.IdleUntil)
	case bind.Method != token.ConfirmNone:
		err = s.store.BindRefresh(ctx, g.ID, g.Generation, bind, now, next.IdleUntil)
	default:
		err = s.store.RotateRefresh(ctx, g.ID, g.Generation, now, next.IdleUntil)
	}
	if errors.Is(err, ErrStale) {
		return s.rotateLost(ctx, p, g)
	}
	if err != nil {
		return nil, unavailable("rotate refresh token", err)
	}
	s.rotated.put(next)
	event := audit.RefreshRotated
	if next.Generation == g.Generation {
		event = audit.RefreshKept
	}
	note(ctx, audit.Event{Name: event, Client: p.client.ID, Subject: g.UserID, Grant: g.ID.String()})
	return res, nil
}

// rotateLost reads again after another request won.
func (s *Service) rotateLost(ctx context.Context, p *refreshing, before *Grant) (*TokenResponse, error) {
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
	return s.rotate(ctx, p, &g)
}

func (s *Service) refreshed(ctx context.Context, g *Grant, generation uint32, p *refreshing, now time.Time) (*TokenResponse, error) {
	res, err := s.accessAt(ctx, p.client, g, p.to, p.held.confirm, now)
	if err != nil {
		return nil, err
	}
	res.RefreshToken = s.ring.RefreshToken(g.ID, generation, g.Salt)
	if contains(p.scope, "openid") {
		// OpenID Connect Core §12.2: of the same sign-in, and not of that request.
		again := *g
		again.Nonce = ""
		if res.IDToken, err = s.idToken(ctx, p.client, &again, res.AccessToken, now); err != nil {
			return nil, err
		}
	}
	return res, nil
}
