package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
)

// Reason says in one word how a request went, for metrics and events: there
// are few, and no part of them comes from outside.
type Reason string

// The reasons.
const (
	ReasonOK       Reason = "ok"
	ReasonURL      Reason = "url"      // the URL is not one that may be asked
	ReasonAddress  Reason = "address"  // it leads to an address that is refused; nothing was sent
	ReasonRequest  Reason = "request"  // the caller's headers cannot be sent
	ReasonBusy     Reason = "busy"     // too many requests wait for this host
	ReasonResolve  Reason = "resolve"  // the name has no address, or none that could be had
	ReasonConnect  Reason = "connect"  // nobody answers
	ReasonTLS      Reason = "tls"      // no TLS, or a certificate that does not hold
	ReasonTimeout  Reason = "timeout"  // the time was up, ours or the caller's
	ReasonCanceled Reason = "canceled" // the caller left
	ReasonResponse Reason = "response" // not an HTTP response, one that broke off, or a head that is too large
	ReasonRedirect Reason = "redirect" // redirects are never followed
	ReasonStatus   Reason = "status"   // another status than success
	ReasonType     Reason = "type"     // not JSON
	ReasonEncoding Reason = "encoding" // compressed, although that was not asked for
	ReasonSize     Reason = "size"     // the body is too large
	ReasonOther    Reason = "other"    // an error that is not of this package
)

// Reasons lists all of them.
func Reasons() []Reason {
	return []Reason{
		ReasonOK, ReasonURL, ReasonAddress, ReasonRequest, ReasonBusy, ReasonResolve, ReasonConnect, ReasonTLS, ReasonTimeout,
		ReasonCanceled, ReasonResponse, ReasonRedirect, ReasonStatus, ReasonType, ReasonEncoding, ReasonSize, ReasonOther,
	}
}

// ReasonOf returns the reason in err, ReasonOK for nil.
func ReasonOf(err error) Reason {
	var e *Error
	switch {
	case err == nil:
		return ReasonOK
	case errors.As(err, &e):
		return e.Reason
	}
	return ReasonOther
}

// Error is every error of a Client. Its text names the host and nothing else
// of the URL, whose path or query may be a credential, and quotes nothing that
// the other side sent.
type Error struct {
	Reason Reason
	Host   string // host and port; "" if the URL has none that could be read
	Status int    // with ReasonStatus and ReasonRedirect

	detail string // in our own words
	cause  error  // context.Canceled, context.DeadlineExceeded or nil
}

func (e *Error) Error() string {
	text := "outbound request"
	if e.Host != "" {
		text += " to " + e.Host
	}
	text += ": " + string(e.Reason)
	if e.Status != 0 {
		text += fmt.Sprintf(" %d", e.Status)
	}
	if e.detail != "" {
		text += ": " + e.detail
	}
	return text
}

// Detail says more in words of ours, such as the kind of an address; "" if there
// is no more.
func (e *Error) Detail() string { return e.detail }

// Unwrap returns the error of the context that ended the request, if one did.
func (e *Error) Unwrap() error { return e.cause }

func badURL(host, detail string) *Error {
	return &Error{Reason: ReasonURL, Host: host, detail: detail}
}

// failed makes one of ours of any error on the way: of the errors of others
// only the kind is kept. ctx is the request's, with our own time limit.
func failed(ctx context.Context, t *target, otherwise Reason, err error) error {
	e := &Error{Reason: otherwise, Host: t.host()}
	var ours *Error
	switch cause := ctx.Err(); {
	case errors.Is(cause, context.Canceled):
		e.Reason, e.cause = ReasonCanceled, cause
	case cause != nil:
		e.Reason, e.cause = ReasonTimeout, cause
	case errors.As(err, &ours):
		e = ours
	}
	return e
}

// certificateFault says what an operator needs to know of a failed handshake.
func certificateFault(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &authority):
		return "the certificate is of an unknown authority"
	case errors.As(err, &name):
		return "the certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet"
	case errors.As(err, &invalid):
		return "the certificate is not valid"
	}
	return "the handshake failed"
}
