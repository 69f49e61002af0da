package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"sallyport/internal/token/jose"
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
	public    *jose.Key
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
	case *rsa.PrivateKey:
		ok = r.Algorithm == RS256
	default:
		ok = false
	}
	if !ok {
		return nil, fmt.Errorf("key does not fit %s", r.Algorithm)
	}
	public, err := jose.NewKey(r.ID.String(), jose.Algorithm(r.Algorithm), "sig", key.Public())
	if err != nil {
		return nil, err
	}
	return &Signer{KeyID: public.ID, Algorithm: r.Algorithm, key: key, public: public}, nil
}

// Sign returns the compact JWS over claims, which must be a JSON object, with
// the header {"alg","kid","typ"} (RFC 7515 §3.1).
func (s *Signer) Sign(typ string, claims []byte) (string, error) {
	b64 := base64.RawURLEncoding
	b := make([]byte, 0, 512)
	b = append(b, s.header(typ)...)
	b = append(b, '.')
	b = b64.AppendEncode(b, claims)
	sig, err := s.signature(b)
	if err != nil {
		return "", err
	}
	b = append(b, '.')
	return string(b64.AppendEncode(b, sig)), nil
}

// header is the encoded JOSE header. It is the same for every token of a key
// and a type, so a verifier of our own tokens can compare it as a string.
func (s *Signer) header(typ string) string {
	return base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":%q}`, s.Algorithm, s.KeyID, typ))
}

func (s *Signer) signature(input []byte) ([]byte, error) {
	if s.key == nil {
		return nil, ErrNoKey
	}
	if key, ok := s.key.(ed25519.PrivateKey); ok {
		return ed25519.Sign(key, input), nil
	}
	digest := sha256.Sum256(input)
	sig, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil || s.Algorithm == RS256 { // RFC 8017 §8.2: as it is
		return sig, err
	}
	return rawECDSA(sig)
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

// maxJWT is the longest JWT of our own that is looked at, in bytes.
const maxJWT = 8 << 10

// Signer returns the key that signs for p now. Do not keep it. Where no key is
// left, its Sign returns ErrNoKey.
func (ring *Ring) Signer(p Purpose) *Signer {
	k, err := ring.maker(p)
	if err != nil {
		return &Signer{}
	}
	return k.signer
}

// JWKS returns the public keys of purposes that others may need to know now, as
// a JWK Set (RFC 7517 §5): those that will sign, the ones that do, and those
// that have signed what may still be alive. Do not keep it for longer than its
// max-age.
func (ring *Ring) JWKS(purposes ...Purpose) ([]byte, error) {
	set, now := []byte(`{"keys":[`), ring.now().Unix()
	for _, p := range purposes {
		for _, k := range ring.all(p) {
			if k.signer == nil || now > k.publish {
				continue
			}
			if set[len(set)-1] == '}' {
				set = append(set, ',')
			}
			set = k.signer.public.AppendJWK(set)
		}
	}
	return append(set, "]}"...), nil
}

// KeySource finds the public keys of purposes that are accepted at the moment of
// the call: a key that was dropped is gone. Each verifies its one algorithm.
func (ring *Ring) KeySource(purposes ...Purpose) jose.KeySource { return publicKeys{ring, purposes} }

type publicKeys struct {
	ring     *Ring
	purposes []Purpose
}

// Key implements jose.KeySource.
func (s publicKeys) Key(_ context.Context, kid string, _ jose.Algorithm) (*jose.Key, error) {
	known := false
	for _, p := range s.purposes {
		for _, k := range s.ring.all(p) {
			known = true
			if k.signer != nil && k.signer.KeyID == kid {
				return k.signer.public, nil
			}
		}
	}
	if !known {
		return nil, jose.ErrKeysUnavailable // the successor of a compromised one is not known yet
	}
	return nil, jose.ErrNoKey
}
