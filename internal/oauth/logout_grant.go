package oauth

import (
	"context"
	"errors"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// LogoutGrant ends the session that a grant came from, with all grants of it, as
// EndSession does; a grant without a session ends alone. One that is gone is no
// error. It is for the backend of a browser app in this process, which sends no ID
// token through the browser to say who signs out.
func (s *Service) LogoutGrant(ctx context.Context, id secret.ID) error {
	g, err := s.store.Grant(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return unavailable("find grant", err)
	}
	if g.SID.IsZero() {
		return s.revokeGrant(ctx, g.ID, token.ReasonLogout, s.now())
	}
	if _, err := s.EndSession(ctx, g.SID); err != nil {
		return err
	}
	if g, err = s.store.Grant(ctx, id); err == nil && g.RevokedAt.IsZero() { // its session had ended before
		return s.revokeGrant(ctx, id, token.ReasonLogout, s.now())
	}
	return nil
}
