package jose

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"math/big"
)

// Limits of what a stranger publishes as keys.
const (
	maxJWK    = 8 << 10
	maxKeySet = 256 << 10
	maxKeys   = 100
	maxKeyID  = 256
)

// errUnknownKind says that a JWK is of a kind that we have no use for.
var errUnknownKind = badKey("an unknown kty or crv")

// members are the members of a JWK that we read. Everything else is ignored,
// x5u too: a key counts by where it was found, not by what it says of itself.
type members struct {
	kty, crv, kid, alg, use, x, y, n, e, k string
	x5c                                    string // the first certificate, if there are any
	ops                                    []string
	private                                bool
}

func readMembers(jwk string) (*members, error) {
	if len(jwk) > maxJWK {
		return nil, badKey("longer than 8 KiB")
	}
	m := &members{}
	text := map[string]*string{
		"kty": &m.kty, "crv": &m.crv, "kid": &m.kid, "alg": &m.alg, "use": &m.use,
		"x": &m.x, "y": &m.y, "n": &m.n, "e": &m.e, "k": &m.k,
	}
	err := scanObject(jwk, func(name, value string, _ int) error {
		switch name {
		case "d", "p", "q", "dp", "dq", "qi", "oth":
			m.private = true
		case "key_ops":
			m.ops = []string{}
			if !scanStrings(value, func(op string) bool { m.ops = append(m.ops, op); return len(m.ops) <= 8 }) {
				return errJSON
			}
		case "x5c":
			scanStrings(value, func(cert string) bool { m.x5c = cert; return false })
		default:
			if to := text[name]; to != nil {
				v, ok := unquote(value)
				if !ok || v == "" && name != "k" {
					return errJSON
				}
				*to = v
			}
		}
		return nil
	})
	if err != nil || len(m.kid) > maxKeyID {
		return nil, badKey("not a strict JWK")
	}
	return m, nil
}

// key builds and judges the key.
func (m *members) key() (*Key, error) {
	k := &Key{ID: m.kid, Algorithm: Algorithm(m.alg), Use: m.use, ops: m.ops}
	switch {
	case m.kty == "EC":
		for curve, name := range curveNames {
			if name == m.crv {
				k.curve = curve
			}
		}
		if k.curve == nil {
			return nil, errUnknownKind
		}
		x, okX := appendDecoded(nil, []byte(m.x))
		y, okY := appendDecoded(nil, []byte(m.y))
		if !okX || !okY {
			return nil, badKey("a coordinate is not base64url")
		}
		public, err := newEC(k.curve, x, y)
		if err != nil {
			return nil, err
		}
		k.family, k.public = familyEC, public
	case m.kty == "OKP" && m.crv == "Ed25519":
		x, ok := appendDecoded(nil, []byte(m.x))
		if !ok {
			return nil, badKey("the point is not base64url")
		}
		k.family, k.public = familyOKP, ed25519.PublicKey(x)
	case m.kty == "RSA":
		public, err := m.rsa()
		if err != nil {
			return nil, err
		}
		k.family, k.public = familyRSA, public
	case m.kty == "oct":
		secret, ok := appendDecoded(nil, []byte(m.k))
		if !ok {
			return nil, badKey("the key is not base64url")
		}
		k.family, k.public = familySecret, secretKey(secret)
	default:
		return nil, errUnknownKind
	}
	k.certificate = certificateDigest(m.x5c, k.public)
	return k, k.judge()
}

