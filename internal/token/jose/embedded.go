package jose

import (
	"strings"
	"sync"
)

// parsed remembers keys that came inside of tokens: an app sends the same one
// with every proof, and judging an RSA key costs as much as using it.
var parsed keyCache

const (
	cacheShards = 16
	cacheMax    = 512 // keys in a shard; at most 8 KiB each, mostly 200 bytes
)

// keyCache maps the JSON of a JWK to its key. A full shard is emptied: the cost
// of forgetting is one parse. Keys that were refused are not kept. Safe for
// concurrent use.
type keyCache struct {
	shards [cacheShards]struct {
		mu sync.RWMutex
		m  map[string]*Key
	}
}

func (c *keyCache) key(jwk string) (*Key, error) {
	s := &c.shards[(len(jwk)^int(jwk[len(jwk)/2])^int(jwk[len(jwk)/3]))%cacheShards]
	s.mu.RLock()
	k := s.m[jwk]
	s.mu.RUnlock()
	if k != nil {
		return k, nil
	}
	k, err := ParseKey([]byte(jwk))
	if err != nil {
		return nil, refuse(ReasonKey)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil || len(s.m) >= cacheMax {
		s.m = make(map[string]*Key, 64)
	}
	s.m[strings.Clone(jwk)] = k
	return k, nil
}
