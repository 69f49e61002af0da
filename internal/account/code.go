package account

import (
	"context"
	"slices"
)

// WithCode takes a code of an authenticator app, a recovery code, or the code by mail
// that a right password waits for where passwords are tried in bulk, of the person
// whose sign-in is under way in this browser. It returns ErrTicket if there is
// none, otherwise errors as SignIn.
func (s *Service) WithCode(ctx context.Context, v Visit, code string) (Progress, error) {
	user, ways, err := s.Underway(ctx, v)
	if err != nil {
		return Progress{}, err
	}
	check := s.checkCode
	if slices.Contains(ways, Email) {
		check = func(ctx context.Context, v Visit, user User, _ []Method, code string) (Method, error) {
			return s.checkDanger(ctx, &v, user, code)
		}
	}
	m, err := check(ctx, v, user, ways, code)
	if err != nil {
		return Progress{}, err
	}
	return s.prove(ctx, v, user, m)
}
