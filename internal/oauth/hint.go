package oauth

import (
	"context"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// idTokenHint is what an ID token of ours says of whom it was issued to.
type idTokenHint struct {
	Subject  string // the account ID, also where the client knows another
	Told     string // sub, as the client was told
	Audience string
	SID      secret.ID
}

// hintVerifier verifies ID tokens of this issuer, of whichever client, that may
// have expired long ago (OpenID Connect Core §3.1.2.1).
func (s *Service) hintVerifier() (*jose.Verifier, error) {
	return jose.NewVerifier(jose.Profile{
		Purpose: "ID token hint", Types: []string{"jwt"}, Algorithms: []jose.Algorithm{jose.ES256, jose.RS256},
		Keys: s.ring.KeySource(token.SignIDToken, token.SignIDTokenRSA), Issuer: jose.Exactly(s.issuer), Audience: jose.Any(),
		MaxLife: idTokenLife, AllowExpired: true, Require: []string{"sub", "sid"}, Now: s.now,
	})
}

func (s *Service) readHint(ctx context.Context, jwt string) (*idTokenHint, *PageError) {
	if jwt == "" {
		return nil, nil //nolint:nilnil // no hint is no error
	}
	bad := &PageError{InvalidRequest, "id_token_hint is not an ID token of this issuer"}
	c, err := s.hints.Verify(ctx, jwt)
	if err != nil || len(c.Audience) != 1 {
		return nil, bad
	}
	h := &idTokenHint{Subject: c.Subject, Told: c.Subject, Audience: c.Audience[0]}
	if userID, pairwise := s.ring.Person(c.Subject); pairwise {
		h.Subject = userID
	}
	text, err := c.String("sid")
	if err != nil {
		return nil, bad
	}
	if h.SID, err = s.sessionOf(text); err != nil {
		return nil, bad
	}
	return h, nil
}
