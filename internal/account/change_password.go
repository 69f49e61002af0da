package account

import (
	"context"
	"errors"
	"fmt"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// ChangePassword sets the person's own new password. Every other session and every
// grant that did not come from this one ends, since whoever knew the old password
// may have them (AU15, RV08); this session goes on under a new ID and cookie, and
// no longer allows the act that it was signed in for. The caller has made sure that
// the person has just signed in for it. Errors as SetPassword; ErrNotFound also if
// the session or something about the person has changed meanwhile.
func (s *Service) ChangePassword(ctx context.Context, v Visit, session Session, password secret.Value) (Session, secret.Value, error) {
	user, err := s.store.UserByID(ctx, session.UserID)
	if err == nil && user.Disabled {
		err = ErrNotFound
	}
	if err != nil {
		return Session{}, secret.Value{}, fmt.Errorf("find user: %w", err)
	}
	hash, err := s.hashNew(ctx, password, user)
	if err != nil {
		return Session{}, secret.Value{}, err
	}
	now := s.now()
	next, cookie := s.renamed(session)
	next.UserVersion = user.Version + 1
	err = s.store.ChangePassword(ctx, PasswordChange{
		UserID: user.ID, Version: user.Version, Hash: hash, Replaces: session.ID, Next: next, Now: now, Keep: token.KeepRevocation(now),
	})
	if errors.Is(err, ErrNotFound) {
		return Session{}, secret.Value{}, ErrNotFound
	}
	if err != nil {
		return Session{}, secret.Value{}, fmt.Errorf("change password: %w", err)
	}
	s.Happened(ctx, user.ID, PasswordChanged, &v, "")
	return next, cookie, nil
}

// renamed is the session under a new ID and cookie, for no act.
func (s *Service) renamed(session Session) (Session, secret.Value) {
	id := secret.NewID(s.now())
	cookie := secret.Encode(secret.SessionCookie, append(id[:], secret.Random(sessionSecretBytes)...))
	session.ID, session.Hash, session.Purpose = id, cookie.Hash(), ""
	now, idle := seconds(s.now()), session.IdleUntil.Sub(session.LastSeen)
	session.CreatedAt, session.LastSeen, session.IdleUntil = now, now, now.Add(idle)
	if session.IdleUntil.After(session.AbsoluteUntil) {
		session.IdleUntil = session.AbsoluteUntil
	}
	return session, cookie
}
