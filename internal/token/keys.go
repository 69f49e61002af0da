package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/secret"
)

// Purpose is the one thing that a key may be used for. It is bound into the
// key's wrapping: a record moved to another purpose does not unwrap.
type Purpose string

// The purposes. Each has a line in Policies.
const (
	SealAccess  Purpose = "seal_access"  // access tokens
	SealFlow    Purpose = "seal_flow"    // authorization codes and pending sign-ins
	MACRefresh  Purpose = "mac_refresh"  // refresh tokens
	MACForm     Purpose = "mac_form"     // CSRF tokens of pages
	MACNonce    Purpose = "mac_nonce"    // nonces for DPoP proofs
	MACPairwise Purpose = "mac_pairwise" // pairwise subjects
	MACPassword Purpose = "mac_password" // the pepper of password hashes
	SignIDToken Purpose = "sign_id"      // ID tokens
	SignAccess  Purpose = "sign_access"  // RFC 9068 access tokens
	SignInner   Purpose = "sign_inner"   // what a backend receives

	SignIDTokenRSA Purpose = "sign_id_rsa"  //nolint:gosec // a name; ID tokens and other answers for clients that know RS256 alone
	SealStored     Purpose = "seal_stored"  // secrets of others that are sent again and again
	SignSET        Purpose = "sign_set"     // security event tokens
	SealSecret     Purpose = "seal_secret"  // keys of third-party APIs that are kept for apps
	SealBrowser    Purpose = "seal_browser" // tokens of browser apps, in the store
)

// Algorithm is how a key is used. One key has one.
type Algorithm string

// The algorithms.
const (
	XAES256GCM Algorithm = "XAES-256-GCM"
	HS256      Algorithm = "HS256"
	ES256      Algorithm = "ES256"
	EdDSA      Algorithm = "EdDSA"
	RS256      Algorithm = "RS256"
)

// rsaBits is the size of our RSA keys. CAEP Interoperability Profile §2.6: 2048
// at least. More would make each signature three times as dear, and no key is
// used for longer than a month.
const rsaBits = 2048

// KeyRecord is a key as the store keeps it: the private part only wrapped, and
// gone once the key is compromised. Times have whole seconds.
type KeyRecord struct {
	ID            secret.ID
	Purpose       Purpose
	Algorithm     Algorithm
	Wrapped       []byte // by the master key; empty once compromised
	WrappedBy     string // fingerprint of that master key; "" in records of the first release
	CreatedAt     time.Time
	ActiveAt      time.Time // from then on it makes, if no later key is active
	CompromisedAt time.Time // zero for most
}

// KeyStore keeps key records.
type KeyStore interface {
	// Keys returns all records, oldest first.
	Keys(context.Context) ([]KeyRecord, error)
	// AddFirstKey stores k if its purpose has no key yet. Otherwise it changes
	// nothing and returns nil: another node was first, and its key counts.
	AddFirstKey(context.Context, KeyRecord) error
}

// KeyAdmin changes key records. Each method is one transaction that also tells
// all nodes through the revocation feed, and after which exactly one of those
// who wanted the same change has made it.
type KeyAdmin interface {
	KeyStore
	// SucceedKey stores k if newest is still the key of its purpose that became
	// or becomes active last (zero: if none is left that is not compromised), and
	// the other keys are wrapped by the same master key. Otherwise it returns
	// ErrKeyStale. Keys that are active more than MaxAhead after k was made do not
	// count.
	SucceedKey(ctx context.Context, k KeyRecord, newest secret.ID) error
	// ActivateKey brings the moment forward at which a pending key begins to
	// make. It returns ErrKeyStale if the key is not pending any more.
	ActivateKey(ctx context.Context, id secret.ID, at time.Time) error
	// CompromiseKeys marks keys as compromised at a time and destroys their
	// wrapped material: the one named, or all of the purpose if id is zero. If the
	// key that makes is one of them, successor is stored in the same transaction,
	// unless it is nil or wrapped by another master key than the other keys: the
	// keys die nevertheless. It returns those that died by it, or ErrKeyStale if
	// none did.
	CompromiseKeys(ctx context.Context, p Purpose, id secret.ID, successor *KeyRecord, at time.Time) ([]secret.ID, error)
	// RewrapKeys gives every record that is not compromised to f and stores what
	// f returns, all or nothing. f may be called again from the start.
	RewrapKeys(ctx context.Context, by string, at time.Time, f func(KeyRecord) (KeyRecord, error)) error
	// ExpireKeys deletes the keys of p whose successor was active by retired, and
	// the compromised ones marked by compromised. It returns how many.
	ExpireKeys(ctx context.Context, p Purpose, retired, compromised time.Time) (int64, error)
}

// ErrKeyStale says that the keys have changed since the caller has read them.
var ErrKeyStale = errors.New("the keys have been changed by somebody else")

// newRecord makes a key of p that is active at a time, wrapped by master with
// the key that has the fingerprint by.
func newRecord(p Policy, master *Master, by string, now, active time.Time) (KeyRecord, error) {
	r := KeyRecord{ID: secret.NewID(now), Purpose: p.Purpose, Algorithm: p.Algorithm, CreatedAt: now.Truncate(time.Second), ActiveAt: active.Truncate(time.Second)}
	material, err := newMaterial(p.Algorithm)
	if err == nil {
		r, err = master.wrap(r, material, by)
	}
	if err != nil {
		return r, fmt.Errorf("make %s key: %w", p.Purpose, err)
	}
	return r, nil
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
	case RS256:
		key, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(key)
	}
	return nil, fmt.Errorf("unknown algorithm %q", alg)
}

// addFirst makes and stores the first key of a purpose, unless there is one. limit
// bounds each use of the store; making a key takes as long as it takes.
func addFirst(ctx context.Context, store KeyStore, p Policy, master *Master, now func() time.Time, limit time.Duration) error {
	reading, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	records, err := store.Keys(reading)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if have(p.Purpose, records) {
		return nil
	}
	r, err := newRecord(p, master, wrapper(records), now(), now())
	if err != nil {
		return err
	}
	writing, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return store.AddFirstKey(writing, r)
}
