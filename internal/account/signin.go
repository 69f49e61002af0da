package account

import (
	"context"
	"errors"
	"fmt"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// SignIn checks a name and a password. If that is enough for the visit, it opens a
// session, which has a new ID and secret whatever the browser had before (AU13);
// otherwise Progress says how to go on.
//
// It returns ErrWrongCredentials, *ThrottledError or ErrBusy. An unknown name,
// a disabled person, one without a password and a wrong password cost the same
// work, one hash, and give the same answer (AU05). Between a hash with old
// parameters and the rest there is a difference in time until its owner signs
// in, which renews it.
//
// Failures are limited for account and address, address and network; see
// begin. A success is not counted.
func (s *Service) SignIn(ctx context.Context, v Visit, username string, password secret.Value) (Progress, error) {
	name, err := FoldUsername(username)
	if err != nil {
		name = "\x00" + username // nobody has it, and it is counted all the same
	}
	a, err := s.begin(ctx, name, v.Remote)
	if err != nil {
		return Progress{}, err
	}
	user, err := s.authenticate(ctx, name, password)
	if err != nil {
		if !errors.Is(err, ErrWrongCredentials) {
			a.refund()
		}
		return Progress{}, err
	}
	a.refund()
	return s.prove(ctx, v, user, Password)
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
		s.renew(ctx, user, normal)
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

// renew replaces a hash with old parameters. If that fails, the old one stays and
// the next sign-in tries again.
func (s *Service) renew(ctx context.Context, user User, normal string) {
	if fresh, err := s.hasher.hash(ctx, normal); err == nil {
		_ = s.store.UpgradePassword(ctx, user.ID, user.PasswordHash, fresh)
	}
}
