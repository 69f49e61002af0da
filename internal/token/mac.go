package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"

	"sallyport/internal/secret"
)

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// macMaker returns the key that makes MACs for p. Where none is left, it is one
// that nobody else has, so that nothing made now is ever accepted.
func (ring *Ring) macMaker(p Purpose) *liveKey {
	k, err := ring.maker(p)
	if err != nil {
		return &liveKey{mac: secret.Random(32)}
	}
	return k
}

// MAC authenticates parts under the newest key of p. The caller gives parts of
// fixed length, or at most one that is not, so that they cannot be shifted.
func (ring *Ring) MAC(p Purpose, parts ...[]byte) []byte {
	return mac(ring.macMaker(p).mac, parts...)
}

// CheckMAC reports whether sum is the MAC of parts under any key of p.
func (ring *Ring) CheckMAC(p Purpose, sum []byte, parts ...[]byte) bool {
	ok := false
	for _, k := range ring.all(p) {
		ok = hmac.Equal(sum, mac(k.mac, parts...)) || ok
	}
	return ok
}

// MACs returns the MAC of parts under each key of p, the newest first, to look up
// what MAC made under whichever was the newest then.
func (ring *Ring) MACs(p Purpose, parts ...[]byte) [][]byte {
	keys := ring.all(p)
	sums := make([][]byte, 0, len(keys))
	for _, k := range slices.Backward(keys) {
		sums = append(sums, mac(k.mac, parts...))
	}
	return sums
}
