package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// The scopes of receivers of signals (CAEP Interoperability Profile §2.7.2). They
// are the issuer's own, and an administrator alone gives them: whoever has one
// hears when anybody's session ends.
const (
	SignalsReadScope   = "ssf.read"
	SignalsManageScope = "ssf.manage"
)

// IsSignalsScope reports whether a scope is one of receivers of signals.
func IsSignalsScope(scope string) bool {
	return scope == SignalsReadScope || scope == SignalsManageScope
}

// servedHere reports whether the issuer itself is where a scope leads to.
func (s *Service) servedHere(scope string) bool {
	return scope == "openid" || s.signals && IsSignalsScope(scope)
}

// signalsProblem judges the scopes of receivers.
func (c *Client) signalsProblem() (setting, why string) {
	if !slices.ContainsFunc(fields(c.Scope), IsSignalsScope) {
		return "", ""
	}
	switch {
	case c.Origin != "":
		return "scope", "has ssf.read or ssf.manage, which an administrator alone gives"
	case c.Type != ServiceClient:
		return "scope", "has ssf.read or ssf.manage, which are for service clients: no person can grant them"
	}
	return "", ""
}

// receives reports whether a client may receive signals now.
func (s *Service) receives(c *Client) bool {
	return s.signals && !c.Disabled && c.Type == ServiceClient && slices.ContainsFunc(fields(c.Scope), IsSignalsScope)
}

// Receiver returns the client that a request of a receiver of signals is from: it
// presents an access token of its own with one of the scopes (RFC 6750, RFC 9449).
// A request without a token is an *Error with an empty Code.
func (s *Service) Receiver(ctx context.Context, r Request, scopes ...string) (clientID string, err error) {
	a, held, err := s.presentedAccess(ctx, r)
	if err != nil {
		return "", err
	}
	if a.IsPerson() || !a.HasAudience(s.issuer) || !slices.ContainsFunc(scopes, a.HasScope) {
		return "", fail(InsufficientScope, "one of these scopes is needed: "+strings.Join(scopes, " "))
	}
	alive, err := s.Receives(ctx, a.ClientID)
	if err != nil {
		return "", err
	}
	if !alive {
		return "", fail(InvalidToken, "the client may not receive signals any more")
	}
	return a.ClientID, s.settle(ctx, a.ClientID, held)
}

// Receives reports whether a client is there and may receive signals now.
func (s *Service) Receives(ctx context.Context, clientID string) (bool, error) {
	c, err := s.clients.get(ctx, clientID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, unavailable("find client", err)
	}
	return s.receives(c), nil
}

// Known returns the subject by which a client knows a person, and their address if
// it is verified. One who is gone is still known by their subject.
func (s *Service) Known(ctx context.Context, clientID, userID string) (sub, email string, err error) {
	c, err := s.clients.get(ctx, clientID)
	if err != nil {
		return "", "", unavailable("find client", err)
	}
	u, err := s.users.User(ctx, userID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", "", unavailable("find user", err)
	}
	if u.EmailVerified {
		email = u.Email
	}
	return s.subjectFor(c, userID), email, nil
}

// KnownSession returns the sid by which a client knows a session.
func (s *Service) KnownSession(ctx context.Context, clientID string, sid secret.ID) (string, error) {
	c, err := s.clients.get(ctx, clientID)
	if err != nil {
		return "", unavailable("find client", err)
	}
	return s.sidFor(c, sid), nil
}

var errPresented = fail(InvalidToken, "the access token is not valid here")

// presentedAccess reads the access token of a request to a resource of the issuer
// and finds it alive, fresh and held by who presents it. Audience and scope are the
// caller's to judge, and so is settle.
func (s *Service) presentedAccess(ctx context.Context, r Request) (*token.Access, possession, error) {
	if len(r.Authorization) == 0 {
		return nil, possession{}, &Error{}
	}
	scheme, presented, ok := credential(r.Authorization)
	if !ok {
		return nil, possession{}, fail(InvalidRequest, "exactly one Authorization header of scheme Bearer or DPoP is needed")
	}
	a := new(token.Access)
	_, alive, err := s.openAccess(ctx, presented, a)
	if err != nil {
		return nil, possession{}, err
	}
	if !alive || !strings.EqualFold(scheme, tokenType(a.Confirm)) {
		return nil, possession{}, errPresented // RFC 9449 §7.2: a bound token is not sent as a bearer token, nor the reverse
	}
	if err := s.needFresh(a.Tier); err != nil {
		return nil, possession{}, err
	}
	if s.feed.Revoked(a) {
		return nil, possession{}, errPresented
	}
	held, err := s.possessToken(ctx, r, a, secret.New(presented))
	return a, held, err
}
