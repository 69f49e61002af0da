package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// SignIn checks a name and a password and opens a session with the limits of
// tier. The session has a new ID and secret, whatever the browser had before
// (AU13); previous, if not zero, ends with it.
//
// It returns ErrWrongCredentials, *ThrottledError or ErrBusy. An unknown name,
// a disabled person, one without a password and a wrong password cost the same
// work, one hash, and give the same answer (AU05). Between a hash with old
// parameters and the rest there is a difference in time until its owner signs
// in, which renews it.
//
// Failures are limited for account and address, address and network; see
// begin. A success is not counted.
func (s *Service) SignIn(ctx context.Context, username string, password secret.Value, remote netip.Addr,
	previous secret.ID, tier token.Tier,
) (Session, secret.Value, error) {
	name, err := FoldUsername(username)
	if err != nil {
		name = "\x00" + username // nobody has it, and it is counted all the same
	}
	a, err := s.begin(ctx, name, remote)
	if err != nil {
		return Session{}, secret.Value{}, err
	}
	user, err := s.authenticate(ctx, name, password)
	if err != nil {
		if !errors.Is(err, ErrWrongCredentials) {
			a.refund()
		}
		return Session{}, secret.Value{}, err
	}
	a.refund()
	session, cookie, err := s.open(ctx, user, previous, tier)
	if err != nil {
		return Session{}, secret.Value{}, err
	}
	if err := s.confirm(ctx, user, password, session.ID); err != nil {
		return Session{}, secret.Value{}, err
	}
	note(ctx, audit.LoginSucceeded, user.ID, "")
	return session, cookie, nil
}

// authenticate computes exactly one hash for every name, and one more when it
// renews the parameters after a success.
func (s *Service) authenticate(ctx context.Context, name string, password secret.Value) (User, error) {
	user, err := s.store.UserByName(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, fmt.Errorf("find user: %w", err)
	}
	want, reason := s.usableHash(user, err == nil)
	normal, fits := normalPassword(password)
	match, err := s.hasher.verify(ctx, want, normal)
	if err != nil {
		return User{}, err
	}
	if !match && reason == "" {
		reason = "wrong_password"
	}
	if reason != "" || !fits {
		note(ctx, audit.LoginFailed, user.ID, reason)
		return User{}, ErrWrongCredentials
	}
	if !want.current(s.hasher.params) {
		user.PasswordHash = s.renew(ctx, user, normal)
	}
	return user, nil
}

// usableHash returns the hash to compare with, and why nothing can match it:
// "" if something can.
func (s *Service) usableHash(user User, found bool) (want phc, reason string) {
	switch {
	case !found:
		return s.hasher.dummy, "unknown_user"
	case user.Disabled:
		return s.hasher.dummy, "disabled"
	case user.PasswordHash == "":
		return s.hasher.dummy, "no_password"
	}
	want, err := parsePHC(user.PasswordHash)
	if err != nil {
		return s.hasher.dummy, "unusable_hash"
	}
	return want, ""
}

// renew replaces a hash with old parameters and returns the one that is now
// stored. If that fails, the old one stays and the next sign-in tries again.
func (s *Service) renew(ctx context.Context, user User, normal string) string {
	fresh, err := s.hasher.hash(ctx, normal)
	if err != nil || s.store.UpgradePassword(ctx, user.ID, user.PasswordHash, fresh) != nil {
		return user.PasswordHash
	}
	return fresh
}

// confirm looks at the person once more after the session is stored. A change
// of password, or disabling, ends the sessions that it finds: one that came
// between our check and our session would have found nothing.
func (s *Service) confirm(ctx context.Context, was User, password secret.Value, id secret.ID) error {
	user, err := s.store.UserByID(ctx, was.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("confirm user: %w", err)
	}
	if err == nil && user.PasswordHash == was.PasswordHash && !user.Disabled {
		return nil
	}
	if want, reason := s.usableHash(user, err == nil); reason == "" { // a parallel sign-in may have renewed it
		normal, _ := normalPassword(password)
		if match, err := s.hasher.verify(ctx, want, normal); err == nil && match {
			return nil
		}
	}
	now := seconds(s.now())
	if err := s.store.TouchSession(ctx, id, now, now); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("end session: %w", err)
	}
	note(ctx, audit.LoginFailed, was.ID, "changed_meanwhile")
	return ErrWrongCredentials
}
