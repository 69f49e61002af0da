package jose

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
)

// Key is one key that verifies or encrypts, as a JWK describes it (RFC 7517
// §4). Every Key has been judged: its size, its curve and its point are sound.
// It does not change; safe for concurrent use.
type Key struct {
	ID        string    // kid; "" if it has none
	Algorithm Algorithm // the only one that it is for; "" if the JWK does not say
	Use       string    // "sig", "enc" or "" (RFC 7517 §4.2)

	ops    []string // key_ops; nil if absent
	family family
	curve  elliptic.Curve
	public crypto.PublicKey

	certificate [sha256.Size]byte // digest of that in x5c; zero without one
}

type secretKey []byte

// NewKey returns a key that we know by other means than a JWK. An error
// matches ErrKey.
func NewKey(id string, alg Algorithm, use string, public crypto.PublicKey) (*Key, error) {
	k := &Key{ID: id, Algorithm: alg, Use: use, public: public}
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		b, err := p.Bytes()
		if err != nil {
			return nil, badKey("the point is not on its curve")
		}
		half := len(b) / 2
		if k.public, err = newEC(p.Curve, b[1:1+half], b[1+half:]); err != nil {
			return nil, err
		}
		k.family, k.curve = familyEC, p.Curve
	case ed25519.PublicKey:
		k.family = familyOKP
	case *rsa.PublicKey:
		k.family = familyRSA
	case secretKey:
		k.family = familySecret
	default:
		return nil, badKey("an unknown kind of key")
	}
	return k, k.judge()
}

// NewSecretKey returns a key for an HMAC. It must be as long as the hash at
// least (RFC 7518 §3.2).
func NewSecretKey(id string, alg Algorithm, key []byte) (*Key, error) {
	return NewKey(id, alg, "sig", secretKey(slices.Clone(key)))
}

// judge holds the key against its algorithm and use.
func (k *Key) judge() error {
	switch p := k.public.(type) {
	case *rsa.PublicKey:
		if err := judgeRSA(p); err != nil {
			return err
		}
	case ed25519.PublicKey:
		if err := judgeEd25519(p); err != nil {
			return err
		}
	case secretKey:
		if s := signatures[k.Algorithm]; s.family != familySecret || len(p) < s.hash.Size() {
			return badKey("a secret key needs an HMAC algorithm and the length of its hash")
		}
	}
	if k.Use != "" && k.Use != "sig" && k.Use != "enc" {
		return badKey("an unknown use")
	}
	if k.Algorithm == noAlgorithm {
		return nil
	}
	if s, ok := signatures[k.Algorithm]; ok {
		if s.family != k.family || s.curve != k.curve && s.family == familyEC || k.Use == "enc" {
			return badKey("the key does not fit its alg")
		}
		return nil
	}
	if f, ok := encryptions[k.Algorithm]; !ok || f != k.family || k.Use == "sig" {
		return badKey("the key does not fit its alg")
	}
	return nil
}

// verifies reports whether the key may verify signatures of alg, where only is
// the list of algorithms that the purpose allows. A key that does not say its
// algorithm has the one of them that its kind can have, and none if there are
// several: one key, one algorithm (RFC 8725 §3.1).
func (k *Key) verifies(alg Algorithm, only []Algorithm) bool {
	s, ok := signatures[alg]
	if !ok || s.family != k.family || s.family == familyEC && s.curve != k.curve {
		return false
	}
	if k.Use == "enc" || k.ops != nil && !slices.Contains(k.ops, "verify") {
		return false
	}
	if k.Algorithm != noAlgorithm {
		return k.Algorithm == alg
	}
	if k.family != familyRSA {
		return k.family != familySecret
	}
	for _, a := range only {
		if a != alg && signatures[a].family == familyRSA {
			return false
		}
	}
	return true
}

// Verifies reports whether signatures of alg are verified by this key, for a
// purpose that allows the algorithms among.
func (k *Key) Verifies(alg Algorithm, among []Algorithm) bool { return k.verifies(alg, among) }

