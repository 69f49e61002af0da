package gateway

import (
	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// authenticate takes the credential and opens it.
func (c *call) authenticate() refusal {
	cred, no, why := credential(c.r.Header["Authorization"])
	switch no {
	case nil:
	case invalidRequest:
		return refusal{problem: no, reason: why, challenge: c.op.challenges.invalidRequest}
	default:
		return refusal{problem: no, reason: why, challenge: c.op.challenges.missing}
	}
	if err := c.open(cred); err != nil {
		return c.invalid("token_form")
	}
	c.opened = true
	return c.verify()
}

// open fills the call's access token from either form. A JWT says no tier: it is
// that of the API.
func (c *call) open(cred secret.Value) error {
	format, err := c.g.reader.Open(c, cred.Reveal(), &c.access)
	if format == token.FormatJWT {
		c.access.Tier = c.api.tier
	}
	return err
}

// verify decides whether the token counts here and now. Each failure has its
// own word in the audit record and the same answer.
func (c *call) verify() refusal {
	a := &c.access
	// A token that was issued while the API had a lower tier lives no longer
	// than the tier of today allows.
	a.Lifetime = min(a.Lifetime, c.api.maxLifetime)
	switch {
	case a.Expired(c.g.now()):
		return c.invalid("token_expired")
	case !a.HasAudience(c.api.audience):
		return c.invalid("token_audience")
	case a.Confirm.Method != token.ConfirmNone:
		// A token that is bound to a key proves nothing without that key.
		return c.invalid("token_bound_to_key")
	case !c.g.feed.Fresh(c.api.tier):
		return refusal{problem: unavailable, reason: "feed_stale", event: audit.FeedStale}
	case c.g.feed.Revoked(a):
		return c.invalid("token_revoked")
	}
	return handled
}

func (c *call) invalid(why string) refusal {
	return refusal{problem: invalidToken, reason: why, challenge: c.op.challenges.invalidToken}
}
