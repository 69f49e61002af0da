package gateway

import (
	"time"

	"sallyport/internal/token"
)

// authorize decides whether the token allows the operation.
//
// Tier high also asks for a token that is bound to a key of the client. No
// such binding can be proved here yet, and a bound token without proof is
// refused by verify, so no call at tier high passes today. It is refused in the
// order in which a client can act: scope, then the person's authentication with
// a challenge (RFC 9470 §3), then the missing binding as invalid_token.
func (c *call) authorize() refusal {
	a, op := &c.access, c.op
	switch {
	case !a.HasScope(op.scope):
		return refusal{problem: noScope, reason: "scope", challenge: op.challenges.scope}
	case !token.ACRSatisfies(a.ACR, op.acrFor(a)):
		return refusal{problem: stepUp, reason: "acr", challenge: op.challenges.stepUp}
	case op.maxAge > 0 && c.g.now().Sub(time.Unix(a.AuthTime, 0)) > op.maxAge:
		return refusal{problem: stepUp, reason: "max_age", challenge: op.challenges.stepUp}
	case c.api.tier >= token.TierHigh:
		return c.invalid("token_not_bound")
	}
	return handled
}

// acrFor is the weakest authentication that will do. What the operation asks
// for holds for everybody; what the tier asks for holds for people.
func (op *operation) acrFor(a *token.Access) string {
	if a.IsPerson() {
		return op.personACR
	}
	return op.acr
}

// stronger returns the stronger of two known classes; "" is the weakest.
func stronger(a, b string) string {
	if token.ACRSatisfies(a, b) {
		return a
	}
	return b
}
