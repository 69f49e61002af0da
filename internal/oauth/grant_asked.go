package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// polling is a request for the tokens of what a person decides elsewhere.
type polling struct {
	grantType string
	param     string
	kind      secret.Prefix
	wrong     *Error
}

// answer is what the client gets for now: tokens, or how it stands (RFC 8628
// §3.5, CIBA Core §11). A request of another client, or one that was redeemed,
// looks like one that never was; and a poll changes nothing until it succeeds.
func (p *polling) answer(ctx context.Context, s *Service, c *Client, r Request) (*TokenResponse, error) {
	presented := r.param(p.param)
	if presented == "" {
		return nil, fail(InvalidRequest, p.param+" is missing")
	}
	row, err := p.find(ctx, s, c, presented)
	if err != nil {
		return nil, err
	}
	now := s.now()
	switch {
	case row.State == AskedRedeemed:
		note(ctx, audit.Event{Name: audit.CodeReplayed, Client: c.ID, Subject: row.UserID, Grant: row.ID.String(), Reason: p.param})
		return nil, p.wrong
	case row.State == AskedDenied:
		return nil, &Error{Code: AccessDenied, Description: "the person refused", Status: 400} // RFC 6749 §5.2
	case !now.Before(row.ExpiresAt):
		return nil, fail(ExpiredToken, "nobody has answered in time; start again")
	case row.State != AskedAllowed:
		if s.polls.tooSoon(row.ID, row.ExpiresAt, now) {
			return nil, fail(SlowDown, "wait five seconds longer between two requests than before")
		}
		return nil, fail(AuthorizationPending, "nobody has answered yet")
	}
	return p.redeem(ctx, s, c, r, row, now)
}

// find returns the row of a credential that this client was given.
func (p *polling) find(ctx context.Context, s *Service, c *Client, presented string) (*Asked, error) {
	payload, err := secret.Decode(p.kind, presented)
	if err != nil || len(payload) != len(secret.ID{})+askedSecretBytes {
		return nil, p.wrong
	}
	row, err := s.store.Asked(ctx, secret.ID(payload[:len(secret.ID{})]))
	if errors.Is(err, ErrNotFound) {
		return nil, p.wrong
	}
	if err != nil {
		return nil, unavailable("find request", err)
	}
	if !row.Hash.Equal(secret.New(presented).Hash()) || row.ClientID != c.ID || row.GrantType != p.grantType {
		return nil, p.wrong
	}
	return &row, nil
}

// redeem makes the grant. It has a sid of its own: signing out in the browser
// that allowed it does not sign out the other device, which is not there. See ADR
// 0021.
func (p *polling) redeem(ctx context.Context, s *Service, c *Client, r Request, row *Asked, now time.Time) (*TokenResponse, error) {
	var a Authorization
	if err := json.Unmarshal(row.Request, &a); err != nil {
		return nil, unavailable("read request", err)
	}
	if a.Terms.ClientKey != c.instance { // another install has asked (ABCA §9.3)
		return nil, p.wrong
	}
	a.Scope, a.Terms.Details = narrow(a.Scope, c.Scope), s.stillMay(c, a.Terms.Details) // what the client has lost since
	to, perr := s.aimRequest(r, a.Scope, &a.Terms)
	if perr != nil {
		return nil, perr
	}
	whole, need := s.reachOf(a.Scope, a.Terms.Details), keyOf(a.JKT)
	held, err := s.possess(ctx, c, r, whole.tier, need)
	if err != nil {
		return nil, err
	}
	if need.Method != token.ConfirmNone && held.confirm != need {
		return nil, p.wrong
	}
	life := c.lives(whole.tier)
	g := Grant{
		ID: row.ID, ClientID: c.ID, ClientEpoch: row.ClientEpoch, UserID: row.UserID, SID: row.ID,
		Scope: a.Scope, Audience: whole.audience, ACR: row.By.ACR, AMR: row.By.AMR, AuthTime: row.By.AuthTime, CreatedAt: now,
		Refreshable: c.mayRefresh(), Generation: 1, Salt: secret.Random(16), RotatedAt: now,
		IdleUntil: now.Add(life.idle), AbsoluteUntil: now.Add(life.absolute),
		Confirm: held.binds(c), Terms: a.Terms,
	}
	if g.Confirm.Method != token.ConfirmNone {
		g.ConfirmedFrom = 1
	}
	res, err := s.firstTokens(ctx, c, &g, to, held, now)
	if err != nil {
		return nil, err
	}
	switch err := s.store.RedeemAsked(ctx, g, row.By.SID); {
	case errors.Is(err, ErrExists), errors.Is(err, ErrStale): // another poll was first; or person, session or client ended since
		return nil, p.wrong
	case err != nil:
		return nil, unavailable("redeem request", err)
	}
	note(ctx, audit.Event{Name: audit.CodeRedeemed, Client: c.ID, Subject: g.UserID, Grant: g.ID.String(), Reason: p.param})
	return res, nil
}

// firstTokens makes the tokens that a new grant begins with, and spends the proof.
func (s *Service) firstTokens(ctx context.Context, c *Client, g *Grant, to aim, held possession, now time.Time) (*TokenResponse, error) {
	res, err := s.accessAt(ctx, c, g, to, held.confirm, now)
	if err != nil {
		return nil, err
	}
	if g.Refreshable {
		res.RefreshToken = s.ring.RefreshToken(g.ID, g.Generation, g.Salt)
	}
	if contains(g.Scope, "openid") {
		if res.IDToken, err = s.idToken(ctx, c, g, res.AccessToken, now); err != nil {
			return nil, err
		}
	}
	if err := s.settle(ctx, c.ID, held); err != nil {
		return nil, err
	}
	res.Nonce = s.nextNonce(held)
	return res, nil
}

// mayRefresh reports whether a refresh token is of any use to a client that acts
// for people.
func (c *Client) mayRefresh() bool {
	return len(c.Settings.GrantTypes) == 0 || slices.Contains(c.Settings.GrantTypes, "refresh_token")
}

// keyOf is the key with a thumbprint whose form was checked; none for "".
func keyOf(jkt string) token.Confirmation {
	var c token.Confirmation
	if jkt == "" {
		return c
	}
	c.Method = token.ConfirmJKT
	digest, _ := base64.RawURLEncoding.DecodeString(jkt) // what is not a digest fits no key
	copy(c.Digest[:], digest)
	return c
}
