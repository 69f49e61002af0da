package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"sallyport/internal/secret"
)

// ErrMasterKey says that the stored keys were wrapped by another master key.
// The error is a *MasterError.
var ErrMasterKey = errors.New("the master key does not fit the stored keys")

// MasterError names both sides, by fingerprints that say nothing of the keys.
type MasterError struct {
	Key       secret.ID
	WrappedBy string   // "" if the record does not say
	Have      []string // what the caller has
}

// Error implements error.
func (e *MasterError) Error() string {
	by := e.WrappedBy
	if by == "" {
		by = "another one"
	}
	return fmt.Sprintf("%v: they were wrapped by %s, and here is %s", ErrMasterKey, by, strings.Join(e.Have, " and "))
}

// Is makes errors.Is(err, ErrMasterKey) true.
func (*MasterError) Is(target error) bool { return target == ErrMasterKey }

// Master wraps the keys that the store holds. It has one master key, or two
// while it is being changed. Safe for concurrent use.
type Master struct{ keys []masterKey }

type masterKey struct {
	aead        *xaes
	fingerprint string
}

// NewMaster reads master keys: handles with the prefix spmk over 32 bytes. The
// first is the one to wrap with; each opens what it has wrapped. Keys that
// nobody can have made by chance are refused.
func NewMaster(first secret.Value, more ...secret.Value) (*Master, error) {
	m := &Master{}
	for _, v := range append([]secret.Value{first}, more...) {
		key, err := secret.Decode(secret.MasterKey, v.Reveal())
		if err != nil || len(key) != xaesKeySize {
			return nil, errors.New("not a master key: expected spmk_ and 49 characters")
		}
		if why := placeholder(key); why != "" {
			return nil, errors.New("not a master key: " + why)
		}
		aead, err := newXAES(key)
		if err != nil {
			return nil, err
		}
		k := masterKey{aead, fingerprint(key)}
		for _, have := range m.keys {
			if have.fingerprint == k.fingerprint {
				return nil, errors.New("the same master key twice")
			}
		}
		m.keys = append(m.keys, k)
	}
	return m, nil
}

// fingerprint is six bytes in hexadecimal that tell master keys apart. They
// come from a hash under the key, which has 256 random bits.
func fingerprint(key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("sallyport master key fingerprint v1"))
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// Fingerprints returns the fingerprint of each key, the wrapping one first.
func (m *Master) Fingerprints() []string {
	list := make([]string, len(m.keys))
	for i, k := range m.keys {
		list[i] = k.fingerprint
	}
	return list
}

// placeholder says why key was not drawn at random (KY07). Of 32 random bytes
// fewer than 16 differ once in 10^21 times.
func placeholder(key []byte) string {
	var seen [256]bool
	distinct, step := 0, true
	for i, b := range key {
		if !seen[b] {
			seen[b], distinct = true, distinct+1
		}
		step = step && (i < 2 || b-key[i-1] == key[1]-key[0])
	}
	switch {
	case distinct == 1 && key[0] == 0:
		return "all its bytes are zero"
	case distinct < 16, step:
		return "its bytes are a pattern, so it is a sample: make one with sallyport init"
	}
	return ""
}

func wrapLabel(r KeyRecord) []byte {
	return fmt.Appendf(nil, "sallyport key v1\x00%s\x00%s\x00%s", r.ID, r.Purpose, r.Algorithm)
}

// wrap returns r with material wrapped by the key that has the fingerprint by,
// or the first one if by is empty.
func (m *Master) wrap(r KeyRecord, material []byte, by string) (KeyRecord, error) {
	for _, k := range m.keys {
		if by != "" && by != k.fingerprint {
			continue
		}
		var scratch [xaesKeySize]byte
		nonce := secret.Random(xaesNonceSize)
		var err error
		r.Wrapped, err = k.aead.seal(nonce, nonce, material, wrapLabel(r), &scratch)
		r.WrappedBy = k.fingerprint
		return r, err
	}
	return r, &MasterError{Key: r.ID, WrappedBy: by, Have: m.Fingerprints()}
}

// unwrap tries every key: a record of the first release does not say by which
// one it was wrapped, and what one says is not authenticated.
func (m *Master) unwrap(r KeyRecord) ([]byte, error) {
	if len(r.Wrapped) >= xaesNonceSize+xaesOverhead {
		for _, k := range m.keys {
			var scratch [xaesKeySize]byte
			material, err := k.aead.open(nil, r.Wrapped[:xaesNonceSize], r.Wrapped[xaesNonceSize:], wrapLabel(r), &scratch)
			if err == nil {
				return material, nil
			}
		}
	}
	return nil, &MasterError{Key: r.ID, WrappedBy: r.WrappedBy, Have: m.Fingerprints()}
}

// Rewrap returns r wrapped by the first key of m.
func (m *Master) Rewrap(r KeyRecord) (KeyRecord, error) {
	material, err := m.unwrap(r)
	if err != nil {
		return r, err
	}
	return m.wrap(r, material, "")
}
