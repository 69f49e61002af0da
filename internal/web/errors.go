package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
)

// Codes of the edge itself, beside those of oauth.Codes.
const (
	invalidRequest = oauth.InvalidRequest
	notFound       = "not_found"
)

// httpError is an error of HTTP rather than of OAuth: method, size, media type.
type httpError struct {
	status      int
	code        string
	description string
	allow       string
	cause       error // private
}

// Error implements error.
func (e *httpError) Error() string { return e.code + ": " + e.description }

// Unwrap returns the private cause.
func (e *httpError) Unwrap() error { return e.cause }

func bad(description string) *httpError {
	return &httpError{status: http.StatusBadRequest, code: invalidRequest, description: description}
}

var (
	// errHost answers a request for a name that is not ours: what the name says
	// would reach metadata, pages and backends.
	errHost           = &httpError{status: http.StatusMisdirectedRequest, code: invalidRequest, description: "this host is not served here"}
	errNotFound       = &httpError{status: http.StatusNotFound, code: notFound, description: "there is nothing at this address"}
	errNotAForm       = &httpError{status: http.StatusUnsupportedMediaType, code: invalidRequest, description: "the body must be " + formType}
	errTooLarge       = &httpError{status: http.StatusRequestEntityTooLarge, code: invalidRequest, description: "the body is too large"}
	errUnsafeLocation = errors.New("a redirect has characters that browsers read differently")
)

// statusClientGone is written to nobody; it is what the log says of a request
// whose client went away.
const statusClientGone = 499

// problem is an error as it leaves: everything in it may be seen by anybody.
type problem struct {
	status      int
	code        string // "" only where no credential was sent (RFC 6750 §3.1)
	description string
	reason      string // error_reason
	allow       string
	retryAfter  time.Duration
	nonce       string // DPoP-Nonce
	challenge   string // OAuth-Client-Attestation-Challenge
	id          string // of a 5xx, also in the log
}

var statusOf = func() map[string]int {
	m := map[string]int{}
	for _, c := range oauth.Codes {
		m[c.Code] = c.Status
	}
	return m
}()

// problemOf maps an error to what the outside may know. It is the only place
// that chooses a status for an error.
func problemOf(r *http.Request, err error, rules *rules) problem {
	var (
		protocol  *oauth.Error
		shown     *oauth.PageError
		edge      *httpError
		throttled *account.ThrottledError
	)
	switch {
	case errors.As(err, &edge):
		return problem{status: edge.status, code: edge.code, description: edge.description, allow: edge.allow, retryAfter: retryOf(edge.code)}
	case errors.As(err, &shown):
		return problem{status: pageStatus(shown.Code), code: shown.Code, description: shown.Description, retryAfter: retryOf(shown.Code)}
	case errors.As(err, &protocol):
		p := problem{status: statusOf[protocol.Code], code: protocol.Code, description: protocol.Description, reason: protocol.Reason, retryAfter: retryOf(protocol.Code), nonce: protocol.Nonce, challenge: protocol.Challenge}
		if protocol.Status != 0 {
			p.status = protocol.Status
		}
		if p.status == 0 || rules.bearer && proofCodes[p.code] {
			p.status = http.StatusUnauthorized
		}
		if rules.page {
			p.status = pageStatus(p.code)
		}
		return p
	case errors.As(err, &throttled):
		return problem{status: http.StatusTooManyRequests, code: oauth.TooManyRequests, description: "too many attempts; wait a little and try again", retryAfter: throttled.RetryAfter}
	case errors.Is(err, account.ErrBusy):
		return problem{status: http.StatusServiceUnavailable, code: oauth.TemporarilyUnavailable, description: "too much is going on at this moment; try again", retryAfter: busyFor}
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return problem{status: statusClientGone}
	}
	return problem{status: http.StatusInternalServerError, code: oauth.ServerError, description: "something went wrong on our side"}
}

// proofCodes are 400 where tokens are asked for, and 401 where one is used (RFC
// 9449 §5, §7.1, §8, §9).
var proofCodes = map[string]bool{oauth.InvalidDPoPProof: true, oauth.UseDPoPNonce: true}

// pageStatus is 400 for whatever a person is shown because of a bad request
// (AZ03); a 401 would ask a browser for something it cannot give.
func pageStatus(code string) int {
	if status := statusOf[code]; status >= 500 || status == http.StatusTooManyRequests || status == http.StatusForbidden {
		return status
	}
	return http.StatusBadRequest
}

func retryOf(code string) time.Duration {
	if code == oauth.TemporarilyUnavailable {
		return busyFor
	}
	return 0
}
