package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"time"

	"sallyport/internal/idempotency"
)

// Idempotency says what an operation does with Idempotency-Key
// (draft-ietf-httpapi-idempotency-key-header-07).
type Idempotency uint8

// The ways. Safe methods need no key and their keys are nothing to the gateway.
const (
	IdempotencyByTier   Idempotency = iota // required in tier high, else optional
	IdempotencyOff                         // a key is passed on, and that is all
	IdempotencyOptional                    // a request with a key has one effect
	IdempotencyRequired                    // and one without is refused
)

// IdempotencyRecords remember what became of keys: idempotency.Memory on one
// node, idempotency.Shared on many.
type IdempotencyRecords interface {
	Claim(ctx context.Context, key idempotency.Key, request idempotency.Request, caller string, keep time.Duration) (idempotency.Record, error)
	Finish(ctx context.Context, key idempotency.Key, r idempotency.Record) error
	Forget(ctx context.Context, key idempotency.Key) error
}

// isSafe methods (RFC 9110 §9.2.1) have no effect to have twice.
func isSafeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == "QUERY"
}

// resolved is what holds for an operation of one method in one tier.
func (i Idempotency) resolved(method string, d demands) Idempotency {
	switch {
	case isSafeMethod(method):
		return IdempotencyOff
	case i != IdempotencyByTier:
		return i
	case d.bound: // high
		return IdempotencyRequired
	}
	return IdempotencyOptional
}

var (
	keyMissing   = newProblem(http.StatusBadRequest, "idempotency_key_required", "This operation needs an Idempotency-Key header: a new value for each thing that is to happen once.")
	keyMalformed = newProblem(http.StatusBadRequest, "invalid_request", "Idempotency-Key must be there once, with 1 to 255 visible ASCII characters.")
	keyReused    = newProblem(http.StatusUnprocessableEntity, "idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new one.")
	keyRunning   = newProblem(http.StatusConflict, "idempotency_key_in_use", "The request with this Idempotency-Key is still being answered. Try again.")
	keyLost      = newProblem(http.StatusConflict, "idempotency_outcome_unknown", "The request with this Idempotency-Key was made, and its outcome is not known. Look whether it had an effect before you use a new key.")
	keyGone      = newProblem(http.StatusConflict, "idempotency_answer_gone", "The request with this Idempotency-Key was made and answered, and its answer is not kept.")
)

const (
	maxKey         = 255
	maxKept        = 256 << 10       // bytes of an answer
	idempotentTime = 2 * time.Minute // for a call that goes on when its client has left
)

// claim is a key whose call is being made.
type claim struct {
	key     idempotency.Key
	request idempotency.Request
	done    bool // what came of it has been told
	close   context.CancelFunc
}

// claimKey makes sure that a request that is sent again has one effect: the first
// one is made, the others get its answer.
func (c *call) claimKey() refusal {
	mode := c.op.idempotency
	if mode == IdempotencyOff {
		return handled
	}
	lines := c.r.Header["Idempotency-Key"]
	switch {
	case lines == nil && mode == IdempotencyRequired:
		return refusal{problem: keyMissing, reason: "idempotency_key_missing"}
	case lines == nil:
		return handled
	}
	value, ok := idempotencyKey(lines)
	if !ok {
		return refusal{problem: keyMalformed, reason: "idempotency_key_malformed"}
	}
	body, no := c.readBody()
	if no.refused() {
		return no
	}
	caller := c.access.Subject + "\x00" + c.access.ClientID
	key := idempotency.Key(digest(c.api.audience, c.access.Subject, c.access.ClientID, value))
	request := idempotency.Request(digest(c.r.Method, c.path, c.query, strings.Join(c.r.Header["Content-Type"], ","), strings.Join(c.r.Header["Content-Encoding"], ","), string(body)))
	r, err := c.g.records.Claim(c.Context, key, request, caller, c.g.keepKeys)
	switch {
	case errors.Is(err, idempotency.ErrTooMany):
		return refusal{problem: tooMany, reason: "idempotency_keys", after: time.Minute}
	case err != nil:
		return refusal{problem: unavailable, reason: "idempotency_unavailable"}
	case r.State == idempotency.First:
		c.makeOnce(key, request)
		return handled
	}
	return c.answerAgain(&r, request)
}

// idempotencyKey reads the key: a string of RFC 8941 §3.3.3, as the draft has it,
// or bare, as most clients send it.
func idempotencyKey(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	s := lines[0]
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if s == "" || len(s) > maxKey {
		return "", false
	}
	for i := range len(s) {
		if b := s[i]; b <= 0x20 || b >= 0x7f || b == '"' || b == '\\' || b == ',' || b == ';' {
			return "", false
		}
	}
	return s, true
}

// digest is over parts that cannot run into each other.
func digest(parts ...string) [32]byte {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return [32]byte(h.Sum(nil))
}

// makeOnce has the call go on without its client, whose connection may be what is
// failing, and has what comes of it remembered.
func (c *call) makeOnce(key idempotency.Key, request idempotency.Request) {
	k := &claim{key: key, request: request}
	c.Context, k.close = context.WithTimeout(context.WithoutCancel(c.Context), idempotentTime)
	c.claim = k
	c.onResponse = append(c.onResponse, c.keepAnswer)
	c.onEnd = append(c.onEnd, c.endClaim)
}

// answerAgain answers one that came before.
func (c *call) answerAgain(r *idempotency.Record, request idempotency.Request) refusal {
	switch {
	case r.Request != request:
		return refusal{problem: keyReused, reason: "idempotency_key_reused"}
	case r.State == idempotency.Running:
		return refusal{problem: keyRunning, reason: "idempotency_running", after: time.Second}
	case r.State == idempotency.Lost:
		return refusal{problem: keyLost, reason: "idempotency_lost"}
	case r.State != idempotency.Done:
		return refusal{problem: keyGone, reason: "idempotency_gone"}
	}
	c.replay(&r.Answer)
	return handled
}
