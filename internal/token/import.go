package token

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"

	"sallyport/internal/token/jose"
)

// ImportSigner returns a signer with a private key that somebody else has given
// us, as PEM (PKCS #8): P-256 signs ES256, Ed25519 EdDSA, RSA RS256. Its key ID is
// keyID, or without one the thumbprint of the key (RFC 7638). The error quotes
// nothing of the key.
func ImportSigner(text []byte, keyID string) (*Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("not a private key: it begins with -----BEGIN PRIVATE KEY-----")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("not a private key in PKCS #8")
	}
	var alg Algorithm
	switch key := parsed.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			alg = ES256
		}
	case ed25519.PrivateKey:
		alg = EdDSA
	case *rsa.PrivateKey:
		alg = RS256
	}
	if alg == "" {
		return nil, errors.New("not a P-256, Ed25519 or RSA key")
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("not a signing key")
	}
	public, err := jose.NewKey(cmp.Or(keyID, "-"), jose.Algorithm(alg), "sig", key.Public())
	if err != nil {
		return nil, err
	}
	if keyID == "" {
		sum := public.Thumbprint()
		keyID = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return &Signer{KeyID: keyID, Algorithm: alg, key: key, public: public}, nil
}
