package oauth

import (
	"sync"

	"sallyport/internal/token/jose"
)

// keysOf are the public keys with which the client signs: assertions and request
// objects. They are those of the client and of no other, in its settings or at
// its jwks_uri. A client without keys has an empty set. The error matches
// jose.ErrKeysUnavailable if they cannot be had now.
func (s *Service) keysOf(c *Client) (jose.KeySource, error) {
	switch {
	case c.Settings.JWKS != "":
		return s.keySets.read(c)
	case c.Settings.JWKSURI == "":
		return jose.NewKeySet()
	case s.recipients.keysAt == nil:
		return nil, jose.ErrKeysUnavailable
	}
	return s.recipients.keysAt(c.ID, c.Settings.JWKSURI)
}

// keySets remembers the key sets of clients: to judge the keys of one takes longer
// than to verify a signature, and any stranger can make us do it by sending what
// only looks like an assertion or a request object. It is bounded; a full one is
// emptied. Safe for concurrent use.
type keySets struct {
	mu sync.Mutex
	m  map[keySetOf]*jose.KeySet
}

// keySetOf has the client's ID in it, so that keys of two clients never meet.
type keySetOf struct{ clientID, jwks string }

const maxKeySets = 1000

func (t *keySets) read(c *Client) (*jose.KeySet, error) {
	key := keySetOf{c.ID, c.Settings.JWKS}
	t.mu.Lock()
	set := t.m[key]
	t.mu.Unlock()
	if set != nil {
		return set, nil
	}
	set, err := jose.ParseKeySet([]byte(key.jwks))
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil || len(t.m) >= maxKeySets {
		t.m = map[keySetOf]*jose.KeySet{}
	}
	t.m[key] = set
	return set, nil
}
