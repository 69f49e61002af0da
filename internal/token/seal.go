package token

import (
	"crypto/rand"
	"encoding/binary"
	"sync"

	"sallyport/internal/secret"
)

// The first byte of everything sealed. sealedExtended is that of access tokens
// alone, whose inner layout is then version 2.
const (
	sealedVersion  = 1
	sealedExtended = 2
)

const sealedHead = 1 + len(keyID{}) + xaesNonceSize

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
func (ring *Ring) seal(purpose Purpose, p secret.Prefix, version byte, plain []byte, sc *scratch) (secret.Value, error) {
	k, err := ring.maker(purpose)
	if err != nil {
		return secret.Value{}, err
	}
	aad := append(append(sc.buf[:0], p...), version)
	aad = append(aad, k.short[:]...)
	out := append(sc.out[:0], version)
	out = append(out, k.short[:]...)
	out = out[:sealedHead]
	_, _ = rand.Read(out[sealedHead-xaesNonceSize:])
	out, err = k.xaes.seal(out, out[sealedHead-xaesNonceSize:], plain, aad, &sc.key)
	if err != nil {
		return secret.Value{}, err
	}
	sc.out = out[:0]
	sc.text = secret.AppendHandle(sc.text[:0], p, out)
	return secret.New(string(sc.text)), nil
}

// open returns the plaintext, which lives in sc until its next use, and the
// version, which is latest at most.
func (ring *Ring) open(purpose Purpose, p secret.Prefix, latest byte, handle string, sc *scratch) (plain []byte, version byte, err error) {
	raw, err := secret.DecodeInto(sc.buf[:0], p, handle)
	if err != nil || len(raw) < sealedHead+xaesOverhead || raw[0] < sealedVersion || raw[0] > latest {
		return nil, 0, ErrInvalid
	}
	version = raw[0]
	k := ring.current.Load().keys[purpose].find(raw[1 : 1+len(keyID{})])
	if k == nil {
		return nil, 0, ErrInvalid
	}
	// The authenticated prefix goes behind the ciphertext in the same buffer.
	n := len(raw)
	raw = append(append(raw, p...), raw[:1+len(keyID{})]...)
	sc.buf = raw[:0]
	plain, err = k.xaes.open(sc.out[:0], raw[sealedHead-xaesNonceSize:sealedHead], raw[sealedHead:n], raw[n:], &sc.key)
	if err != nil {
		return nil, 0, ErrInvalid
	}
	sc.out = plain[:0]
	return plain, version, nil
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
	version := byte(sealedVersion)
	if a.extended() {
		version = sealedExtended
	}
	return ring.seal(SealAccess, secret.AccessToken, version, plain, sc)
}

// OpenAccess fills a from an access token, or returns ErrInvalid and leaves a
// in no useful state. It checks form and key only: expiry, revocation,
// audience and scope are the caller's.
func (ring *Ring) OpenAccess(tok string, a *Access) error {
	sc := scratches.Get().(*scratch) //nolint:forcetypeassert // the pool holds nothing else
	defer scratches.Put(sc)
	plain, version, err := ring.open(SealAccess, secret.AccessToken, sealedExtended, tok, sc)
	if err != nil {
		return err
	}
	return a.parsePlain(plain, version == sealedExtended)
}

// Seal makes a handle that only this issuer can read, for state that travels
// through a browser. label says what it is for and must be given to Open.
func (ring *Ring) Seal(p secret.Prefix, label string, plain []byte) (secret.Value, error) {
	return ring.sealLabelled(SealFlow, p, label, plain)
}

// Open returns what Seal was given, or ErrInvalid.
func (ring *Ring) Open(p secret.Prefix, label, handle string) ([]byte, error) {
	return ring.openLabelled(SealFlow, p, label, handle)
}

// storedPrefix begins what is sealed for the store alone. It is no credential:
// nobody can present it.
const storedPrefix secret.Prefix = "spss"

// SealStored makes a text that only this issuer can read, for the secret of
// somebody else that the store keeps. label names its place and must be given to
// OpenStored, so that it cannot be moved to another.
func (ring *Ring) SealStored(label string, plain []byte) (string, error) {
	sealed, err := ring.sealLabelled(SealStored, storedPrefix, label, plain)
	if err != nil {
		return "", err
	}
	return sealed.Reveal(), nil
}

// OpenStored returns what SealStored was given, or ErrInvalid.
func (ring *Ring) OpenStored(label, sealed string) ([]byte, error) {
	return ring.openLabelled(SealStored, storedPrefix, label, sealed)
}

// SealSecret is SealStored for secrets that an operator has set, by keys of their
// own: they can be changed without touching what people have set up.
func (ring *Ring) SealSecret(label string, plain []byte) (string, error) {
	sealed, err := ring.sealLabelled(SealSecret, storedPrefix, label, plain)
	if err != nil {
		return "", err
	}
	return sealed.Reveal(), nil
}

// OpenSecret returns what SealSecret was given, or ErrInvalid.
func (ring *Ring) OpenSecret(label, sealed string) ([]byte, error) {
	return ring.openLabelled(SealSecret, storedPrefix, label, sealed)
}

// SealBrowser makes a text that only this issuer can read, for the tokens of a
// browser app that the store keeps. label names their place and must be given to
// OpenBrowser, so that they cannot be moved to another.
func (ring *Ring) SealBrowser(label string, plain []byte) (string, error) {
	sealed, err := ring.sealLabelled(SealBrowser, storedPrefix, label, plain)
	if err != nil {
		return "", err
	}
	return sealed.Reveal(), nil
}

// OpenBrowser returns what SealBrowser was given, or ErrInvalid.
func (ring *Ring) OpenBrowser(label, sealed string) ([]byte, error) {
	return ring.openLabelled(SealBrowser, storedPrefix, label, sealed)
}

func (ring *Ring) sealLabelled(purpose Purpose, p secret.Prefix, label string, plain []byte) (secret.Value, error) {
	sc := scratches.Get().(*scratch) //nolint:forcetypeassert // the pool holds nothing else
	defer scratches.Put(sc)
	labelled := binary.AppendUvarint(nil, uint64(len(label)))
	labelled = append(append(labelled, label...), plain...)
	return ring.seal(purpose, p, sealedVersion, labelled, sc)
}

func (ring *Ring) openLabelled(purpose Purpose, p secret.Prefix, label, handle string) ([]byte, error) {
	sc := scratches.Get().(*scratch) //nolint:forcetypeassert // the pool holds nothing else
	defer scratches.Put(sc)
	plain, _, err := ring.open(purpose, p, sealedVersion, handle, sc)
	if err != nil {
		return nil, err
	}
	n, size := binary.Uvarint(plain)
	if size <= 0 || n != uint64(len(label)) || len(plain) < size+len(label) || string(plain[size:size+len(label)]) != label {
		return nil, ErrInvalid
	}
	return append([]byte(nil), plain[size+len(label):]...), nil
}
