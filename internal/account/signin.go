package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"

	"sallyport/internal/audit"
	"sallyport/internal/passhash"
	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
)

// SignIn checks a name and a password. If that is enough for the visit, it opens a
// session, which has a new ID and secret whatever the browser had before (AU13);
// otherwise Progress says how to go on.
//
// It returns ErrWrongCredentials, *ThrottledError or ErrBusy. An unknown name,
// a disabled person, one without a password and a wrong password cost the same
// work, one hash, and give the same answer (AU05). Between a hash with old
// parameters, or one that was imported, and the rest there is a difference in time
// until its owner signs in, which renews it.
//
// Failures are limited for account and address, address and network; see
// begin. A success is not counted. Where passwords are being tried in bulk, one
// alone may be too little in a browser that is not known for the person; see danger.
func (s *Service) SignIn(ctx context.Context, v Visit, username string, password secret.Value) (Progress, error) {
	name, err := FoldUsername(username)
	if err != nil {
		name = "\x00" + username // nobody has it, and it is counted all the same
	}
	a, err := s.begin(ctx, &v, name)
	if err != nil {
		return Progress{}, err
	}
	user, due, err := s.authenticate(ctx, name, password, v.Remote)
	if err != nil {
		if errors.Is(err, ErrWrongCredentials) {
			s.failed(ctx, &v, name, password)
		} else {
			a.refund()
		}
		return Progress{}, err
	}
	a.refund()
	if v.danger, err = s.danger(ctx, &v, name, a.failures, password); err != nil {
		return Progress{}, err
	}
	p, err := s.prove(ctx, v, user, Password)
	p.PasswordDue = due && err == nil
	return p, err
}

// authenticate computes exactly one hash for every name, and one more when it
// renews a hash after a success. due says that the password should be replaced: the
// rules for new ones would refuse it, or an imported hash has never compared all of it.
func (s *Service) authenticate(ctx context.Context, name string, password secret.Value, remote netip.Addr) (user User, due bool, err error) {
	user, err = s.store.UserByName(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, false, fmt.Errorf("find user: %w", err)
	}
	want, reason := s.usableHash(user, err == nil)
	normal, fits := normalPassword(password)
	source := ratelimit.Network(remote)
	match, err := s.hasher.verify(ctx, source, want, s.forms(want, normal, password)...)
	switch {
	case errors.Is(err, ErrBusy):
		return User{}, false, err
	case err != nil: // the key over it has been destroyed: nothing can fit
		reason = cmp.Or(reason, "unusable_hash")
	case !match:
		reason = cmp.Or(reason, "wrong_password")
	}
	if reason != "" || !fits {
		note(ctx, audit.LoginFailed, user.ID, reason)
		return User{}, false, ErrWrongCredentials
	}
	if passhash.Truncates(want, normal) {
		return user, true, nil
	}
	if !s.hasher.current(want) {
		s.renew(ctx, source, user, normal)
	}
	_, err = s.checkNew(ctx, secret.New(normal), user)
	return user, err != nil, nil
}

// forms are what a password is compared as: NFC, which our hashes are made of, and
// for a hash from elsewhere also just as it was typed.
func (s *Service) forms(want passhash.Hash, normal string, typed secret.Value) []string {
	if normal == "" || s.hasher.current(want) || typed.Reveal() == normal {
		return []string{normal}
	}
	return []string{normal, typed.Reveal()}
}

// usableHash returns the hash to compare with, and why nothing can match it:
// "" if something can.
func (s *Service) usableHash(user User, found bool) (want passhash.Hash, reason string) {
	switch {
	case !found:
		return s.hasher.dummy, "unknown_user"
	case user.Disabled:
		return s.hasher.dummy, "disabled"
	case user.PasswordHash == "":
		return s.hasher.dummy, "no_password"
	}
	want, err := passhash.Parse(user.PasswordHash)
	if err != nil {
		return s.hasher.dummy, "unusable_hash"
	}
	return want, ""
}

// renew replaces a hash that is not what a new one would be. If that fails, the old
// one stays and the next sign-in tries again.
func (s *Service) renew(ctx context.Context, source string, user User, normal string) {
	if fresh, err := s.hasher.hash(ctx, source, normal); err == nil {
		_ = s.store.UpgradePassword(ctx, user.ID, user.PasswordHash, fresh)
	}
}
