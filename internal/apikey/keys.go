package apikey

import (
	"context"
	"errors"
	"sync"
	"time"

	"sallyport/internal/secret"
)

// Keys finds keys in memory, and in the store those that it has not seen for
// half a minute. A key that has ended is forgotten when the feed says so; the
// gateway asks the feed at each call besides. Safe for concurrent use.
type Keys struct {
	store Finder
	now   func() time.Time

	asking chan struct{} // lookups of what was never found before

	mu      sync.Mutex
	changes uint64
	known   map[secret.Hash]known
	missing map[secret.Hash]time.Time
	used    map[secret.ID]time.Time
}

type known struct {
	key   *Key
	until time.Time
}

// Bounds. What strangers can fill, the missing ones, is kept apart: it pushes
// out no key that exists.
const (
	keptFor    = 30 * time.Second
	maxKnown   = 10_000
	maxMissing = 10_000
	maxAsking  = 4 // what strangers make up takes no more connections to the store at a time
)

// NewKeys returns a Keys that knows nothing yet.
func NewKeys(store Finder, now func() time.Time) *Keys {
	return &Keys{store: store, now: now, asking: make(chan struct{}, maxAsking), known: map[secret.Hash]known{}, missing: map[secret.Hash]time.Time{}, used: map[secret.ID]time.Time{}}
}

// Find returns the key with that hash, dead or not, or ErrNotFound. The caller
// must not change it.
func (k *Keys) Find(ctx context.Context, h secret.Hash) (*Key, error) {
	now := k.now()
	k.mu.Lock()
	have, ok := k.known[h]
	missingUntil, missing := k.missing[h]
	before := k.changes
	k.mu.Unlock()
	switch {
	case ok && fresh(have.until, now):
		return have.key, nil
	case missing && fresh(missingUntil, now):
		return nil, ErrNotFound
	}
	if !ok {
		select {
		case k.asking <- struct{}{}:
			defer func() { <-k.asking }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	key, err := k.store.APIKey(ctx, h)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changes != before { // what was read may be old already: good for this call
		return &key, err
	}
	if err != nil {
		delete(k.known, h)
		if len(k.missing) >= maxMissing {
			clear(k.missing)
		}
		k.missing[h] = now.Add(keptFor)
		return nil, err
	}
	if len(k.known) >= maxKnown {
		clear(k.known)
	}
	delete(k.missing, h)
	k.known[h] = known{&key, now.Add(keptFor)}
	return &key, nil
}

// fresh is false also for what was kept when the clock was ahead.
func fresh(until, now time.Time) bool { return now.Before(until) && until.Sub(now) <= keptFor }

// Forget drops what is known of a key, because the feed says that it has
// changed; of all if id is zero.
func (k *Keys) Forget(id secret.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	if id.IsZero() {
		clear(k.known)
		clear(k.missing)
		return
	}
	for h, have := range k.known {
		if have.key.ID == id {
			delete(k.known, h)
		}
	}
}

// Used notes a call with the key.
func (k *Keys) Used(id secret.ID) {
	k.mu.Lock()
	k.used[id] = k.now()
	k.mu.Unlock()
}

// TakeUsed returns what Used has noted since the last call.
func (k *Keys) TakeUsed() map[secret.ID]time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	used := k.used
	k.used = map[secret.ID]time.Time{}
	return used
}
