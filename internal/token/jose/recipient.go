package jose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// Recipient is one for whom tokens are encrypted, with keys that may change.
// Safe for concurrent use.
type Recipient struct {
	keys KeySource
	algs []Algorithm
	enc  Encryption
	last atomic.Pointer[recipientKey]
}

type recipientKey struct {
	key       *Key
	encrypter *Encrypter
}

// NewRecipient returns a recipient whose keys are found in keys, without a kid.
// alg is the one of KeyAlgorithms to use; "" takes the first that a key is for.
func NewRecipient(keys KeySource, alg Algorithm, enc Encryption) (*Recipient, error) {
	r := &Recipient{keys: keys, algs: KeyAlgorithms, enc: enc}
	switch {
	case keys == nil:
		return nil, errors.New("jose: a recipient needs keys")
	case !slices.Contains(Encryptions, enc):
		return nil, fmt.Errorf("jose: %q is not one of %v", enc, Encryptions)
	case alg != "" && !slices.Contains(KeyAlgorithms, alg):
		return nil, fmt.Errorf("jose: %q is not one of %v", alg, KeyAlgorithms)
	case alg != "":
		r.algs = []Algorithm{alg}
	}
	return r, nil
}

// Encrypt returns the compact JWE around a signed JWT. The error matches
// ErrKeysUnavailable if the keys cannot be had now, and ErrNoKey if none of them
// is for encryption.
func (r *Recipient) Encrypt(ctx context.Context, signed string) (string, error) {
	e, err := r.encrypter(ctx)
	if err != nil {
		return "", err
	}
	return e.Encrypt(signed)
}

// Usable returns nil if there is a key to encrypt for.
func (r *Recipient) Usable(ctx context.Context) error {
	_, err := r.encrypter(ctx)
	return err
}

func (r *Recipient) encrypter(ctx context.Context) (*Encrypter, error) {
	keys := r.keys
	if remote, ok := keys.(*RemoteKeys); ok {
		// Looking in turn for algorithms that the set has not must not look like
		// asking for new keys.
		set, err := remote.Set(ctx)
		if err != nil {
			return nil, err
		}
		keys = set
	}
	for _, alg := range r.algs {
		k, err := keys.Key(ctx, "", alg)
		if errors.Is(err, ErrNoKey) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if last := r.last.Load(); last != nil && last.key == k {
			return last.encrypter, nil
		}
		e, err := NewEncrypter(k, alg, r.enc)
		if err != nil {
			return nil, err
		}
		r.last.Store(&recipientKey{k, e})
		return e, nil
	}
	return nil, ErrNoKey
}

// recipient finds the first key of the set that is for encryption by alg. The
// owner of the set chose its order, and may keep older keys while it changes
// them.
func (s *KeySet) recipient(alg Algorithm) (*Key, error) {
	for _, k := range s.keys {
		if k.Encrypts(alg) {
			return k, nil
		}
	}
	return nil, ErrNoKey
}
