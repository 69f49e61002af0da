package account

import (
	"errors"
	"fmt"
	"time"
)

// What a caller of the service must tell apart, beside ErrNotFound and
// ErrExists.
var (
	// ErrWrongCredentials does not say what was wrong: an unknown name, a wrong
	// password, a disabled person and one without a password are alike.
	ErrWrongCredentials = errors.New("wrong username or password")
	// ErrBusy: too many passwords are being checked at this moment. Nothing was
	// decided; try again in a few seconds.
	ErrBusy = errors.New("too many sign-ins at once")
)

// ThrottledError refuses an attempt without looking at the password.
type ThrottledError struct {
	RetryAfter time.Duration // more than zero
}

// Error implements error.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many failed sign-ins, try again in %s", e.RetryAfter.Round(time.Second))
}

// InvalidError refuses what somebody wants to set. Problem completes a
// sentence that begins with the field's name, in English, for commands; pages have
// Key in their catalogue.
type InvalidError struct {
	Field   string // username, name, email or password
	Reason  string // of a fixed list: empty, short, long, control, guessable, breached, form
	Problem string
	Limit   int // that was not kept; 0: none
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Field + " " + e.Problem }

// Key is the name of the message for people, which has the placeholder limit where
// there is one.
func (e *InvalidError) Key() string { return "invalid." + e.Field + "." + e.Reason }

func invalid(field, reason, problem string) error {
	return &InvalidError{Field: field, Reason: reason, Problem: problem}
}

func beyond(field, reason string, limit int, problem string) error {
	return &InvalidError{Field: field, Reason: reason, Problem: problem, Limit: limit}
}
