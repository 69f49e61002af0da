package oauth

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

const (
	// typeAssertion is typ of a client assertion (RFC 10070 §4). Older clients
	// write JWT, or nothing.
	typeAssertion = "client-authentication+jwt"

	// defaultAssertionLife is how long a client assertion may live.
	defaultAssertionLife = 5 * time.Minute

	// authSkew is how far clients' clocks may be behind ours, for exp.
	authSkew = 60 * time.Second

	maxJTI = 256
)

// proveAssertion verifies a client assertion (RFC 7523 §3 as RFC 10070 §4 has
// changed it): signed by a key of the client, by it and about it, for this issuer
// alone, short-lived, and used once.
func (s *Service) proveAssertion(ctx context.Context, c *Client, r *Request, p *presented) error {
	keys, err := s.keysOf(c)
	if err != nil {
		return err
	}
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "client assertion", Types: []string{typeAssertion, "jwt", ""}, Algorithms: c.authAlgorithms(), Keys: keys,
		Issuer: jose.Exactly(c.ID), Audience: s.assertionAudience(c, r), MaxLife: s.assertionLife, Skew: authSkew,
		Require: []string{"sub", "jti"}, Now: s.now,
	})
	if err != nil {
		return err
	}
	claims, err := v.Verify(ctx, p.assertion.Reveal())
	switch {
	case err != nil:
		return err
	case claims.Subject != c.ID:
		return refusal(jose.ReasonSubject)
	case len(claims.ID) > maxJTI:
		return refusal(jose.ReasonTokenID)
	case c.Settings.AuthAudience != audienceTokenEndpoint && claims.Raw("aud")[0] != '"':
		return refusal(jose.ReasonAudience) // one string, RFC 10070 §4
	}
	party := sha256.Sum256([]byte(c.ID))
	id := token.ReplayID(party, []byte("sallyport client assertion v1\x00"+c.ID+"\x00"+claims.ID))
	return s.spend(ctx, id, time.Unix(claims.ExpiresAt, 0).Add(authSkew))
}

const audienceTokenEndpoint = "token_endpoint"

// assertionAudience is what aud has to be: the issuer. A client that is
// registered for it may also name the token endpoint, as RFC 7523 §3 had it and
// OpenID Connect Core §9 still has, or the endpoint that it calls: what it signs
// then is also good for whoever can make it believe that the endpoint is his.
func (s *Service) assertionAudience(c *Client, r *Request) jose.Expect {
	if c.Settings.AuthAudience != audienceTokenEndpoint || c.profile().issuerAudience {
		return jose.Exactly(s.issuer)
	}
	list := []string{s.issuer, s.issuer + "/oauth/token"}
	if s.mutualTLS != "" {
		list = append(list, s.mutualTLS+"/oauth/token")
	}
	if r.URL != "" {
		list = append(list, r.URL)
	}
	return jose.OneOf(list...)
}

// authAlgorithms are those that the client may sign assertions with.
func (c *Client) authAlgorithms() []jose.Algorithm {
	list := c.profile().algorithms
	if c.Settings.AuthAlg == "" {
		return list
	}
	if !slices.Contains(list, c.Settings.AuthAlg) {
		return nil
	}
	return []jose.Algorithm{c.Settings.AuthAlg}
}

// assertionAlgorithms are those of all profiles, for metadata.
func assertionAlgorithms() []jose.Algorithm {
	var list []jose.Algorithm
	for i := range profiles {
		for _, alg := range profiles[i].algorithms {
			if !slices.Contains(list, alg) {
				list = append(list, alg)
			}
		}
	}
	return list
}
