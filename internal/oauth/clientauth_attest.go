package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// Types of the JWTs of attestation-based client authentication
// (draft-ietf-oauth-attestation-based-client-auth-10 §4, §5.1), here ABCA.
const (
	typeAttestation    = "oauth-client-attestation+jwt"
	typeAttestationPoP = "oauth-client-attestation-pop+jwt"
)

// maxAttestationLife is how long a client attestation may live: an instance that
// is no longer sound is found out by then.
const maxAttestationLife = 24 * time.Hour

// attestationAlgorithms are those of attestations and of the proofs beside them.
var attestationAlgorithms = fapiAlgorithms

// Attester vouches for instances of apps: it has looked at one, and says which
// key is its own.
type Attester struct {
	Issuer  string // iss of its attestations
	Keys    jose.KeySource
	Clients []string // client_ids that it may vouch for
}

// attestation is a client attestation that has been verified.
type attestation struct {
	key   *jose.Key // of the instance
	thumb [32]byte
}

func (s *Service) knowsAttesters() bool { return len(s.attesters) > 0 && s.remembers() }

// attestable: there is nothing in a browser that could be attested.
func attestable(t ClientType) bool { return t != Browser }

// attested reports whether an instance of the client proves itself with each
// request to a protocol endpoint.
func (c *Client) attested() bool {
	return c.Settings.AuthMethod == methodAttested || c.Settings.AuthMethod == methodAttestedDPoP
}

// as is the client as the instance that has been proven.
func (c *Client) as(a *attestation) *Client {
	instance := *c
	instance.instance = base64.RawURLEncoding.EncodeToString(a.thumb[:])
	return &instance
}

func attestationRefused(err error) *Error {
	return &Error{Code: InvalidAttestation, Description: "the client attestation or its proof is not valid", cause: err}
}

const (
	errAttestationLines refusal = "attestation_repeated"
	errAttester         refusal = "attester"
	errInstanceKey      refusal = "cnf"
	errOtherKey         refusal = "cnf_other"
	errClientID         refusal = "client_id"
)

// readAttestationAuth reads for whom an attestation claims to be. Without a
// header of its own, the proof is that of DPoP (ABCA §5.2).
func readAttestationAuth(r Request) (presented, *Error) {
	p := presented{method: methodAttested}
	if len(r.AttestationPoP) == 0 && len(r.DPoP) > 0 {
		p.method = methodAttestedDPoP
	}
	for _, lines := range [][]string{r.Attestation, r.AttestationPoP} {
		if len(lines) > 1 || len(lines) == 1 && strings.IndexByte(lines[0], ',') >= 0 {
			return presented{}, attestationRefused(errAttestationLines)
		}
	}
	if len(r.Attestation) == 0 || len(r.AttestationPoP) == 0 && p.method == methodAttested {
		return presented{}, attestationRefused(errAttestationLines)
	}
	claimed, err := jose.ReadUnverified(r.Attestation[0])
	if err != nil || claimed.Subject == "" || len(claimed.Subject) > maxClientID {
		return presented{}, attestationRefused(err)
	}
	p.clientID = claimed.Subject
	if id := r.param("client_id"); id != "" && id != p.clientID { // ABCA §7.5
		return presented{}, attestationRefused(errClientID)
	}
	return p, nil
}

// readAttestation verifies the attestation (ABCA §7.1). It comes before the
// client is looked for: what a stranger writes is refused alike, whether there is
// such a client or not.
func (s *Service) readAttestation(ctx context.Context, r *Request, p *presented) error {
	claimed, err := jose.ReadUnverified(r.Attestation[0])
	if err != nil {
		return attestationRefused(err)
	}
	a := s.attesters[claimed.Issuer]
	if a == nil || !s.remembers() {
		return attestationRefused(errAttester)
	}
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "client attestation", Types: []string{typeAttestation}, Algorithms: attestationAlgorithms, Keys: a.Keys,
		Issuer: jose.Exactly(a.Issuer), Audience: jose.Any(), MaxLife: maxAttestationLife, Skew: authSkew, Require: []string{"sub"}, Now: s.now,
	})
	if err != nil {
		return err
	}
	claims, err := v.Verify(ctx, r.Attestation[0])
	switch {
	case jose.ReasonOf(err) == jose.ReasonExpired:
		return &Error{Code: UseFreshAttestation, Description: "the client attestation is too old: get another one", cause: err}
	case err != nil:
		return attestationRefused(err)
	case claims.Subject != p.clientID || !slices.Contains(a.Clients, claims.Subject):
		return attestationRefused(errAttester)
	}
	key, err := confirmedKey(claims)
	if err != nil {
		return attestationRefused(errInstanceKey)
	}
	p.attestation = &attestation{key, key.Thumbprint()}
	return nil
}

