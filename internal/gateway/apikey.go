package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sallyport/internal/apikey"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Keys finds API keys. It must answer from memory where it can, and bound what
// strangers can make it remember.
type Keys interface {
	// Find returns the key with that hash, dead or not, or apikey.ErrNotFound.
	Find(context.Context, secret.Hash) (*apikey.Key, error)
	// Used notes a call with the key. It must not block.
	Used(secret.ID)
}

// isAPIKey reports whether a credential calls itself an API key.
func isAPIKey(tok string) bool {
	return len(tok) > len(secret.APIKey) && tok[len(secret.APIKey)] == '_' && tok[:len(secret.APIKey)] == string(secret.APIKey)
}

// openKey takes an API key in place of a token. It is static, so it counts only
// where the tier is low and the API says so (T014), and the store is asked only
// then. What it may do is the list of operations that it was made for.
func (c *call) openKey() refusal {
	if c.op.tier != token.TierLow || !c.api.apiKeys || c.g.keys == nil {
		return refusal{problem: classNotAllowed, reason: "credential_class", challenge: c.op.challenges.missing}
	}
	if c.cred.scheme != schemeBearer {
		return c.invalid("key_as_dpop")
	}
	text := c.cred.token.Reveal()
	if kind, ok := secret.Kind(text); !ok || kind != secret.APIKey {
		return c.invalid("key_form")
	}
	key, err := c.g.keys.Find(c, c.cred.token.Hash())
	switch now := c.g.now(); {
	case errors.Is(err, apikey.ErrNotFound):
		return c.invalid("key_unknown")
	case err != nil:
		return refusal{problem: unavailable, reason: "keys_unavailable"}
	case !key.RevokedAt.IsZero():
		return c.invalid("key_revoked")
	case !now.Before(key.ExpiresAt):
		return c.invalid("key_expired")
	case key.API != c.api.name:
		return c.invalid("key_api")
	default:
		c.access = c.keyAccess(key, now)
	}
	c.opened, c.key, c.drops = true, key, c.g.ring.Drops()
	return handled
}

// keyAccess is what an API key says, in the form of a token that has just been
// made. A stream ends when a token of this tier would.
func (c *call) keyAccess(key *apikey.Key, now time.Time) token.Access {
	life := int64(key.ExpiresAt.Sub(now) / time.Second)
	return token.Access{
		Serial: key.ID, ClientID: token.KeySubject(key.ID), Subject: token.KeySubject(key.ID), Audience: c.api.audience,
		Scope: c.api.keyScopes(key), IssuedAt: now.Unix(), Lifetime: max(1, min(life, c.op.maxLifetime)), Tier: token.TierLow,
	}
}

// keyScopes are the scopes of the operations that a key is for: a backend that
// looks at the scope sees the same as of a client with these rights.
func (api *route) keyScopes(key *apikey.Key) string {
	var list []string
	for _, label := range key.Operations {
		if scope := api.scopeOf[label]; scope != "" && !slices.Contains(list, scope) {
			list = append(list, scope)
		}
	}
	return strings.Join(list, " ")
}

// authorizeKey holds a key against its list of operations (T026). Whatever asks
// for a person, it never passes (T025).
func (c *call) authorizeKey() refusal {
	switch {
	case !slices.Contains(c.key.Operations, c.op.label):
		return refusal{problem: keyOperation, reason: "key_operation"}
	case c.api.peopleOnly || c.op.acr != "" || c.op.maxAge > 0:
		return refusal{problem: noPerson, reason: "no_person"}
	}
	c.g.keys.Used(c.key.ID)
	return handled
}

// allowsKey reports whether a key that was accepted before would be under this
// policy.
func (api *route) allowsKey(key *apikey.Key, op *operation) bool {
	return api.apiKeys && api.name == key.API && op.tier == token.TierLow && slices.Contains(key.Operations, op.label) && op.acr == "" && op.maxAge == 0
}
