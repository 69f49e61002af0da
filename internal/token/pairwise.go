package token

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// pairwiseMark begins every pairwise subject; no account ID has a dot.
const pairwiseMark = "p."

// A pairwise subject is a synthetic IV and the encrypted digest of the sector
// with the account ID behind it.
const (
	pairwiseTag    = 16
	pairwiseSector = 16
	maxPairwise    = 255 // OpenID Connect Core §2: sub has at most 255 characters
)

// Pairwise returns the subject by which the clients of a sector know a person
// (OpenID Connect Core §8.1): always the same for the same two, and nothing to
// those who hold no key of ours, not even whether two subjects of different
// sectors are one person. It is deterministic encryption in the manner of SIV
// (RFC 5297), with HMAC-SHA256 and AES-256-CTR, so that it leads back to the
// person without a table: ADR 0019. userID has at most 128 bytes.
func (ring *Ring) Pairwise(sector, userID string) string {
	k := ring.macMaker(MACPairwise).mac
	digest := sha256.Sum256([]byte(sector))
	body := append(append(make([]byte, 0, 64), digest[:pairwiseSector]...), userID...)
	out := append(make([]byte, 0, pairwiseTag+len(body)), pairwiseIV(k, body)...)
	out = out[:pairwiseTag+len(body)]
	pairwiseStream(k, out[:pairwiseTag]).XORKeyStream(out[pairwiseTag:], body)
	return pairwiseMark + base64.RawURLEncoding.EncodeToString(out)
}

// Person returns the account ID behind a pairwise subject that this ring made,
// and whether it is one.
func (ring *Ring) Person(subject string) (userID string, ok bool) {
	text, marked := strings.CutPrefix(subject, pairwiseMark)
	if !marked || len(subject) > maxPairwise {
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) <= pairwiseTag+pairwiseSector {
		return "", false
	}
	for _, key := range ring.all(MACPairwise) {
		body := make([]byte, len(raw)-pairwiseTag)
		pairwiseStream(key.mac, raw[:pairwiseTag]).XORKeyStream(body, raw[pairwiseTag:])
		if hmac.Equal(pairwiseIV(key.mac, body), raw[:pairwiseTag]) {
			return string(body[pairwiseSector:]), true
		}
	}
	return "", false
}

// pairwiseIV and pairwiseStream have keys of their own, derived from the one of
// the ring.
func pairwiseIV(key, body []byte) []byte {
	return mac(mac(key, []byte("pairwise subject, iv")), body)[:pairwiseTag]
}

func pairwiseStream(key, iv []byte) cipher.Stream {
	block, err := aes.NewCipher(mac(key, []byte("pairwise subject, encryption")))
	if err != nil { // 32 bytes are a key
		panic(err)
	}
	return cipher.NewCTR(block, iv)
}
