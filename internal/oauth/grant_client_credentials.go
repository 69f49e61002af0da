package oauth

import (
	"context"
	"slices"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// exchangeClientCredentials gives a client a token for itself (RFC 6749 §4.4):
// never a refresh token, and a subject that no person can have. There is no
// row: the token ends by its serial or with the client.
func (s *Service) exchangeClientCredentials(ctx context.Context, c *Client, r Request) (*TokenResponse, error) {
	return s.ownToken(ctx, c, r, "client_credentials", func() error { return nil })
}

// ownToken gives a client a token for itself. spend uses up what it has presented,
// when all else is right; how is for the record.
func (s *Service) ownToken(ctx context.Context, c *Client, r Request, how string, spend func() error) (*TokenResponse, error) {
	asked := r.param("scope")
	if asked == "" && r.param("authorization_details") == "" {
		asked = strings.Join(slices.DeleteFunc(fields(c.Scope), func(m string) bool { return slices.Contains(PartnerScopes, m) }), " ")
	}
	scope, perr := within(asked, c.Scope)
	if perr != nil {
		return nil, perr
	}
	details, perr := s.parseDetails(c, r.param("authorization_details"))
	if perr != nil {
		return nil, perr
	}
	to, perr := s.aimRequest(r, scope, &Terms{Details: details})
	if perr != nil {
		return nil, perr
	}
	if to.audience == "" {
		return nil, fail(InvalidScope, "scope names no API")
	}
	if err := s.needFresh(to.tier); err != nil {
		return nil, err
	}
	held, err := s.possess(ctx, c, r, to.tier, token.Confirmation{})
	if err != nil {
		return nil, err
	}
	now := s.now()
	a := token.Access{
		GrantID: c.Epoch, Serial: secret.NewID(now), ClientID: c.ID, Subject: token.ClientSubject(c.ID),
		Audience: to.audience, Scope: to.scope, IssuedAt: now.Unix(), Lifetime: seconds(c.lives(to.tier).access(to.lifetime)), Tier: to.tier, Confirm: held.confirm,
		Details: to.details,
	}
	res, err := s.respond(ctx, &a, to.reach)
	if err != nil {
		return nil, err
	}
	if err := spend(); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, c.ID, held); err != nil {
		return nil, err
	}
	res.Nonce = s.nextNonce(held)
	note(ctx, audit.Event{Name: audit.TokenIssued, Client: c.ID, Subject: a.Subject, Reason: how})
	return res, nil
}
