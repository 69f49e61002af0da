package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/secret"
)

// Purpose is the one thing that a key may be used for. It is bound into the
// key's wrapping: a record moved to another purpose does not unwrap.
type Purpose string

// The purposes.
const (
	SealAccess  Purpose = "seal_access" // access tokens
	SealFlow    Purpose = "seal_flow"   // authorization codes and pending sign-ins
	MACRefresh  Purpose = "mac_refresh" // refresh tokens
	MACForm     Purpose = "mac_form"    // CSRF tokens of pages
	MACNonce    Purpose = "mac_nonce"   // nonces for DPoP proofs
	SignIDToken Purpose = "sign_id"     // ID tokens
	SignAccess  Purpose = "sign_access" // RFC 9068 access tokens
	SignInner   Purpose = "sign_inner"  // what a backend receives
)

// Algorithm is how a key is used. One key has one.
type Algorithm string

// The algorithms.
const (
	XAES256GCM Algorithm = "XAES-256-GCM"
	HS256      Algorithm = "HS256"
	ES256      Algorithm = "ES256"
	EdDSA      Algorithm = "EdDSA"
)

// purposes says which algorithm a new key of each purpose has.
var purposes = []struct {
	Purpose   Purpose
	Algorithm Algorithm
}{
	{SealAccess, XAES256GCM},
	{SealFlow, XAES256GCM},
	{MACRefresh, HS256},
	{MACForm, HS256},
	{MACNonce, HS256},
	{SignIDToken, ES256},
	{SignAccess, ES256},
	{SignInner, EdDSA},
}

// KeyRecord is a key as the store keeps it: the private part only wrapped.
type KeyRecord struct {
	ID        secret.ID
	Purpose   Purpose
	Algorithm Algorithm
	Wrapped   []byte // by the master key
	CreatedAt time.Time
}

// KeyStore keeps key records.
type KeyStore interface {
	// Keys returns all records, oldest first.
	Keys(context.Context) ([]KeyRecord, error)
	// AddFirstKey stores k if its purpose has no key yet. Otherwise it changes
	// nothing and returns nil: another node was first, and its key counts.
	AddFirstKey(context.Context, KeyRecord) error
}

// ErrMasterKey says that the stored keys were wrapped by another master key.
var ErrMasterKey = errors.New("the master key does not fit the stored keys")

// Master wraps the keys that the store holds. Safe for concurrent use.
type Master struct{ aead *xaes }

// NewMaster reads a master key: a handle with the prefix spmk over 32 bytes.
func NewMaster(v secret.Value) (*Master, error) {
	key, err := secret.Decode(secret.MasterKey, v.Reveal())
	if err != nil || len(key) != xaesKeySize {
		return nil, errors.New("not a master key: expected spmk_ and 49 characters")
	}
	if allZero(key) {
		return nil, errors.New("not a master key: all its bytes are zero")
	}
	aead, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	return &Master{aead: aead}, nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func wrapLabel(r KeyRecord) []byte {
	return fmt.Appendf(nil, "sallyport key v1\x00%s\x00%s\x00%s", r.ID, r.Purpose, r.Algorithm)
}

func (m *Master) wrap(r KeyRecord, material []byte) ([]byte, error) {
	var scratch [xaesKeySize]byte
	nonce := secret.Random(xaesNonceSize)
	return m.aead.seal(nonce, nonce, material, wrapLabel(r), &scratch)
}

func (m *Master) unwrap(r KeyRecord) ([]byte, error) {
	var scratch [xaesKeySize]byte
	if len(r.Wrapped) < xaesNonceSize+xaesOverhead {
		return nil, ErrMasterKey
	}
	material, err := m.aead.open(nil, r.Wrapped[:xaesNonceSize], r.Wrapped[xaesNonceSize:], wrapLabel(r), &scratch)
	if err != nil {
		return nil, ErrMasterKey
	}
	return material, nil
}

// newMaterial makes the private part of a key.
func newMaterial(alg Algorithm) ([]byte, error) {
	switch alg {
	case XAES256GCM, HS256:
		return secret.Random(32), nil
	case ES256:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(key)
	case EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(key)
	}
	return nil, fmt.Errorf("unknown algorithm %q", alg)
}
