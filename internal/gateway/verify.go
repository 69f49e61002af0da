package gateway

import (
	"errors"

	"sallyport/internal/audit"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// authenticate takes the credential, opens it, and asks whoever sent it to prove
// what it is bound to.
func (c *call) authenticate() refusal {
	if c.api.browser != nil {
		if taken, no := c.fromCookie(); no.refused() {
			return no
		} else if taken {
			return c.openAndConfirm()
		}
	}
	var no *problem
	var why string
	c.cred, no, why = readCredential(c.r.Header["Authorization"])
	if c.op.formToken && (no == nil || why == "no_credential") {
		no, why = c.readForm(no, why)
	}
	switch no {
	case nil:
	case invalidRequest:
		return refusal{problem: no, reason: why, challenge: c.challenges().invalidRequest}
	case bodyTooLarge:
		return refusal{problem: no, reason: why}
	default:
		return refusal{problem: no, reason: why, challenge: c.op.challenges.missing}
	}
	if isAPIKey(c.cred.token.Reveal()) {
		if no := c.openKey(); no.refused() {
			return no
		}
		return c.verify()
	}
	return c.openAndConfirm()
}

// openAndConfirm opens the token and decides whether it counts for who sent it.
func (c *call) openAndConfirm() refusal {
	err := c.open()
	if errors.Is(err, jose.ErrKeysUnavailable) {
		return refusal{problem: unavailable, reason: "keys_unavailable"}
	}
	if err != nil {
		return c.invalid(openReason(err))
	}
	c.opened = true
	if no := c.verify(); no.refused() {
		return no
	}
	return c.confirm()
}

// open fills the call's access token from either form. A JWT says no tier: it is
// that of the API.
func (c *call) open() error {
	c.drops = c.g.ring.Drops()
	format, err := c.g.reader.Open(c, c.cred.token.Reveal(), &c.access)
	if format == token.FormatJWT {
		c.access.Tier = c.op.tier
	}
	return err
}

// openReason is our own word for a token that does not open. Of a JWT, which
// others can make, it says which check was the first to fail (T067, LG08).
func openReason(err error) string {
	switch r := jose.ReasonOf(err); r {
	case "":
		return "token_form"
	case jose.ReasonExpired:
		return "token_expired"
	default:
		return string(r)
	}
}

// verify decides whether the token counts here and now. Each failure has its
// own word in the audit record and the same answer.
func (c *call) verify() refusal {
	a := &c.access
	// A token that was issued for a lower tier lives no longer than this one allows.
	a.Lifetime = min(a.Lifetime, c.op.maxLifetime)
	switch {
	case a.Expired(c.g.now()):
		return c.invalid("token_expired")
	case !a.HasAudience(c.api.audience):
		return c.invalid("token_audience")
	case !c.g.feed.Fresh(c.op.tier):
		return refusal{problem: unavailable, reason: "feed_stale", event: audit.FeedStale}
	case c.g.feed.Revoked(a):
		return c.invalid("token_revoked")
	}
	return handled
}

func (c *call) invalid(why string) refusal {
	return refusal{problem: invalidToken, reason: why, challenge: c.challenges().invalidToken}
}
