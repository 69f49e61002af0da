package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	jose "github.com/go-jose/go-jose/v4"
)

// Types of the JWTs that we make. The inner token's is its own, so that no
// verifier of access or ID tokens takes it for one (RFC 8725 §3.11).
const (
	TypeInner = "sallyport-inner+jwt"
	TypeID    = "JWT"
)

// Signer signs JWTs with one key and one algorithm. Safe for concurrent use.
type Signer struct {
	KeyID     string
	Algorithm Algorithm
	key       crypto.Signer
	public    jose.JSONWebKey
}

func newSigner(r KeyRecord, material []byte) (*Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(material)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("not a signing key")
	}
	switch key.(type) {
	case *ecdsa.PrivateKey:
		ok = r.Algorithm == ES256
	case ed25519.PrivateKey:
		ok = r.Algorithm == EdDSA
	default:
		ok = false
	}
	if !ok {
		return nil, fmt.Errorf("key does not fit %s", r.Algorithm)
	}
	return &Signer{
		KeyID: r.ID.String(), Algorithm: r.Algorithm, key: key,
		public: jose.JSONWebKey{Key: key.Public(), KeyID: r.ID.String(), Algorithm: string(r.Algorithm), Use: "sig"},
	}, nil
}

// Sign returns the compact JWS over claims, which must be a JSON object, with
// the header {"alg","kid","typ"} (RFC 7515 §3.1).
func (s *Signer) Sign(typ string, claims []byte) (string, error) {
	b64 := base64.RawURLEncoding
	b := make([]byte, 0, 512)
	b = b64.AppendEncode(b, fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":%q}`, s.Algorithm, s.KeyID, typ))
	b = append(b, '.')
	b = b64.AppendEncode(b, claims)
	sig, err := s.signature(b)
	if err != nil {
		return "", err
	}
	b = append(b, '.')
	return string(b64.AppendEncode(b, sig)), nil
}

func (s *Signer) signature(input []byte) ([]byte, error) {
	if key, ok := s.key.(ed25519.PrivateKey); ok {
		return ed25519.Sign(key, input), nil
	}
	digest := sha256.Sum256(input)
	der, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return rawECDSA(der)
}

// rawECDSA turns an ASN.1 signature into r‖s of 32 bytes each (RFC 7518 §3.4).
func rawECDSA(der []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) != 0 {
		return nil, errors.New("malformed ECDSA signature")
	}
	out := make([]byte, 64)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}

// JWKS returns the public keys of p as a JWK Set (RFC 7517 §5).
func (ring *Ring) JWKS(p Purpose) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, s := range ring.signers[p] {
		set.Keys = append(set.Keys, s.public)
	}
	return json.Marshal(set)
}
