package gateway

import (
	"context"
	"errors"
	"net"

	"sallyport/internal/audit"
	"sallyport/internal/revocation"
)

// failure says what an error of the exchange with the upstream means. None of
// its text leaves: it names addresses.
func (c *call) failure(err error) refusal {
	switch cause := context.Cause(c.Context); {
	case c.body != nil && c.body.over.Load():
		return refusal{problem: bodyTooLarge, reason: "body_size"}
	case c.body != nil && c.body.bad.Load():
		return refusal{problem: invalidRequest, reason: "body_malformed"}
	case errors.Is(cause, revocation.CauseRevoked):
		return c.invalid("token_revoked")
	case errors.Is(cause, revocation.CauseExpired):
		return c.invalid("token_expired")
	case errors.Is(cause, errStale):
		return refusal{problem: unavailable, reason: "feed_stale", event: audit.FeedStale}
	case errors.Is(cause, errClosing):
		return refusal{problem: unavailable, reason: "closing"}
	case errors.Is(cause, errIdle):
		return refusal{problem: gatewayTimeout, reason: "upstream_idle"}
	case errors.Is(cause, context.DeadlineExceeded):
		return refusal{problem: gatewayTimeout, reason: "deadline"}
	case cause != nil:
		return refusal{problem: clientGone, reason: "client_gone"}
	}
	var refused *Refused
	if errors.As(err, &refused) {
		return refused.refusal()
	}
	why, no := "upstream_failed", badGateway
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		why, no = "upstream_timeout", gatewayTimeout
	case errors.As(err, &dns):
		why = "upstream_name"
	case errors.As(err, &op) && op.Op == "dial":
		why = "upstream_dial"
	}
	return refusal{problem: no, reason: why}
}
