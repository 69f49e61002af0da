package account

import "context"

// WithCode takes a code of an authenticator app or a recovery code, of the person
// whose sign-in is under way in this browser. It returns ErrTicket if there is
// none, otherwise errors as SignIn.
func (s *Service) WithCode(ctx context.Context, v Visit, code string) (Progress, error) {
	user, ways, err := s.Underway(ctx, v)
	if err != nil {
		return Progress{}, err
	}
	m, err := s.checkCode(ctx, v, user, ways, code)
	if err != nil {
		return Progress{}, err
	}
	return s.prove(ctx, v, user, m)
}
