package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// challengeLen is the length of base64url(SHA-256(verifier)), RFC 7636 §4.2.
const challengeLen = 43

func validChallenge(s string) bool {
	if len(s) != challengeLen {
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

// validVerifier checks RFC 7636 §4.1: 43 to 128 unreserved characters.
func validVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

// matchVerifier compares in constant time (RFC 7636 §4.6, S256 only).
func matchVerifier(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}
