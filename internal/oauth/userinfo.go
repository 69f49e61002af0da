package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// UserInfo returns what the person shares with the client (OpenID Connect Core
// §5.3), by the scopes of the access token in the Authorization header. A
// request without a token is an *Error with an empty Code: RFC 6750 §3.1 asks
// for a challenge that names no error. The answer is JSON, or a JWT for a client
// that wants one.
func (s *Service) UserInfo(ctx context.Context, r Request) (*UserInfoAnswer, error) {
	a, held, err := s.presentedAccess(ctx, r)
	if err != nil {
		return nil, err
	}
	if !a.HasScope("openid") || !a.HasAudience(s.issuer) {
		return nil, fail(InsufficientScope, "the scope openid is needed")
	}
	u, err := s.users.User(ctx, a.Subject)
	if errors.Is(err, ErrNotFound) || err == nil && u.Disabled {
		return nil, errPresented
	}
	if err != nil {
		return nil, unavailable("find user", err)
	}
	c, err := s.clients.get(ctx, a.ClientID)
	if errors.Is(err, ErrNotFound) {
		return nil, errPresented
	}
	if err != nil {
		return nil, unavailable("find client", err)
	}
	asked, err := s.askedOf(ctx, a)
	if err != nil {
		return nil, err
	}
	answer := &UserInfoAnswer{Body: s.appendUserInfo(c, a, &u, asked)}
	if c.Settings.UserInfoSig != "" {
		jwt, err := s.signUserInfo(ctx, c, answer.Body)
		if err != nil {
			return nil, err
		}
		answer.Body, answer.JWT = []byte(jwt.Reveal()), true
	}
	if err := s.settle(ctx, a.ClientID, held); err != nil {
		return nil, err
	}
	return answer, nil
}

// UserInfoAnswer is the body of a userinfo answer and what it is: JSON, or a
// signed JWT, which may be encrypted.
type UserInfoAnswer struct {
	Body []byte
	JWT  bool
}

// possessToken finds the key that the access token is bound to in the request
// that presents it: a proof over this token (RFC 9449 §7.1), or the certificate
// of the connection (RFC 8705 §3).
func (s *Service) possessToken(ctx context.Context, r Request, a *token.Access, presented secret.Value) (possession, error) {
	switch a.Confirm.Method {
	case token.ConfirmNone:
		return possession{}, nil
	case token.ConfirmX5T:
		if r.Certificate == nil || !a.Confirm.ConfirmedBy(token.ConfirmX5T, token.CertificateDigest(r.Certificate)) {
			return possession{}, errPresented
		}
		return possession{}, nil
	default:
		held, err := s.checkProof(ctx, a.ClientID, r, token.ProofRequest{Token: presented, NeedNonce: a.Tier.Limits().ProofNonce})
		if err == nil && held.confirm != a.Confirm {
			err = errPresented
		}
		return held, err
	}
}

func credential(lines []string) (scheme, tok string, ok bool) {
	if len(lines) != 1 {
		return "", "", false
	}
	scheme, tok, _ = strings.Cut(lines[0], " ")
	return scheme, tok, tok != "" && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP"))
}

// askedOf are the claims that the request behind a token has asked for by name.
func (s *Service) askedOf(ctx context.Context, a *token.Access) ([]string, error) {
	g, err := s.store.Grant(ctx, a.GrantID)
	if errors.Is(err, ErrNotFound) { // expired, or of a token that has none
		return nil, nil
	}
	if err != nil {
		return nil, unavailable("find grant", err)
	}
	return g.Terms.askedClaims(inUserInfo), nil
}

// appendUserInfo writes the claims that the token's scope gives, and those asked
// for by name while the client may still have them.
func (s *Service) appendUserInfo(c *Client, a *token.Access, u *User, asked []string) []byte {
	b := append(make([]byte, 0, 256), `{"sub":`...)
	b = token.AppendJSONString(b, s.subjectFor(c, u.ID))
	b = appendPerson(b, u, func(claim, scope string) bool {
		return a.HasScope(scope) || slices.Contains(asked, claim) && contains(c.Scope, scope)
	})
	return append(b, '}')
}
