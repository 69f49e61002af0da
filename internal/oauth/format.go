package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// respond writes the access token that says a, in the format of what it is for.
func (s *Service) respond(ctx context.Context, a *token.Access, to reach) (*TokenResponse, error) {
	if to.mixed {
		return nil, errMixed
	}
	written, err := s.writeAccess(ctx, a, to)
	if err != nil {
		return nil, err
	}
	return &TokenResponse{AccessToken: written, TokenType: tokenType(a.Confirm), ExpiresInSeconds: a.Lifetime, Scope: a.Scope, Details: a.Details}, nil
}

func (s *Service) writeAccess(ctx context.Context, a *token.Access, to reach) (secret.Value, error) {
	if to.format == token.FormatSealed {
		sealed, err := s.ring.SealAccess(a)
		if err != nil {
			return secret.Value{}, unavailable("seal access token", err)
		}
		return sealed, nil
	}
	signed := *a
	switch {
	case to.format == token.FormatNested:
		signed.Scope = s.scopesOf(a.Audience, a.Scope)
	case a.IsPerson(): // the client can read it, so it says what the client may know
		c, err := s.clients.get(ctx, a.ClientID)
		if err != nil {
			return secret.Value{}, unavailable("find client", err)
		}
		signed.Subject = s.subjectFor(c, a.Subject)
	}
	jwt, err := s.ring.SignAccess(&signed, s.issuer)
	if err != nil {
		return secret.Value{}, unavailable("sign access token", err)
	}
	if to.format == token.FormatJWT {
		return jwt, nil
	}
	return encrypt(ctx, to.recipient, jwt, "access token")
}

// scopesOf is the part of scope that is the business of the API with audience.
func (s *Service) scopesOf(audience, scope string) string {
	var kept []string
	for _, m := range fields(scope) {
		if res := s.byScope[m]; res != nil && res.Audience == audience {
			kept = append(kept, m)
		}
	}
	return strings.Join(kept, " ")
}

// encrypt wraps a signed token for whom it is meant. Keys that cannot be had are
// no fault of the request: it is answered 503, and nothing has been spent.
func encrypt(ctx context.Context, to *jose.Recipient, signed secret.Value, what string) (secret.Value, error) {
	wrapped, err := to.Encrypt(ctx, signed.Reveal())
	switch {
	case errors.Is(err, jose.ErrNoKey), errors.Is(err, jose.ErrKeysUnavailable), errors.Is(err, jose.ErrKey):
		return secret.Value{}, noKey(what, err)
	case err != nil:
		return secret.Value{}, unavailable("encrypt "+what, err)
	}
	return secret.New(wrapped), nil
}

func noKey(what string, cause error) *Error {
	e := fail(TemporarilyUnavailable, "there is no key at the moment that the "+what+" could be encrypted to")
	e.cause = cause
	return e
}

// openAccess opens an access token of any form that this issuer reads, and
// finds the tier of one that does not say it. alive is false for what does not
// open and for what has expired; binding, audience and revocation are the
// caller's. An error says that it cannot be known now.
func (s *Service) openAccess(ctx context.Context, presented string, a *token.Access) (format token.Format, alive bool, err error) {
	format, err = s.reader.Open(ctx, presented, a)
	switch {
	case errors.Is(err, jose.ErrKeysUnavailable):
		return format, false, unavailable("verify access token", err)
	case err != nil:
		return format, false, nil //nolint:nilerr // what does not open is not alive
	case format == token.FormatJWT:
		a.Tier = s.reachOf(a.Scope, json.RawMessage(a.Details)).tier
	}
	return format, !a.Expired(s.now()), nil
}
