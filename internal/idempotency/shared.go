package idempotency

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/secret"
)

// Store is what Shared needs of the servers that nodes share.
type Store interface {
	// Begin writes value unless there is one, which it returns then. It is atomic.
	Begin(ctx context.Context, id [32]byte, value []byte, keep time.Duration) (found []byte, first bool, err error)
	// Replace writes value where there is one, for as long as that had left.
	Replace(ctx context.Context, id [32]byte, value []byte) error
	// Remove forgets.
	Remove(ctx context.Context, id [32]byte) error
}

// Sealer makes texts that only this deployment can read.
type Sealer interface {
	SealStored(label string, plain []byte) (string, error)
	OpenStored(label, sealed string) ([]byte, error)
}

// Shared is for many nodes. Answers are sealed: who reads the servers learns
// hashes. A node that dies leaves its calls Running until their time is over:
// nobody knows what came of them. Safe for concurrent use.
type Shared struct {
	store Store
	seal  func() Sealer
}

// NewShared returns Shared over the servers. seal is asked each time: keys change.
func NewShared(s Store, seal func() Sealer) *Shared { return &Shared{s, seal} }

// stored is a record on the servers. Answer is sealed by a key of its own, which
// is sealed by the deployment's.
type stored struct {
	State   State  `json:"s"`
	Request []byte `json:"r"`
	Key     string `json:"k,omitempty"`
	Answer  []byte `json:"a,omitempty"`
}

// Claim is that of Memory. An error means that nobody knows, and that the call
// must not be made.
func (s *Shared) Claim(ctx context.Context, key Key, request Request, _ string, keep time.Duration) (Record, error) {
	value, err := json.Marshal(stored{State: Running, Request: request[:]})
	if err != nil {
		return Record{}, err
	}
	found, first, err := s.store.Begin(ctx, key, value, min(keep, MaxKeep))
	if err != nil || first {
		return Record{State: First, Request: request}, err
	}
	return s.read(key, found)
}

// Finish is that of Memory.
func (s *Shared) Finish(ctx context.Context, key Key, r Record) error {
	v := stored{State: r.State, Request: r.Request[:]}
	if r.State == Done {
		plain, err := json.Marshal(r.Answer)
		if err != nil {
			return err
		}
		once := secret.Random(32)
		if v.Key, err = s.seal().SealStored(label(key), once); err != nil {
			return fmt.Errorf("seal the key of an answer: %w", err)
		}
		v.Answer = aead(once).Seal(nil, make([]byte, nonceSize), plain, key[:])
	}
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.store.Replace(ctx, key, value)
}

// Forget is that of Memory.
func (s *Shared) Forget(ctx context.Context, key Key) error { return s.store.Remove(ctx, key) }

var errRecord = errors.New("idempotency: a record that is none of ours")

func (s *Shared) read(key Key, value []byte) (Record, error) {
	var v stored
	if json.Unmarshal(value, &v) != nil || len(v.Request) != len(Request{}) || v.State == First || v.State > Lost {
		return Record{}, errRecord
	}
	r := Record{State: v.State, Request: Request(v.Request)}
	if r.State != Done {
		return r, nil
	}
	once, err := s.seal().OpenStored(label(key), v.Key)
	if err != nil {
		r.State = Gone // its key has been dropped from the ring
		return r, nil
	}
	plain, err := aead(once).Open(nil, make([]byte, nonceSize), v.Answer, key[:])
	if err != nil || json.Unmarshal(plain, &r.Answer) != nil {
		return Record{}, errRecord
	}
	return r, nil
}

func label(key Key) string { return "idempotency " + hex.EncodeToString(key[:]) }

const nonceSize = 12

// aead seals once by each key, so the nonce may be zero.
func aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}
