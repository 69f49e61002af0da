package upstream

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"sallyport/internal/token/jose"
)

const (
	idTokenAge  = 15 * time.Minute    // some date it five minutes back
	idTokenLife = 31 * 24 * time.Hour // some let it live for days; it counts now and never again
	skew        = time.Minute
	freshWithin = 5 * time.Minute // how long ago a new sign-in may have been
	maxIdentity = 255             // bytes of sub (OpenID Connect Core §2) and sid
)

// verifyID verifies an ID token (OpenID Connect Core §3.1.3.7): of this issuer, for us
// alone, by one of the algorithms that the provider names, new, with our nonce.
func (p *provider) verifyID(ctx context.Context, m *metadata, got tokens, sent away) (*jose.Claims, error) {
	v, err := p.verifier(m, "ID token", []string{"", "jwt"}, idTokenAge, idTokenLife)
	if err != nil {
		return nil, err
	}
	c, err := v.Verify(ctx, got.id)
	if err != nil {
		return nil, verdict("id_token", err)
	}
	nonce, err := c.String("nonce")
	switch {
	case err != nil || subtle.ConstantTimeCompare([]byte(nonce), []byte(sent.Nonce)) != 1:
		return nil, refuse("id_token_nonce")
	case !p.ours(c):
		return nil, refuse("id_token_claims")
	case c.Subject == "" || len(c.Subject) > maxIdentity:
		return nil, refuse("id_token_sub")
	case !accessFits(c, got.access.Reveal()):
		return nil, refuse("id_token_at_hash")
	case sent.Fresh && kinds[p.Kind].dated && !p.isFresh(c):
		return nil, refuse("id_token_auth_time")
	}
	return c, nil
}

// verifier is for tokens that the provider signs for us. Issuer and audience are
// exact; that of all tenants of Microsoft is judged by ours.
func (p *provider) verifier(m *metadata, purpose string, types []string, age, life time.Duration) (*jose.Verifier, error) {
	issuer := jose.Exactly(m.issuer)
	if strings.Contains(m.issuer, tenantID) {
		issuer = jose.Any()
	}
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: purpose, Types: types, Algorithms: m.algorithms, Keys: m.keys, Issuer: issuer, Audience: jose.Exactly(p.ClientID),
		MaxAge: age, MaxLife: life, Skew: skew, Now: p.now,
	})
	if err != nil {
		return nil, fail(ErrRefused, "verifier", err)
	}
	return v, nil
}

// ours reports whether the token is of this provider, for a tenant that may sign in
// if it has tenants, and whether azp, if it is there, is us.
func (p *provider) ours(c *jose.Claims) bool {
	azp, err := c.String("azp")
	if err != nil || azp != "" && azp != p.ClientID {
		return false
	}
	if p.Kind == Microsoft {
		tid, err := c.String("tid")
		if err != nil || !p.admits(tid) || strings.Replace(p.expectedIssuer(), tenantID, tid, 1) != c.Issuer {
			return false
		}
	}
	return p.speaksFor(c.Issuer)
}

// accessFits compares at_hash, where it is there, with the access token: the left half
// of its hash by the algorithm of the signature (OpenID Connect Core §3.1.3.6).
func accessFits(c *jose.Claims, access string) bool {
	if !c.Has("at_hash") {
		return true
	}
	want, err := c.String("at_hash")
	if err != nil {
		return false
	}
	var sum []byte
	switch alg := string(c.Algorithm()); {
	case strings.HasSuffix(alg, "256"):
		h := sha256.Sum256([]byte(access))
		sum = h[:]
	case strings.HasSuffix(alg, "384"):
		h := sha512.Sum384([]byte(access))
		sum = h[:]
	default: // 512, and Ed25519, which hashes by SHA-512
		h := sha512.Sum512([]byte(access))
		sum = h[:]
	}
	have := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	return subtle.ConstantTimeCompare([]byte(have), []byte(want)) == 1
}

func (p *provider) isFresh(c *jose.Claims) bool {
	at, err := c.Int("auth_time")
	now := p.now()
	return err == nil && at > 0 && now.Unix()-at <= int64((freshWithin+skew)/time.Second) && at-now.Unix() <= int64(skew/time.Second)
}

// multiFactor reports whether acr or amr has one of the values that the operator
// believes.
func (p *provider) multiFactor(c *jose.Claims) bool {
	if len(p.MultiFactor) == 0 {
		return false
	}
	acr, err := c.String("acr")
	if err == nil && acr != "" && slices.Contains(p.MultiFactor, acr) {
		return true
	}
	amr, err := c.Strings("amr")
	return err == nil && slices.ContainsFunc(amr, func(a string) bool { return slices.Contains(p.MultiFactor, a) })
}

// verdict tells a token that does not hold from keys that cannot be had.
func verdict(what string, err error) error {
	if r := jose.ReasonOf(err); r != "" {
		return fail(ErrRefused, what+"_"+string(r), nil)
	}
	return fail(ErrUnavailable, what+"_keys", err)
}
