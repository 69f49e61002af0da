package gateway

import (
	"crypto/sha256"
	"encoding/base64"

	"sallyport/internal/token"
)

// signBound makes an inner token for this call alone (token.Limits.InnerBound): it
// is of no use with another method, path or query, so whoever reads one in a log or
// is given one by a backend cannot ask for anything else with it. It costs a
// signature for each call.
func (c *call) signBound() ([]string, error) {
	now := c.g.now().Unix()
	jwt, err := c.g.ring.Signer(token.SignInner).Sign(token.TypeInner, c.innerClaims(now, min(now+innerLife, c.access.ExpiresAt())))
	if err != nil {
		return nil, err
	}
	return []string{"Bearer " + jwt}, nil
}

// requestHash is the claim req: base64url of the SHA-256 of the method, a space
// and the request target, byte for byte as the backend gets them.
func (c *call) requestHash() string {
	h := sha256.Sum256([]byte(c.r.Method + " " + c.target().RequestURI()))
	return base64.RawURLEncoding.EncodeToString(h[:])
}
