package account

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
)

// What a change of factors can come to, beside ErrNotFound and ErrTooMany.
var (
	// ErrLastFactor: people must have a second factor here, and this is the last one.
	ErrLastFactor = errors.New("a second factor is required, and this is the last one")
	// ErrCodesStopped: codes of the person's authenticator apps no longer count, as
	// there were MostWrongCodes wrong ones in a row. A recovery code or a new
	// authenticator lets them count again.
	ErrCodesStopped = errors.New("too many wrong codes in a row")
	// ErrTooSoon: a code is not looked at before its time.
	ErrTooSoon = errors.New("too soon after wrong codes")
)

// Authenticator is an app that shows codes of a secret (RFC 6238).
type Authenticator struct {
	ID          string
	UserID      string
	Name        string
	Sealed      string // the secret; see Service.openSeed
	LastStep    int64  // of the last code that counted; none of this step or an earlier one does
	CreatedAt   time.Time
	ConfirmedAt time.Time // zero: no code was right yet, and it proves nothing
	LastUsed    time.Time // zero: never
}

// Tries are the codes that somebody has typed in a row without a right one.
type Tries struct {
	Failed int       // with this one
	Next   time.Time // before this, none is looked at
}

// Removal is what a factor is taken away with.
type Removal struct {
	UserID    string
	Spare     Session // stays, whatever it was opened with
	Needed    bool    // ErrLastFactor rather than to leave the person without a second factor
	Now, Keep time.Time
}

// PasswordChange is a new password that one session is to outlive.
type PasswordChange struct {
	UserID    string
	Version   int64 // of the person before
	Hash      string
	Replaces  secret.ID // the session in which it is changed
	Next      Session   // takes its place, for the person at Version+1
	Now, Keep time.Time
}

// FactorStore keeps authenticators and recovery codes. ErrNotFound stands for an
// unknown person as well.
type FactorStore interface {
	// Authenticators returns the person's, the oldest first, also the one that is
	// not confirmed.
	Authenticators(ctx context.Context, userID string) ([]Authenticator, error)
	// AddAuthenticator stores one that is not confirmed, in the place of such a one
	// before it. ErrTooMany if the person has most confirmed ones.
	AddAuthenticator(ctx context.Context, a Authenticator, most int) error
	// ConfirmAuthenticator makes it count, from the step after a.LastStep on, under
	// a.Name. ErrNotFound if it is confirmed already, ErrTooMany as above. Wrong codes
	// before it are forgotten.
	ConfirmAuthenticator(ctx context.Context, a Authenticator, most int) error
	// UseStep spends the code of a step: ErrNotFound if that or a later one is spent.
	// Wrong codes before it are forgotten.
	UseStep(ctx context.Context, userID, id string, step int64, now time.Time) error
	// RemoveAuthenticator removes it and returns it. If it was confirmed, the person's
	// version grows, and sessions that were opened with a code end with their grants.
	RemoveAuthenticator(ctx context.Context, id string, r Removal) (Authenticator, error)

	// ReplaceRecoveryCodes lets these, and no others, be used once each.
	ReplaceRecoveryCodes(ctx context.Context, userID string, hashes []string, now time.Time) error
	// UseRecoveryCode spends one and returns how many are left; ErrNotFound if it is
	// none of the person's, or spent. Wrong codes before it are forgotten.
	UseRecoveryCode(ctx context.Context, userID, hash string) (left int, err error)
	// RecoveryCodesMade is when those of the person were made; zero: there are none.
	RecoveryCodesMade(ctx context.Context, userID string) (time.Time, error)

	// SpendTry counts a code before it is looked at, by its method: a right one takes
	// all of them back. ErrTooSoon, with when, before the time that wait has given for
	// the tries so far; ErrCodesStopped after most of them, 0 for any number.
	SpendTry(ctx context.Context, userID string, m Method, now time.Time, wait func(failed int) time.Duration, most int) (Tries, error)

	// ChangePassword replaces the hash and a session, and ends all other sessions and
	// grants of the person. ErrNotFound if the session has ended, or the person has
	// changed since.
	ChangePassword(ctx context.Context, c PasswordChange) error
	// ResetFactors removes every passkey, authenticator and recovery code, and ends
	// every session and grant.
	ResetFactors(ctx context.Context, userID string, now, keep time.Time) error
}
