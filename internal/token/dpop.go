package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// TypeProof is the typ of a DPoP proof (RFC 9449 §4.2).
const TypeProof = "dpop+jwt"

// ProofAlgorithms are the algorithms that proofs may be signed with, for
// dpop_signing_alg_values_supported (RFC 9449 §5.1). They are those of FAPI 2.0
// §5.4, EdDSA by both of its names. The key comes from a stranger, so larger
// curves, whose checks cost many times as much and protect nothing more here,
// are not among them.
var ProofAlgorithms = []jose.Algorithm{jose.ES256, jose.EdDSA, jose.Ed25519, jose.PS256}

// Limits of a proof.
const (
	// MaxProofAge is how old a proof may be. It may be ten seconds early.
	MaxProofAge = 60 * time.Second
	// keepProof is how long its jti is remembered, counted from iat: until no
	// node would accept the proof, be its clock a few seconds behind.
	keepProof = MaxProofAge + 10*time.Second
	maxJTI    = 256
)

// ProofOptions configure Proofs. Ring, Replay and Now are needed.
type ProofOptions struct {
	Ring       *Ring // for nonces
	Replay     Replay
	Now        func() time.Time
	Algorithms []jose.Algorithm // nil for ProofAlgorithms
	// Since is from when on Replay remembers what was used, the start of the node
	// if it is kept in memory. Proofs of before are asked for again, with a
	// nonce. Zero: it remembers everything.
	Since time.Time
}

// Proofs verifies DPoP proofs (RFC 9449 §4.3) and makes the nonces for them.
// Safe for concurrent use.
type Proofs struct {
	ring     *Ring
	replay   Replay
	now      func() time.Time
	since    time.Time
	verifier *jose.Verifier
}

// NewProofs returns a verifier of proofs.
func NewProofs(o ProofOptions) (*Proofs, error) {
	if o.Ring == nil || o.Replay == nil || o.Now == nil {
		return nil, errors.New("proofs: Ring, Replay and Now are needed")
	}
	if o.Algorithms == nil {
		o.Algorithms = ProofAlgorithms
	}
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "DPoP proof", Types: []string{TypeProof}, Algorithms: o.Algorithms, Keys: jose.EmbeddedKey,
		Issuer: jose.Absent(), Audience: jose.Absent(), MaxAge: MaxProofAge, Require: []string{"jti", "htm", "htu"}, Now: o.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("proofs: %w", err)
	}
	return &Proofs{ring: o.Ring, replay: o.Replay, now: o.Now, since: o.Since, verifier: v}, nil
}

// ProofRequest is a request as a proof has to fit it.
type ProofRequest struct {
	Lines     []string     // every DPoP header line
	Method    string       // as in the request line
	URL       string       // the address that clients use, from configuration; query and fragment do not count
	Token     secret.Value // the access token beside it; zero at the token endpoint
	NonceFor  string       // NonceIssuer or NonceGateway
	NeedNonce bool
}

// Proof is a proof that fits its request. It counts once Spend has said so.
type Proof struct {
	Key   [32]byte // RFC 7638 thumbprint of the key: jkt (RFC 9449 §6.1)
	Renew bool     // its nonce is good but old: send the next one along
	Nonce string   // its nonce, which is good; "" if it has none
	id    [32]byte
	until time.Time
}

// For returns what Replay.Spend needs for using the proof up for one purpose
// more, apart from Spend, and how long that must be remembered.
func (p *Proof) For(purpose string) (id [32]byte, until time.Time) {
	return ReplayID(p.Key, append([]byte("sallyport dpop for "+purpose+"\x00"), p.id[:]...)), p.until
}

// Verify is Check and Spend in one.
func (p *Proofs) Verify(ctx context.Context, r ProofRequest) (jkt [32]byte, err error) {
	proof, err := p.Check(ctx, r)
	if err == nil {
		err = p.Spend(ctx, proof)
	}
	if err != nil {
		return [32]byte{}, err
	}
	return proof.Key, nil
}