// Encrypts reports whether a JWE of alg may be made for this key (RFC 7517
// §4.2, §4.3).
func (k *Key) Encrypts(alg Algorithm) bool {
	if f, ok := encryptions[alg]; !ok || f != k.family || k.Use == "sig" {
		return false
	}
	if k.ops != nil && !slices.Contains(k.ops, "wrapKey") && !slices.Contains(k.ops, "deriveKey") &&
		!slices.Contains(k.ops, "deriveBits") && !slices.Contains(k.ops, "encrypt") {
		return false
	}
	return k.Algorithm == noAlgorithm || k.Algorithm == alg
}

// Public returns an *ecdsa.PublicKey, an ed25519.PublicKey or an
// *rsa.PublicKey; nil for a secret key. Do not change it.
func (k *Key) Public() crypto.PublicKey {
	if k.family == familySecret {
		return nil
	}
	return k.public
}

var curveNames = map[elliptic.Curve]string{elliptic.P256(): "P-256", elliptic.P384(): "P-384", elliptic.P521(): "P-521"}

// appendRequired appends the required members, in the order that RFC 7638 §3.2
// asks for.
func (k *Key) appendRequired(dst []byte) []byte {
	enc := base64.RawURLEncoding
	switch p := k.public.(type) {
	case *ecdsa.PublicKey:
		point, _ := p.Bytes() // on the curve, since judged
		half := len(point) / 2
		dst = append(append(append(dst, `"crv":"`...), curveNames[p.Curve]...), `","kty":"EC","x":"`...)
		dst = enc.AppendEncode(dst, point[1:1+half])
		dst = enc.AppendEncode(append(dst, `","y":"`...), point[1+half:])
	case ed25519.PublicKey:
		dst = enc.AppendEncode(append(dst, `"crv":"Ed25519","kty":"OKP","x":"`...), p)
	case *rsa.PublicKey:
		dst = enc.AppendEncode(append(dst, `"e":"`...), big.NewInt(int64(p.E)).Bytes())
		dst = enc.AppendEncode(append(dst, `","kty":"RSA","n":"`...), p.N.Bytes())
	case secretKey:
		return dst // never written
	}
	return append(dst, '"')
}

// Thumbprint is the SHA-256 of the required members (RFC 7638 §3). It panics
// for a secret key, which must not be known by its hash.
func (k *Key) Thumbprint() [sha256.Size]byte {
	if k.family == familySecret {
		panic("jose: thumbprint of a secret key")
	}
	return sha256.Sum256(append(k.appendRequired([]byte{'{'}), '}'))
}

// AppendJWK appends the key as a JWK, with kid, alg and use where they are set.
func (k *Key) AppendJWK(dst []byte) []byte {
	dst = k.appendRequired(append(dst, '{'))
	for _, m := range [...][2]string{{"alg", string(k.Algorithm)}, {"kid", k.ID}, {"use", k.Use}} {
		if m[1] != "" {
			dst = fmt.Appendf(dst, `,%q:%q`, m[0], m[1])
		}
	}
	return append(dst, '}')
}

// KeySource finds the key that a header names. Implementations are safe for
// concurrent use.
type KeySource interface {
	// Key returns the key for kid and alg. It returns an error that matches
	// ErrNoKey if there is none, and one that matches ErrKeysUnavailable if that
	// cannot be known now.
	Key(ctx context.Context, kid string, alg Algorithm) (*Key, error)
}

type embedded struct{}

// EmbeddedKey stands for the key in the jwk member of the header. It proves
// possession of a key and nothing else, so it is for DPoP proofs (RFC 9449
// §4.2) and the like; with every other source a token that has a jwk is refused.
var EmbeddedKey KeySource = embedded{}

// Key finds nothing: the verifier takes the key from the header.
func (embedded) Key(context.Context, string, Algorithm) (*Key, error) { return nil, ErrNoKey }
