package oauth

import (
	"context"
	"errors"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Revoke ends a token of the client that asks (RFC 7009). A refresh token
// takes its grant and so all access tokens with it; an access token ends
// alone. When Revoke returns nil, this node already refuses the token. What is
// unknown or dead is no error; what is another client's is refused, and
// nothing changes.
func (s *Service) Revoke(ctx context.Context, r Request) error {
	client, err := s.authenticate(ctx, r)
	if err != nil {
		return err
	}
	presented := r.param("token")
	if presented == "" {
		return fail(InvalidRequest, "token is missing")
	}
	switch kind, ours := secret.Kind(presented); {
	case token.LooksLikeJWT(presented):
		return s.revokeAccess(ctx, client, presented)
	case strings.Count(presented, ".") == 4:
		return fail(UnsupportedTokenType, "an encrypted token can be read by its API alone: revoke the refresh token")
	case !ours:
		return nil
	case kind == secret.AccessToken:
		return s.revokeAccess(ctx, client, presented)
	case kind == secret.RefreshToken:
		return s.revokeRefresh(ctx, client, presented)
	}
	return fail(UnsupportedTokenType, "only access and refresh tokens can be revoked here")
}

var errNotYours = fail(UnauthorizedClient, "the token was issued to another client")

func (s *Service) revokeAccess(ctx context.Context, c *Client, presented string) error {
	var a token.Access
	now := s.now()
	_, alive, err := s.openAccess(ctx, presented, &a)
	if err != nil {
		return err
	}
	if !alive || s.feed.Revoked(&a) {
		return nil
	}
	if a.ClientID != c.ID {
		return errNotYours
	}
	if err := s.store.RevokeSerial(ctx, a.Serial, token.ReasonRevoked, now, token.KeepRevocation(now)); err != nil {
		return unavailable("revoke access token", err)
	}
	if err := s.applied(ctx); err != nil {
		return err
	}
	note(ctx, audit.Event{Name: audit.TokenRevoked, Client: c.ID, Subject: a.Subject, Reason: "access_token"})
	return nil
}

func (s *Service) revokeRefresh(ctx context.Context, c *Client, presented string) error {
	parsed, err := token.ParseRefresh(presented)
	if err != nil {
		return nil //nolint:nilerr // what is malformed is not alive
	}
	g, err := s.store.Grant(ctx, parsed.GrantID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return unavailable("find grant", err)
	}
	if !s.ring.CheckRefresh(parsed, g.Salt) || !g.RevokedAt.IsZero() {
		return nil
	}
	if g.ClientID != c.ID {
		return errNotYours
	}
	if err := s.revokeGrant(ctx, g.ID, token.ReasonRevoked, s.now()); err != nil {
		return err
	}
	note(ctx, audit.Event{Name: audit.TokenRevoked, Client: c.ID, Subject: g.UserID, Grant: g.ID.String(), Reason: "refresh_token"})
	return nil
}
