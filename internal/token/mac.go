package token

import (
	"crypto/hmac"
	"crypto/sha256"
)

type macer struct {
	current keyID
	byID    map[keyID][]byte
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// MAC authenticates parts under the newest key of p. The caller gives parts of
// fixed length, or at most one that is not, so that they cannot be shifted.
func (ring *Ring) MAC(p Purpose, parts ...[]byte) []byte {
	m := ring.macs[p]
	return mac(m.byID[m.current], parts...)
}

// CheckMAC reports whether sum is the MAC of parts under any key of p.
func (ring *Ring) CheckMAC(p Purpose, sum []byte, parts ...[]byte) bool {
	ok := false
	for _, key := range ring.macs[p].byID {
		ok = hmac.Equal(sum, mac(key, parts...)) || ok
	}
	return ok
}
