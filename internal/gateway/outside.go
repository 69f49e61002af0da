package gateway

import (
	"context"
	"net/http"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/token"
)

// Caller says who calls what, to a Screen and to a Transport.
type Caller struct {
	API       string
	Operation int    // index in API.Operations
	Label     string // of the operation, "GET /v1/geocode"
	Subject   string // account ID, or the client's for one that acts for itself
	ClientID  string
	Person    bool
	Tier      token.Tier // of the operation
}

// CallerOf returns the caller behind the context of a request that a Transport
// is given, and false for a request that is none of the gateway's.
func CallerOf(ctx context.Context) (Caller, bool) {
	c := callOf(ctx)
	if c == nil || c.op == nil || !c.opened {
		return Caller{}, false
	}
	return c.caller(), true
}

func (c *call) caller() Caller {
	return Caller{
		API: c.api.name, Operation: c.op.index, Label: c.op.label, Subject: c.access.Subject, ClientID: c.access.ClientID,
		Person: c.access.IsPerson(), Tier: c.op.tier,
	}
}

// Answer is what a caller is told by a Refused.
type Answer uint8

// The answers. Zero is a 502.
const (
	AnswerUpstream    Answer = iota // 502: the upstream gave nothing that can be passed on
	AnswerMalformed                 // 400
	AnswerTooLarge                  // 413
	AnswerType                      // 415
	AnswerTooMany                   // 429
	AnswerUnavailable               // 503
	AnswerTimeout                   // 504
)

var answers = [...]*problem{
	AnswerUpstream: badGateway, AnswerMalformed: invalidRequest, AnswerTooLarge: bodyTooLarge, AnswerType: wrongType,
	AnswerTooMany: tooMany, AnswerUnavailable: unavailable, AnswerTimeout: gatewayTimeout,
}

// Refused is an error by which a Screen or a Transport refuses a call. Only the
// answer is for the caller; Reason is one of a fixed set of words, for the log.
type Refused struct {
	Answer     Answer
	Reason     string
	Event      audit.Name    // empty for audit.RequestRefused
	RetryAfter time.Duration // 0: nothing is said of it
}

// Error implements error.
func (r *Refused) Error() string { return "refused: " + r.Reason }

func (r *Refused) refusal() refusal {
	return refusal{problem: answers[r.Answer], reason: r.Reason, event: r.Event, after: r.RetryAfter}
}

// Screen judges a request beyond what the gateway does by itself, when its
// token has been found to allow it and before anything is counted or used up.
// It sees the request as received, query included, and must not change it.
type Screen func(r *http.Request, query string, by Caller) *Refused

// screen lets the API's own rules judge the request.
func (c *call) screen() refusal {
	if c.api.screen == nil {
		return handled
	}
	if no := c.api.screen(c.r, c.query, c.caller()); no != nil {
		return no.refusal()
	}
	return handled
}
