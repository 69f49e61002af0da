package token

import (
	"fmt"

	"sallyport/internal/secret"
)

const pepperLabel = "password hash"

// Pepper returns the keyed form of a password hash and the ID of the key, which
// must be kept beside it. Unlike MAC, it fails where there is no key: a hash under
// a random one would never fit again.
func (ring *Ring) Pepper(hash []byte) (key secret.ID, keyed []byte, err error) {
	k, err := ring.maker(MACPassword)
	if err != nil {
		return secret.ID{}, nil, err
	}
	return k.id, mac(k.mac, []byte(pepperLabel), hash), nil
}

// PepperBy is Pepper with the key of that ID, or ErrNoKey.
func (ring *Ring) PepperBy(key secret.ID, hash []byte) ([]byte, error) {
	for _, k := range ring.all(MACPassword) {
		if k.id == key {
			return mac(k.mac, []byte(pepperLabel), hash), nil
		}
	}
	return nil, fmt.Errorf("%s %s: %w", MACPassword, key, ErrNoKey)
}
