package token

import (
	"crypto/hmac"
	"encoding/binary"

	"sallyport/internal/secret"
)

// A refresh token is a version, the MAC key's ID, the grant, the generation
// and HMAC-SHA256(key, grant ‖ generation ‖ salt). The salt is in the grant's
// row, so neither the store nor the key alone is enough to make one.
const refreshLen = 1 + len(keyID{}) + 16 + 4 + 32

const refreshVersion = 1

// Refresh is a refresh token, parsed and not yet proven.
type Refresh struct {
	GrantID    secret.ID
	Generation uint32
	key        keyID
	mac        [32]byte
}

// RefreshToken makes the token of one generation.
func (ring *Ring) RefreshToken(grant secret.ID, generation uint32, salt []byte) secret.Value {
	k := ring.macMaker(MACRefresh)
	b := make([]byte, 0, refreshLen)
	b = append(b, refreshVersion)
	b = append(b, k.short[:]...)
	b = append(b, grant[:]...)
	b = binary.BigEndian.AppendUint32(b, generation)
	b = append(b, mac(k.mac, grant[:], b[refreshLen-36:], salt)...)
	return secret.Encode(secret.RefreshToken, b)
}

// ParseRefresh reads the form of a refresh token, or returns ErrInvalid. The
// result must pass CheckRefresh before anything else is done with it.
func ParseRefresh(s string) (Refresh, error) {
	b, err := secret.Decode(secret.RefreshToken, s)
	if err != nil || len(b) != refreshLen || b[0] != refreshVersion {
		return Refresh{}, ErrInvalid
	}
	var r Refresh
	copy(r.key[:], b[1:])
	copy(r.GrantID[:], b[5:])
	r.Generation = binary.BigEndian.Uint32(b[21:])
	copy(r.mac[:], b[25:])
	return r, nil
}

// CheckRefresh reports whether r was made by this issuer for the grant with
// this salt.
func (ring *Ring) CheckRefresh(r Refresh, salt []byte) bool {
	k := ring.current.Load().keys[MACRefresh].find(r.key[:])
	if k == nil {
		return false
	}
	generation := binary.BigEndian.AppendUint32(nil, r.Generation)
	return hmac.Equal(r.mac[:], mac(k.mac, r.GrantID[:], generation, salt))
}
