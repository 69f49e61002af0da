package oauth

import (
	"context"
	"errors"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/token"
)

// Proofs judges DPoP proofs. Check changes nothing, Spend uses a proof up.
type Proofs interface {
	Check(ctx context.Context, r token.ProofRequest) (token.Proof, error)
	Spend(ctx context.Context, p token.Proof) error
	// Nonce returns a nonce for proofs that are sent to who.
	Nonce(who string) string
	// Challenge returns a nonce for one use; CheckChallenge knows it again.
	Challenge(who string) string
	CheckChallenge(challenge, who string) bool
}

var (
	errProofNeeded       = fail(InvalidDPoPProof, "tokens of this client are bound to a key: a DPoP proof is needed")
	errProofKey          = fail(InvalidDPoPProof, "the refresh token or code is bound to a key: a DPoP proof by it is needed")
	errProofTier         = fail(InvalidDPoPProof, "tokens for this API are bound to a key: a DPoP proof is needed")
	errCertificateNeeded = fail(InvalidRequest, "tokens of this client are bound to its certificate: use mtls_endpoint_aliases, with the certificate")
	errTwoKeys           = fail(InvalidRequest, "tokens of this client are bound to its certificate: send no DPoP proof")
)

// possession is the key that a request proves to have, before it counts. The
// zero value proves nothing: what is issued is a bearer token.
type possession struct {
	confirm token.Confirmation
	proof   *token.Proof
}

// possess finds the key to which the tokens of a request are to be bound, and
// refuses a request that lacks one where the client, the tier or need (what is
// presented is bound already) want it. It changes nothing: settle does.
func (s *Service) possess(ctx context.Context, c *Client, r Request, tier token.Tier, need token.Confirmation) (possession, error) {
	certified := c.CertificateBound || need.Method == token.ConfirmX5T
	switch {
	case certified && len(r.DPoP) > 0:
		return possession{}, errTwoKeys
	case certified && r.Certificate == nil:
		return possession{}, errCertificateNeeded
	case certified:
		return possession{confirm: certificateOf(r)}, nil
	case len(r.DPoP) > 0:
		return s.checkProof(ctx, c.ID, r, token.ProofRequest{NeedNonce: tier.Limits().ProofNonce})
	case c.DPoPBound || c.profile().bound:
		return possession{}, errProofNeeded
	case need.Method != token.ConfirmNone:
		return possession{}, errProofKey
	case tier.Limits().Bound:
		return possession{}, errProofTier
	}
	return possession{}, nil
}

func certificateOf(r Request) token.Confirmation {
	return token.Confirmation{Method: token.ConfirmX5T, Digest: token.CertificateDigest(r.Certificate)}
}

// checkProof judges the DPoP proof of a request (RFC 9449 §4.3). Method and
// address come from the edge, which has them from configuration.
func (s *Service) checkProof(ctx context.Context, clientID string, r Request, want token.ProofRequest) (possession, error) {
	want.Lines, want.Method, want.URL, want.NonceFor = r.DPoP, r.Method, r.URL, token.NonceIssuer
	proof, err := s.proofs.Check(ctx, want)
	if err != nil {
		return possession{}, s.proofRefused(ctx, clientID, err)
	}
	return possession{token.Confirmation{Method: token.ConfirmJKT, Digest: proof.Key}, &proof}, nil
}

// settle spends the proof of a request in which nothing else is wrong. From
// here on a copy of the request is refused (RFC 9449 §11.1).
func (s *Service) settle(ctx context.Context, clientID string, p possession) error {
	if p.proof == nil {
		return nil
	}
	if err := s.proofs.Spend(ctx, *p.proof); err != nil {
		return s.proofRefused(ctx, clientID, err)
	}
	return nil
}

// proofRefused is what the client learns of a proof that does not do: that it
// needs a nonce, with one (RFC 9449 §8), or that it is wrong, and no more. What
// cannot be remembered cannot be accepted.
func (s *Service) proofRefused(ctx context.Context, clientID string, err error) error {
	var why *token.ProofError
	if !errors.As(err, &why) {
		return &Error{Code: TemporarilyUnavailable, Description: "proofs cannot be checked at the moment", cause: err}
	}
	if errors.Is(err, token.ErrUseNonce) {
		return &Error{Code: UseDPoPNonce, Description: "the DPoP proof needs the nonce of DPoP-Nonce", Nonce: s.proofs.Nonce(token.NonceIssuer), cause: err}
	}
	note(ctx, audit.Event{Name: audit.ProofRefused, Client: clientID, Reason: why.Reason})
	return &Error{Code: InvalidDPoPProof, Description: "the DPoP proof is not valid for this request", cause: err}
}

// nextNonce is for the answer to a request whose proof had a nonce that is
// still good but ought to be replaced (RFC 9449 §8.2); empty otherwise.
func (s *Service) nextNonce(p possession) string {
	if p.proof == nil || !p.proof.Renew {
		return ""
	}
	return s.proofs.Nonce(token.NonceIssuer)
}

// binds is the key that the refresh tokens of a client are bound to: none for
// a confidential client, which proves itself with each request (RFC 9449 §5,
// RFC 8705 §4).
func (p possession) binds(c *Client) token.Confirmation {
	if !c.Type.Public() {
		return token.Confirmation{}
	}
	return p.confirm
}

// tokenType is the token_type of a token that is bound like c. One that is
// bound to a certificate is used as a bearer token (RFC 8705 §3).
func tokenType(c token.Confirmation) string {
	if c.Method == token.ConfirmJKT {
		return "DPoP"
	}
	return "Bearer"
}

// ProofAlgorithms is the list for algs of a DPoP challenge (RFC 9449 §7.1).
func ProofAlgorithms() string {
	names := make([]string, len(token.ProofAlgorithms))
	for i, alg := range token.ProofAlgorithms {
		names[i] = string(alg)
	}
	return strings.Join(names, " ")
}
