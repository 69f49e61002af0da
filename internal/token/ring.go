package token

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"sallyport/internal/secret"
)

// Ring holds the keys of a node, unwrapped. The newest key of a purpose makes,
// all of them open. Safe for concurrent use.
type Ring struct {
	sealers map[Purpose]*sealer
	macs    map[Purpose]*macer
	signers map[Purpose][]*Signer
}

// OpenRing reads the key ring from the store, making what is missing. It
// returns ErrMasterKey if a record does not unwrap, and then has written
// nothing.
func OpenRing(ctx context.Context, store KeyStore, master *Master, now time.Time) (*Ring, error) {
	records, err := store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if _, err := newRing(records, master); err != nil {
		return nil, err
	}
	have := map[Purpose]bool{}
	for _, r := range records {
		have[r.Purpose] = true
	}
	missing := false
	for _, p := range purposes {
		if have[p.Purpose] {
			continue
		}
		missing = true
		r := KeyRecord{ID: secret.NewID(now), Purpose: p.Purpose, Algorithm: p.Algorithm, CreatedAt: now}
		material, err := newMaterial(p.Algorithm)
		if err != nil {
			return nil, fmt.Errorf("make %s key: %w", p.Purpose, err)
		}
		if r.Wrapped, err = master.wrap(r, material); err != nil {
			return nil, fmt.Errorf("wrap %s key: %w", p.Purpose, err)
		}
		if err := store.AddFirstKey(ctx, r); err != nil {
			return nil, fmt.Errorf("store %s key: %w", p.Purpose, err)
		}
	}
	if missing {
		if records, err = store.Keys(ctx); err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
	}
	return newRing(records, master)
}

func newRing(records []KeyRecord, master *Master) (*Ring, error) {
	ring := &Ring{sealers: map[Purpose]*sealer{}, macs: map[Purpose]*macer{}, signers: map[Purpose][]*Signer{}}
	for _, r := range records {
		material, err := master.unwrap(r)
		if err != nil {
			return nil, err
		}
		if err := ring.add(r, material); err != nil {
			return nil, fmt.Errorf("key %s: %w", r.ID, err)
		}
	}
	return ring, nil
}

// add takes a key into use. Records come oldest first, so the last one added
// for a purpose is the one that makes.
func (ring *Ring) add(r KeyRecord, material []byte) error {
	switch r.Algorithm {
	case XAES256GCM:
		aead, err := newXAES(material)
		if err != nil {
			return err
		}
		s := ring.sealers[r.Purpose]
		if s == nil {
			s = &sealer{byID: map[keyID]*xaes{}}
			ring.sealers[r.Purpose] = s
		}
		s.current = shortID(r.ID)
		s.byID[s.current] = aead
	case HS256:
		m := ring.macs[r.Purpose]
		if m == nil {
			m = &macer{byID: map[keyID][]byte{}}
			ring.macs[r.Purpose] = m
		}
		m.current = shortID(r.ID)
		m.byID[m.current] = material
	case ES256, EdDSA:
		s, err := newSigner(r, material)
		if err != nil {
			return err
		}
		ring.signers[r.Purpose] = append(ring.signers[r.Purpose], s)
	default:
		return fmt.Errorf("unknown algorithm %q", r.Algorithm)
	}
	return nil
}

// Signer returns the key that signs for p.
func (ring *Ring) Signer(p Purpose) *Signer {
	s := ring.signers[p]
	return s[len(s)-1]
}

// keyID is the random tail of a key's ID, as sealed tokens carry it.
type keyID [4]byte

func shortID(id secret.ID) keyID { return keyID(id[12:]) }

// sealedVersion is the first byte of everything sealed.
const sealedVersion = 1

const sealedHead = 1 + len(keyID{}) + xaesNonceSize

type sealer struct {
	current keyID
	byID    map[keyID]*xaes
}

// scratch is reused, because what reaches an interface lives on the heap.
type scratch struct {
	key   [xaesKeySize]byte
	buf   []byte
	out   []byte
	plain []byte
	text  []byte
}

var scratches = sync.Pool{New: func() any {
	return &scratch{buf: make([]byte, 0, 1024), out: make([]byte, 0, 1024), plain: make([]byte, 0, 1024), text: make([]byte, 0, 1024)}
}}

