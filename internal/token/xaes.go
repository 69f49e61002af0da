package token

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"sync/atomic"
)

// XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived from
// the first half of a 192-bit nonce. Random nonces are safe for 2^80 messages
// under one key, which a plain 96-bit nonce is not.
const (
	xaesKeySize   = 32
	xaesNonceSize = 24
	xaesOverhead  = 16
)

// xaes is safe for concurrent use.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // CMAC subkey of a complete last block
	known derivedKeys
}

// derivedKeys remembers the derived keys of messages that have opened more
// than once: a client shows the same token for minutes, and deriving is most of
// the cost of opening it. A message counts only after it has been
// authenticated, so a flood of forged ones changes nothing. Slots are found by
// the nonce, which is random; whoever comes later takes the slot.
type derivedKeys struct {
	once  [derivedSlots]atomic.Uint64 // the nonce of a message that has opened once
	often [derivedSlots]atomic.Pointer[derivedKey]
}

const derivedSlots = 2048 // at some 1.3 KiB each, 2.6 MiB at most

type derivedKey struct {
	nonce [12]byte
	aead  cipher.AEAD
}

func slotOf(nonce []byte) int { return int(binary.LittleEndian.Uint16(nonce) % derivedSlots) }

func (d *derivedKeys) find(nonce []byte) cipher.AEAD {
	k := d.often[slotOf(nonce)].Load()
	if k == nil || string(k.nonce[:]) != string(nonce[:12]) {
		return nil
	}
	return k.aead
}

func (d *derivedKeys) opened(nonce []byte, aead cipher.AEAD) {
	slot, tag := slotOf(nonce), binary.LittleEndian.Uint64(nonce[4:])
	if d.once[slot].Swap(tag) == tag {
		d.often[slot].Store(&derivedKey{[12]byte(nonce), aead})
	}
}

func newXAES(key []byte) (*xaes, error) {
	if len(key) != xaesKeySize {
		return nil, errors.New("xaes: key must have 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:])
	msb := byte(0)
	for i := len(x.k1) - 1; i >= 0; i-- {
		msb, x.k1[i] = x.k1[i]>>7, x.k1[i]<<1|msb
	}
	x.k1[len(x.k1)-1] ^= msb * 0x87
	return x, nil
}

// derive returns the AEAD for the first 12 bytes of nonce. scratch holds the
// derived key on return; it is a parameter so that the caller can reuse it.
func (x *xaes) derive(nonce []byte, scratch *[xaesKeySize]byte) (cipher.AEAD, error) {
	for i, half := range [...][]byte{scratch[:16], scratch[16:]} {
		copy(half, []byte{0, byte(i + 1), 'X', 0})
		copy(half[4:], nonce[:12])
		for j := range half {
			half[j] ^= x.k1[j]
		}
		x.block.Encrypt(half, half)
	}
	block, err := aes.NewCipher(scratch[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal appends ciphertext and tag to dst.
func (x *xaes) seal(dst, nonce, plain, aad []byte, scratch *[xaesKeySize]byte) ([]byte, error) {
	aead, err := x.derive(nonce, scratch)
	if err != nil {
		return nil, err
	}
	return aead.Seal(dst, nonce[12:xaesNonceSize], plain, aad), nil
}

// open appends the plaintext to dst.
func (x *xaes) open(dst, nonce, sealed, aad []byte, scratch *[xaesKeySize]byte) ([]byte, error) {
	aead := x.known.find(nonce)
	if aead != nil {
		return aead.Open(dst, nonce[12:xaesNonceSize], sealed, aad)
	}
	aead, err := x.derive(nonce, scratch)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(dst, nonce[12:xaesNonceSize], sealed, aad)
	if err == nil {
		x.known.opened(nonce, aead)
	}
	return plain, err
}
