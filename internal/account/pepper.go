package account

import (
	"fmt"

	"sallyport/internal/passhash"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Argon2Params are the cost of an Argon2id hash.
type Argon2Params = passhash.Argon2Params

// pepper is the key of a ring over password hashes.
type pepper struct{ ring *token.Ring }

// pepperOf returns nil for no ring: then hashes have none, and are renewed by the
// first service that has one.
func pepperOf(ring *token.Ring) passhash.Pepper {
	if ring == nil {
		return nil
	}
	return pepper{ring}
}

// Make implements passhash.Pepper.
func (p pepper) Make(sum []byte) (string, []byte, error) {
	id, keyed, err := p.ring.Pepper(sum)
	return id.String(), keyed, err
}

// By implements passhash.Pepper.
func (p pepper) By(key string, sum []byte) ([]byte, error) {
	id, err := secret.ParseID(key)
	if err != nil {
		return nil, fmt.Errorf("key of a password hash: %w", err)
	}
	return p.ring.PepperBy(id, sum)
}