func (m *members) rsa() (*rsa.PublicKey, error) {
	n, okN := appendDecoded(nil, []byte(m.n))
	e, okE := appendDecoded(nil, []byte(m.e))
	if !okN || !okE || len(n) == 0 || n[0] == 0 || len(e) == 0 || len(e) > 4 || e[0] == 0 {
		return nil, badKey("n or e is not a number as RFC 7518 §6.3.1 writes it")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

// ParseKey reads one public JWK (RFC 7517 §4). A private or a symmetric one is
// refused: it has leaked by coming here. An error matches ErrKey.
func ParseKey(jwk []byte) (*Key, error) {
	m, err := readMembers(string(jwk))
	if err != nil {
		return nil, err
	}
	if m.private || m.kty == "oct" {
		return nil, badKey("it is private")
	}
	return m.key()
}

// KeySet is a JWK Set (RFC 7517 §5). It does not change; safe for concurrent
// use.
type KeySet struct {
	keys []*Key
	byID map[string]*Key
}

// NewKeySet returns the set of keys, of which no two may have one kid.
func NewKeySet(keys ...*Key) (*KeySet, error) {
	s := &KeySet{keys: keys, byID: make(map[string]*Key, len(keys))}
	secrets := 0
	for _, k := range keys {
		if k.family == familySecret {
			secrets++
		}
		if k.ID == "" {
			continue
		}
		if s.byID[k.ID] != nil {
			return nil, badKey("two keys of the set have one kid")
		}
		s.byID[k.ID] = k
	}
	if secrets != 0 && secrets != len(keys) {
		return nil, badKey("the set mixes secret and public keys")
	}
	return s, nil
}

// ParseKeySet reads what a jwks_uri answers. Keys of a kind that we do not know
// or that are weak are left out, so that one new or bad key does not take the
// others with it. A set with a private or a symmetric key, with one kid for two
// keys, with more than 100 keys or 256 KiB is refused as a whole. An error
// matches ErrKey.
func ParseKeySet(jwks []byte) (*KeySet, error) {
	return parseKeySet(jwks, func(m *members) error {
		if m.private || m.kty == "oct" {
			return badKey("the set has a private key in it")
		}
		return nil
	})
}

func parseKeySet(jwks []byte, allow func(*members) error) (*KeySet, error) {
	raw, err := keysMember(jwks)
	if err != nil {
		return nil, err
	}
	var keys []*Key
	seen := map[string]bool{}
	for i, jwk := range elements(raw) {
		m, err := readMembers(jwk)
		switch {
		case i >= maxKeys:
			return nil, badKey("the set has more than 100 keys")
		case err != nil:
			continue
		}
		if err := allow(m); err != nil {
			return nil, err
		}
		if m.kid != "" && seen[m.kid] { // also where one of the two would be left out
			return nil, badKey("two keys of the set have one kid")
		}
		seen[m.kid] = true
		k, err := m.key()
		if errors.Is(err, ErrKey) {
			continue
		}
		keys = append(keys, k)
	}
	return NewKeySet(keys...)
}

// keysMember returns the array of a JWK Set.
func keysMember(jwks []byte) (string, error) {
	if len(jwks) > maxKeySet {
		return "", badKey("the key set is longer than 256 KiB")
	}
	var raw string
	err := scanObject(string(jwks), func(name, value string, _ int) error {
		if name == "keys" {
			raw = value
		}
		return nil
	})
	if err != nil || raw == "" || raw[0] != '[' {
		return "", badKey("not a strict JWK Set")
	}
	return raw, nil
}

// elements splits an array that has passed a scanner.
func elements(raw string) []string {
	var list []string
	s := scanner{text: raw, i: 1}
	for {
		s.space()
		if s.take(']') || s.i >= len(raw) {
			return list
		}
		from := s.i
		if s.value(1) != nil {
			return list
		}
		list = append(list, raw[from:s.i])
		s.space()
		s.take(',')
	}
}

// Keys returns the keys of the set. Do not change the slice.
func (s *KeySet) Keys() []*Key { return s.keys }

// Key implements KeySource. Without a kid it finds the one key that can have
// alg: with several, trying one after the other would let any of them speak.
// Whom to encrypt for is not a question of who speaks: there the first one
// counts.
func (s *KeySet) Key(_ context.Context, kid string, alg Algorithm) (*Key, error) {
	if kid != "" {
		if k := s.byID[kid]; k != nil {
			return k, nil
		}
		return nil, ErrNoKey
	}
	if _, encrypts := encryptions[alg]; encrypts {
		return s.recipient(alg)
	}
	var found *Key
	for _, k := range s.keys {
		if !k.verifies(alg, nil) {
			continue
		}
		if found != nil {
			return nil, ErrNoKey
		}
		found = k
	}
	if found == nil {
		return nil, ErrNoKey
	}
	return found, nil
}
