package token

import (
	"sync"

	"sallyport/internal/secret"
)

// texts remembers the string part of tokens opened lately. Tokens of one grant
// repeat it byte for byte, so a busy node opens them without a copy.
var texts internTable

const (
	internShards = 16
	internMax    = 2048 // entries in a shard; at some 200 bytes each, 8 MiB in all
)

// internTable maps bytes to an equal string. A full shard is emptied: the
// cost of forgetting is one allocation. Safe for concurrent use.
type internTable struct {
	shards [internShards]struct {
		mu sync.RWMutex
		m  map[string]string
	}
}

func (t *internTable) intern(id secret.ID, b []byte) string {
	s := &t.shards[id[15]%internShards]
	s.mu.RLock()
	text, ok := s.m[string(b)]
	s.mu.RUnlock()
	if ok {
		return text
	}
	text = string(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil || len(s.m) >= internMax {
		s.m = make(map[string]string, 64)
	}
	s.m[text] = text
	return text
}
