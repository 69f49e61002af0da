package token

import (
	"crypto/sha256"
	"sync"
)

// jwtCache remembers which access tokens in the JWT form were right, by their
// digest, so that a signature is verified once a minute for a token and not once
// a call. What is remembered is the signature and what it covers, for as long as
// no key was dropped: whether the token has ended, is revoked or fits the call is
// asked each time. Only what verifies gets in, so strangers cannot fill it; a full
// shard forgets. Safe for concurrent use.
type jwtCache struct {
	shards [jwtShards]jwtShard
}

const (
	jwtShards = 16
	jwtMax    = 1024 // entries in a shard, of some 1 KiB
	jwtKept   = 60   // seconds
)

type jwtShard struct {
	mu sync.RWMutex
	m  map[[sha256.Size]byte]*jwtEntry
}

type jwtEntry struct {
	access      Access
	from, until int64 // Unix seconds
	drops       uint64
}

func (t *jwtCache) get(id *[sha256.Size]byte, now int64, drops uint64, a *Access) bool {
	s := &t.shards[id[0]%jwtShards]
	s.mu.RLock()
	e := s.m[*id]
	s.mu.RUnlock()
	if e == nil || now < e.from || now >= e.until || e.drops != drops {
		return false
	}
	*a = e.access
	return true
}

func (t *jwtCache) put(id *[sha256.Size]byte, now int64, drops uint64, a *Access) {
	s := &t.shards[id[0]%jwtShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil || len(s.m) >= jwtMax {
		s.m = make(map[[sha256.Size]byte]*jwtEntry)
	}
	s.m[*id] = &jwtEntry{*a, now, min(now+jwtKept, a.ExpiresAt()), drops}
}
