package gateway

import (
	"time"

	"sallyport/internal/token"
)

// authorize decides whether the token allows the operation.
// It refuses in the order in which a client can act: scope, then the person's
// authentication with a challenge (RFC 9470 §3).
func (c *call) authorize() refusal {
	a, op := &c.access, c.op
	switch {
	case c.key != nil:
		return c.authorizeKey()
	case c.api.peopleOnly && !a.IsPerson():
		return refusal{problem: noPerson, reason: "no_person"}
	case !a.HasScope(op.scope):
		return refusal{problem: noScope, reason: "scope", challenge: c.challenges().scope}
	case !token.ACRSatisfies(a.ACR, op.acrFor(a)):
		return refusal{problem: stepUp, reason: "acr", challenge: c.challenges().stepUp}
	case op.maxAge > 0 && c.g.now().Sub(time.Unix(a.AuthTime, 0)) > op.maxAge:
		return refusal{problem: stepUp, reason: "max_age", challenge: c.challenges().stepUp}
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
