package oauth

import (
	"context"
	"crypto/sha256"
	"sync"

	"sallyport/internal/audit"
)

// constants looks for clients whose code_challenge or nonce is always the same,
// and so protects nothing (RFC 9700 §2.1.1). It remembers a bounded number of
// values: a full one is emptied, so a flood hides what is constant for as long as
// it lasts, and costs nothing else. Safe for concurrent use.
type constants struct {
	mu   sync.Mutex
	seen map[[16]byte]uint8
}

const (
	constantAfter = 3       // requests with one value
	maxConstants  = 1 << 14 // values, at some 40 bytes each
)

// look notes an event when the value of a request has come for the third time.
func (t *constants) look(ctx context.Context, a *Authorization) {
	for _, v := range []struct{ name, value string }{{"code_challenge", a.Challenge}, {"nonce", a.Nonce}} {
		if v.value != "" && t.count(a.ClientID, v.name, v.value) == constantAfter {
			note(ctx, audit.Event{Name: audit.ConstantValue, Client: a.ClientID, Reason: v.name})
		}
	}
}

// count returns how often the value has come, at most 255 times.
func (t *constants) count(parts ...string) uint8 {
	h := sha256.New()
	for _, p := range parts {
		h.Write(append([]byte(p), 0))
	}
	key := [16]byte(h.Sum(nil))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil || len(t.seen) >= maxConstants {
		t.seen = make(map[[16]byte]uint8, 64)
	}
	if t.seen[key] < 255 {
		t.seen[key]++
	}
	return t.seen[key]
}
