package sallyport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
)

const (
	maxKeySet = 64 << 10 // bytes
	maxKeys   = 100
)

// key verifies signatures of one algorithm.
type key struct {
	alg     string
	edwards ed25519.PublicKey
	p256    *ecdsa.PublicKey
}

func (k *key) verify(input string, sig []byte) bool {
	if k.edwards != nil {
		return ed25519.Verify(k.edwards, []byte(input), sig)
	}
	digest := sha256.Sum256([]byte(input))
	return ecdsa.Verify(k.p256, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}

// parseKeySet reads a JWK Set (RFC 7517 §5). Keys of a kind that we do not know
// and keys that are not for verifying are passed over. A set that holds private
// or symmetric material, or a kid twice, is not one to trust: it is refused.
func parseKeySet(b []byte) (map[string]*key, error) {
	if len(b) > maxKeySet {
		return nil, errors.New("key set: too large")
	}
	var list []byte
	err := scanObject(b, func(name string, value []byte) error {
		if name == "keys" {
			list = value
		}
		return nil
	})
	if err != nil || list == nil {
		return nil, errors.New("key set: not a JWK Set")
	}
	set, n := map[string]*key{}, 0
	kids := map[string]bool{}
	err = scanArray(list, func(value []byte) error {
		if n++; n > maxKeys {
			return errors.New("too many keys")
		}
		kid, k, err := parseKey(value)
		if err != nil || kid == "" {
			return err
		}
		if kids[kid] {
			return errors.New("a kid comes twice")
		}
		kids[kid] = true
		if k != nil {
			set[kid] = k
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	return set, nil
}

// parseKey returns no key for one that is not ours to use.
func parseKey(jwk []byte) (kid string, k *key, err error) {
	text := map[string]string{}
	usable := true
	err = scanObject(jwk, func(name string, value []byte) error {
		switch name {
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv":
			return errors.New("private or symmetric material")
		case "kty", "crv", "kid", "alg", "use", "x", "y":
			s, err := stringValue(value)
			text[name] = s
			return err
		case "key_ops":
			usable = false
			return scanArray(value, func(op []byte) error {
				usable = usable || string(op) == `"verify"`
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	if use, ok := text["use"]; ok && use != "sig" {
		usable = false
	}
	if !usable || text["kid"] == "" {
		return text["kid"], nil, nil
	}
	return text["kid"], publicKey(text), nil
}

// publicKey returns nil for a key that no signature of ours can be of.
func publicKey(jwk map[string]string) *key {
	x, errX := b64.DecodeString(jwk["x"])
	y, errY := b64.DecodeString(jwk["y"])
	if errX != nil || errY != nil || len(x) != 32 {
		return nil
	}
	alg, named := jwk["alg"]
	switch {
	case jwk["kty"] == "OKP" && jwk["crv"] == "Ed25519" && (!named || alg == "EdDSA" || alg == "Ed25519") && fitEdwards(x):
		return &key{alg: "EdDSA", edwards: x}
	case jwk["kty"] == "EC" && jwk["crv"] == "P-256" && (!named || alg == "ES256") && len(y) == 32:
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return nil
		}
		return &key{alg: "ES256", p256: public}
	}
	return nil
}

// smallOrder are the y coordinates of the eight points of small order, little
// endian without the sign. Under such a key one signature fits every message,
// and crypto/ed25519 takes it, as RFC 8032 §5.1.7 allows.
var smallOrder = [][]byte{
	unhex("0000000000000000000000000000000000000000000000000000000000000000"),
	unhex("0100000000000000000000000000000000000000000000000000000000000000"),
	unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
	unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // a constant of this file
	}
	return b
}

// fitEdwards refuses points of small order and second spellings of a point.
func fitEdwards(x []byte) bool {
	y := bytes.Clone(x)
	y[31] &= 0x7f
	for _, bad := range smallOrder {
		if bytes.Equal(y, bad) {
			return false
		}
	}
	// y is below p = 2^255 - 19: not ed…ff7f or more.
	if y[31] != 0x7f || y[0] < 0xed {
		return true
	}
	for _, c := range y[1:31] {
		if c != 0xff {
			return true
		}
	}
	return false
}
