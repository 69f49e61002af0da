package upstream

import "errors"

// What the edge must tell apart. Each is the class of an *Error.
var (
	// ErrState: the answer is not one that this browser waits for: forged, replayed,
	// too late, of another browser, or for another provider.
	ErrState = errors.New("this answer belongs to no sign-in of this browser")
	// ErrCancelled: the person did not want to, or the provider did not let them.
	ErrCancelled = errors.New("the sign-in was cancelled at the provider")
	// ErrUnavailable: the provider cannot be asked at the moment.
	ErrUnavailable = errors.New("the provider cannot be reached")
	// ErrRefused: the provider's answer does not hold.
	ErrRefused = errors.New("the provider's answer is not valid")
	// ErrUnknown: there is no such provider.
	ErrUnknown = errors.New("no such provider")
)

// Error is every error of a Service. Reason is one word of ours for the log.
type Error struct {
	Class  error
	Reason string
	cause  error
}

// Error implements error. It quotes nothing that came from outside.
func (e *Error) Error() string {
	text := e.Class.Error() + ": " + e.Reason
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap gives errors.Is the class and the cause.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.cause}
}

func fail(class error, reason string, cause error) error { return &Error{class, reason, cause} }

func refuse(reason string) error { return &Error{ErrRefused, reason, nil} }

// ReasonOf is the word for the log, "" for errors of others.
func ReasonOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