// Check makes every check of RFC 9449 §4.3 but that for replay, and changes
// nothing. An error matches ErrProof, or ErrUseNonce if a proof that is right
// otherwise needs another nonce.
func (p *Proofs) Check(ctx context.Context, r ProofRequest) (Proof, error) {
	switch {
	case len(r.Lines) == 0:
		return Proof{}, proofError("proof_missing", nil)
	case len(r.Lines) > 1:
		return Proof{}, proofError("proof_repeated", nil)
	case strings.IndexByte(r.Lines[0], ',') >= 0: // lines that something on the way has joined
		return Proof{}, proofError("proof_repeated", nil)
	}
	c, err := p.verifier.Verify(ctx, r.Lines[0])
	if err != nil {
		return Proof{}, proofError("proof_"+string(jose.ReasonOf(err)), err)
	}
	htu, err := checkTarget(c, &r)
	if err != nil {
		return Proof{}, err
	}
	if err := checkToken(c, r.Token); err != nil {
		return Proof{}, err
	}
	proof := Proof{Key: c.Key().Thumbprint(), until: time.Unix(c.IssuedAt, 0).Add(keepProof)}
	proof.id = proofID(proof.Key, htu, c.ID)
	if !p.since.IsZero() && c.IssuedAt < p.since.Unix() {
		return proof, proofError("proof_nonce_restart", nil)
	}
	age, err := p.checkNonce(c, &r)
	proof.Renew = age == nonceOld
	if err == nil {
		proof.Nonce, err = c.String("nonce")
	}
	return proof, err
}

// checkTarget holds the proof against method and address, and returns the
// address in its normal form.
func checkTarget(c *jose.Claims, r *ProofRequest) ([]byte, error) {
	if c.Type() != TypeProof {
		return nil, proofError("proof_jwt_typ", nil)
	}
	if len(c.ID) > maxJTI {
		return nil, proofError("proof_jti", nil)
	}
	if htm, err := c.String("htm"); err != nil || htm != r.Method {
		return nil, proofError("proof_htm", err)
	}
	claim, err := c.String("htu")
	if err != nil {
		return nil, proofError("proof_htu", err)
	}
	var room [2][256]byte
	have, okHave := appendHTU(room[0][:0], claim)
	want, okWant := appendHTU(room[1][:0], r.URL)
	if !okHave || !okWant || string(have) != string(want) {
		return nil, proofError("proof_htu", nil)
	}
	return have, nil
}

// checkToken holds ath against the access token (RFC 9449 §4.2, §7).
func checkToken(c *jose.Claims, tok secret.Value) error {
	if tok.IsZero() {
		return nil
	}
	ath, err := c.String("ath")
	if err != nil {
		return proofError("proof_ath", err)
	}
	sum := sha256.Sum256([]byte(tok.Reveal()))
	var want [43]byte
	base64.RawURLEncoding.Encode(want[:], sum[:])
	if subtle.ConstantTimeCompare([]byte(ath), want[:]) != 1 {
		return proofError("proof_ath", nil)
	}
	return nil
}

// checkNonce comes last: a client is asked for another nonce only if nothing
// else is wrong with its proof.
func (p *Proofs) checkNonce(c *jose.Claims, r *ProofRequest) (nonceAge, error) {
	if !c.Has("nonce") {
		if r.NeedNonce {
			return nonceStale, proofError("proof_nonce_missing", nil)
		}
		return nonceFresh, nil
	}
	nonce, err := c.String("nonce")
	if err != nil {
		return nonceStale, proofError("proof_nonce", err)
	}
	age := p.nonceAge(nonce, r.NonceFor)
	if age == nonceStale {
		return age, proofError("proof_nonce_stale", nil)
	}
	return age, nil
}

// Spend uses the proof up. Call it last, when nothing else can refuse the
// request: what a stranger sends must not spend the jti of a proof that it has
// copied. Besides ErrProof the error may be ErrReplayFull or that of the store;
// answer those with 503.
func (p *Proofs) Spend(ctx context.Context, proof Proof) error {
	fresh, err := p.replay.Spend(ctx, proof.id, proof.until)
	switch {
	case err != nil:
		return fmt.Errorf("spend DPoP proof: %w", err)
	case !fresh:
		return proofError("proof_replayed", nil)
	}
	return nil
}

// proofID is what may be used once: a jti of a key at an address (RFC 9449
// §11.1). It has nothing of the bytes of the proof, because a signature can be
// written in more than one way.
func proofID(jkt [32]byte, htu []byte, jti string) [32]byte {
	b := make([]byte, 0, 64+len(htu)+len(jti))
	b = append(b, "sallyport dpop jti v1\x00"...)
	b = append(b, jkt[:]...)
	b = binary.AppendUvarint(b, uint64(len(htu)))
	b = append(append(b, htu...), jti...)
	return ReplayID(jkt, b)
}

// ReplayID makes the identifier for Replay.Spend of what a party may use once.
// party is a digest that names the party: the thumbprint of its key, or the
// hash of its client_id.
func ReplayID(party [32]byte, what []byte) [32]byte {
	id := sha256.Sum256(what)
	copy(id[:8], party[:8])
	return id
}
