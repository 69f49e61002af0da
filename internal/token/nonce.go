package token

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"sallyport/internal/secret"
)

// Who hands out a nonce. One of the issuer means nothing to the gateway, and
// the reverse (RFC 9449 §8, §9).
const (
	NonceIssuer  = "issuer"
	NonceGateway = "gateway"
)

// A nonce is the number of the time step in which it was made and a MAC over
// that and over who made it. Nobody keeps it: each node with the ring knows its
// own again, and those of the others. It is no secret and may be used more than
// once; the jti may not.
const (
	nonceStep  = 30 // seconds; the nonce stays the same for so long
	nonceSteps = 10 // a nonce is accepted for so many steps after its own: five minutes
	nonceRenew = 5  // and is replaced after so many
	nonceSize  = 4 + 32
	nonceLabel = "sallyport dpop nonce v1\x00"

	challengeSize  = 4 + challengeRoom + 32
	challengeRoom  = 16 // random bytes
	challengeLabel = "sallyport challenge v1\x00"

	// ChallengeLife is how long a challenge is accepted at least.
	ChallengeLife = nonceSteps * nonceStep * time.Second
)

type nonceAge uint8

const (
	nonceStale nonceAge = iota // too old, or not ours
	nonceOld                   // good, but the next one is due
	nonceFresh
)

func nonceHead(step uint32) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, len(nonceLabel)+4), nonceLabel...), step)
}

// Nonce returns a nonce for proofs that are sent to who: NonceIssuer or
// NonceGateway. Every node that has the ring accepts it for five minutes.
func (p *Proofs) Nonce(who string) string {
	step := uint32(p.now().Unix() / nonceStep) //nolint:gosec // until the year 6000
	b := binary.BigEndian.AppendUint32(make([]byte, 0, nonceSize), step)
	b = append(b, p.ring.MAC(MACNonce, nonceHead(step), []byte(who))...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// nonceAge judges a nonce that came back.
func (p *Proofs) nonceAge(nonce, who string) nonceAge {
	if len(nonce) != base64.RawURLEncoding.EncodedLen(nonceSize) {
		if p.CheckChallenge(nonce, who) {
			return nonceFresh
		}
		return nonceStale
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceSize { // line breaks are skipped when decoding
		return nonceStale
	}
	step := binary.BigEndian.Uint32(b)
	age := p.now().Unix()/nonceStep - int64(step)
	// Another node's clock may be in the next step already.
	if age < -1 || age > nonceSteps || !p.ring.CheckMAC(MACNonce, b[4:], nonceHead(step), []byte(who)) {
		return nonceStale
	}
	if age >= nonceRenew {
		return nonceOld
	}
	return nonceFresh
}

// Challenge returns a nonce of who that no other call returns, for what may be
// answered once: a proof of possession beside a client attestation. Nobody keeps
// it; whoever accepts it spends it. It also does as the nonce of a DPoP proof.
func (p *Proofs) Challenge(who string) string {
	step := uint32(p.now().Unix() / nonceStep) //nolint:gosec // until the year 6000
	b := append(binary.BigEndian.AppendUint32(make([]byte, 0, challengeSize), step), secret.Random(challengeRoom)...)
	b = append(b, p.ring.MAC(MACNonce, []byte(challengeLabel), b, []byte(who))...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// CheckChallenge reports whether a challenge is one of who that is not too old.
// It may have been answered before.
func (p *Proofs) CheckChallenge(challenge, who string) bool {
	if len(challenge) != base64.RawURLEncoding.EncodedLen(challengeSize) {
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(b) != challengeSize {
		return false
	}
	age := p.now().Unix()/nonceStep - int64(binary.BigEndian.Uint32(b))
	head := b[:challengeSize-32]
	return age >= -1 && age <= nonceSteps && p.ring.CheckMAC(MACNonce, b[len(head):], []byte(challengeLabel), head, []byte(who))
}