// confirmedKey reads cnf.jwk (RFC 7800 §3.2), a public key.
func confirmedKey(claims *jose.Claims) (*jose.Key, error) {
	var jwk []byte
	err := jose.ScanObject(claims.Raw("cnf"), func(name string, value []byte) error {
		if name == "jwk" {
			jwk = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return jose.ParseKey(jwk)
}

// onlyKey is a source of one key, whatever it is called.
type onlyKey struct{ key *jose.Key }

// Key implements jose.KeySource.
func (k onlyKey) Key(context.Context, string, jose.Algorithm) (*jose.Key, error) { return k.key, nil }

// proveInstance checks that the request is from the instance whose key has been
// attested.
func (s *Service) proveInstance(ctx context.Context, c *Client, r *Request, p *presented) error {
	if p.method == methodAttestedDPoP {
		return s.proveByDPoP(ctx, c, r, p.attestation)
	}
	return s.proveByPoP(ctx, c, r, p.attestation)
}

// proveByPoP verifies OAuth-Client-Attestation-PoP (ABCA §7.2): signed by the
// instance for this issuer just now, in answer to a challenge, and used once.
func (s *Service) proveByPoP(ctx context.Context, c *Client, r *Request, a *attestation) error {
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "client attestation proof", Types: []string{typeAttestationPoP}, Algorithms: attestationAlgorithms, Keys: onlyKey{a.key},
		Issuer: jose.Any(), Audience: jose.Exactly(s.issuer), MaxAge: token.MaxProofAge, Require: []string{"jti"}, Now: s.now,
	})
	if err != nil {
		return err
	}
	claims, err := v.Verify(ctx, r.AttestationPoP[0])
	switch {
	case err != nil:
		return attestationRefused(err)
	case claims.Raw("aud")[0] != '"':
		return attestationRefused(refusal(jose.ReasonAudience))
	case claims.Has("iss") && claims.Issuer != c.ID: // drafts before 08 have it
		return attestationRefused(refusal(jose.ReasonIssuer))
	case len(claims.ID) > maxJTI:
		return attestationRefused(refusal(jose.ReasonTokenID))
	}
	challenge, err := claims.String("challenge")
	if err != nil || !s.proofs.CheckChallenge(challenge, token.NonceIssuer) {
		return s.wantChallenge(err)
	}
	id := token.ReplayID(a.thumb, []byte("sallyport attestation proof v1\x00"+claims.ID))
	if err := s.spend(ctx, id, time.Unix(claims.IssuedAt, 0).Add(token.MaxProofAge+authSkew)); err != nil {
		return usedBefore(err)
	}
	return s.spendChallenge(ctx, challenge)
}

// proveByDPoP checks the DPoP proof of the request as the proof of the instance
// (ABCA §7.3). Its nonce is one of ours, or a challenge. The proof stays good for
// what it binds.
func (s *Service) proveByDPoP(ctx context.Context, c *Client, r *Request, a *attestation) error {
	held, err := s.checkProof(ctx, c.ID, *r, token.ProofRequest{NeedNonce: true})
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(held.proof.Key[:], a.thumb[:]) != 1 {
		return attestationRefused(errOtherKey)
	}
	id, until := held.proof.For("client authentication")
	if err := s.spend(ctx, id, until); err != nil {
		return usedBefore(err)
	}
	if s.proofs.CheckChallenge(held.proof.Nonce, token.NonceIssuer) {
		return s.spendChallenge(ctx, held.proof.Nonce)
	}
	return nil
}

func usedBefore(err error) error {
	if errors.Is(err, errUsed) {
		return attestationRefused(err)
	}
	return err
}

// Challenge returns a challenge for the next proof of an instance (ABCA §6), or
// "" where no attestation is accepted.
func (s *Service) Challenge() string {
	if !s.knowsAttesters() {
		return ""
	}
	return s.proofs.Challenge(token.NonceIssuer)
}

// wantChallenge is the answer to a proof that is right otherwise (ABCA §7.4).
func (s *Service) wantChallenge(err error) error {
	return &Error{
		Code: UseAttestationChallenge, Description: "the proof of the client attestation must answer the challenge of OAuth-Client-Attestation-Challenge",
		Challenge: s.Challenge(), cause: err,
	}
}

// spendChallenge uses up a challenge, whoever it was given to. It takes no more
// room than the proof that was spent before it.
func (s *Service) spendChallenge(ctx context.Context, challenge string) error {
	id := sha256.Sum256([]byte("sallyport attestation challenge v1\x00" + challenge))
	err := s.spend(ctx, id, s.now().Add(token.ChallengeLife+2*time.Minute))
	if errors.Is(err, errUsed) {
		return s.wantChallenge(err)
	}
	return err
}
