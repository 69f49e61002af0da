package oauth

import (
	"context"
	"errors"
	"strings"

	"sallyport/internal/token"
)

var errUserInfoToken = fail(InvalidToken, "the access token is not valid here")

// UserInfo returns what the person shares with the client (OpenID Connect Core
// §5.3), by the scopes of the access token in the Authorization header. A
// request without a token is an *Error with an empty Code: RFC 6750 §3.1 asks
// for a challenge that names no error. The answer is JSON, or a JWT for a client
// that wants one.
func (s *Service) UserInfo(ctx context.Context, r Request) (*UserInfoAnswer, error) {
	if len(r.Authorization) == 0 {
		return nil, &Error{}
	}
	presented, ok := bearer(r.Authorization)
	if !ok {
		return nil, fail(InvalidRequest, "exactly one Authorization header of scheme Bearer is needed")
	}
	var a token.Access
	if _, err := s.openAccess(ctx, presented, &a); err != nil || a.Expired(s.now()) || a.Confirm.Method != token.ConfirmNone {
		return nil, errUserInfoToken
	}
	if err := s.needFresh(a.Tier); err != nil {
		return nil, err
	}
	if s.feed.Revoked(&a) {
		return nil, errUserInfoToken
	}
	if !a.HasScope("openid") || !a.HasAudience(s.issuer) {
		return nil, fail(InsufficientScope, "the scope openid is needed")
	}
	u, err := s.users.User(ctx, a.Subject)
	if errors.Is(err, ErrNotFound) || err == nil && u.Disabled {
		return nil, errUserInfoToken
	}
	if err != nil {
		return nil, unavailable("find user", err)
	}
	c, err := s.clients.get(ctx, a.ClientID)
	if errors.Is(err, ErrNotFound) {
		return nil, errUserInfoToken
	}
	if err != nil {
		return nil, unavailable("find client", err)
	}
	answer := &UserInfoAnswer{Body: appendUserInfo(&a, u)}
	if c.Responses.UserInfoSig != "" {
		jwt, err := s.signUserInfo(ctx, c, answer.Body)
		if err != nil {
			return nil, err
		}
		answer.Body, answer.JWT = []byte(jwt.Reveal()), true
	}
	return answer, nil
}

// UserInfoAnswer is the body of a userinfo answer and what it is: JSON, or a
// signed JWT, which may be encrypted.
type UserInfoAnswer struct {
	Body []byte
	JWT  bool
}

func bearer(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	scheme, tok, found := strings.Cut(lines[0], " ")
	return tok, found && strings.EqualFold(scheme, "Bearer") && tok != ""
}

func appendUserInfo(a *token.Access, u User) []byte {
	b := append(make([]byte, 0, 256), `{"sub":`...)
	b = token.AppendJSONString(b, u.ID)
	if a.HasScope("profile") {
		b = append(b, `,"preferred_username":`...)
		b = token.AppendJSONString(b, u.Username)
		if u.Name != "" {
			b = append(b, `,"name":`...)
			b = token.AppendJSONString(b, u.Name)
		}
	}
	if a.HasScope("email") && u.Email != "" {
		b = append(b, `,"email":`...)
		b = token.AppendJSONString(b, u.Email)
		b = append(b, `,"email_verified":`...)
		if u.EmailVerified {
			b = append(b, "true"...)
		} else {
			b = append(b, "false"...)
		}
	}
	return append(b, '}')
}
