package oauth

import (
	"context"
	"errors"

	"sallyport/internal/audit"
)

const (
	kindRegistration = "registration_access_token"
	kindInitial      = "initial_access_token"
)

// leakedRegistration ends the token: the client lives on, and nobody can change
// it by that token.
func (s *Service) leakedRegistration(ctx context.Context, l *leak) ([]LeakFinding, error) {
	h := l.value.Hash()
	clientID, err := s.store.RegistrationOwner(ctx, h)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kind := kindRegistration
	if clientID == "" {
		kind = kindInitial
	}
	l.is(kind, audit.ActionTokenRevoked, clientID, "")
	return l.end(func(e Ending) (Ended, error) { return s.store.LeakRegistration(ctx, h, e) })
}