// seal returns a handle with prefix p over version, key, nonce and plain,
// encrypted. The prefix, the version and the key ID are authenticated too.
func (s *sealer) seal(p secret.Prefix, plain []byte, sc *scratch) (secret.Value, error) {
	aad := append(append(sc.buf[:0], p...), sealedVersion)
	aad = append(aad, s.current[:]...)
	out := append(sc.out[:0], sealedVersion)
	out = append(out, s.current[:]...)
	out = out[:sealedHead]
	_, _ = rand.Read(out[sealedHead-xaesNonceSize:])
	out, err := s.byID[s.current].seal(out, out[sealedHead-xaesNonceSize:], plain, aad, &sc.key)
	if err != nil {
		return secret.Value{}, err
	}
	sc.out = out[:0]
	sc.text = secret.AppendHandle(sc.text[:0], p, out)
	return secret.New(string(sc.text)), nil
}

// open returns the plaintext, which lives in sc until its next use.
func (s *sealer) open(p secret.Prefix, handle string, sc *scratch) ([]byte, error) {
	raw, err := secret.DecodeInto(sc.buf[:0], p, handle)
	if err != nil || len(raw) < sealedHead+xaesOverhead || raw[0] != sealedVersion {
		return nil, ErrInvalid
	}
	key := s.byID[keyID(raw[1:])]
	if key == nil {
		return nil, ErrInvalid
	}
	// The authenticated prefix goes behind the ciphertext in the same buffer.
	n := len(raw)
	raw = append(append(raw, p...), raw[:1+len(keyID{})]...)
	sc.buf = raw[:0]
	plain, err := key.open(sc.out[:0], raw[sealedHead-xaesNonceSize:sealedHead], raw[sealedHead:n], raw[n:], &sc.key)
	if err != nil {
		return nil, ErrInvalid
	}
	sc.out = plain[:0]
	return plain, nil
}

// SealAccess makes the access token that says a.
func (ring *Ring) SealAccess(a *Access) (secret.Value, error) {
	sc := scratches.Get().(*scratch) //nolint:forcetypeassert // the pool holds nothing else
	defer scratches.Put(sc)
	plain, err := a.appendPlain(sc.plain[:0])
	if err != nil {
		return secret.Value{}, err
	}
	sc.plain = plain[:0]
	return ring.sealers[SealAccess].seal(secret.AccessToken, plain, sc)
}

// OpenAccess fills a from an access token, or returns ErrInvalid and leaves a
// in no useful state. It checks form and key only: expiry, revocation,
// audience and scope are the caller's.
func (ring *Ring) OpenAccess(tok string, a *Access) error {
	sc := scratches.Get().(*scratch) //nolint:forcetypeassert // the pool holds nothing else
	defer scratches.Put(sc)
	plain, err := ring.sealers[SealAccess].open(secret.AccessToken, tok, sc)
	if err != nil {
		return err
	}
	return a.parsePlain(plain)
}

// Seal makes a handle that only this issuer can read, for state that travels
// through a browser. label says what it is for and must be given to Open.
func (ring *Ring) Seal(p secret.Prefix, label string, plain []byte) (secret.Value, error) {
	sc := scratches.Get().(*scratch) //nolint:forcetypeassert // the pool holds nothing else
	defer scratches.Put(sc)
	labelled := binary.AppendUvarint(nil, uint64(len(label)))
	labelled = append(append(labelled, label...), plain...)
	return ring.sealers[SealFlow].seal(p, labelled, sc)
}

// Open returns what Seal was given, or ErrInvalid.
func (ring *Ring) Open(p secret.Prefix, label, handle string) ([]byte, error) {
	sc := scratches.Get().(*scratch) //nolint:forcetypeassert // the pool holds nothing else
	defer scratches.Put(sc)
	plain, err := ring.sealers[SealFlow].open(p, handle, sc)
	if err != nil {
		return nil, err
	}
	n, size := binary.Uvarint(plain)
	if size <= 0 || n != uint64(len(label)) || len(plain) < size+len(label) || string(plain[size:size+len(label)]) != label {
		return nil, ErrInvalid
	}
	return append([]byte(nil), plain[size+len(label):]...), nil
}
