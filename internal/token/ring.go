package token

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/internal/secret"
)

// Ring holds the keys of a node, unwrapped. Of each purpose, the key that
// became active last makes, and all of them open. It follows the store: Reload
// reads it anew, Drop forgets a key at once. Users ask it each time and keep
// nothing. Safe for concurrent use.
type Ring struct {
	store   KeyStore
	now     func() time.Time
	current atomic.Pointer[snapshot]
	drops   atomic.Uint64
	again   func() error // reload, for those who make and have no context

	addFirst func(Policy, *Master) error // the same, for AddFirstKey

	reloading sync.Mutex // one reader at a time: what was read first must not win; guards inVain
	inVain    time.Time

	mu     sync.Mutex // one change at a time; guards what follows
	master *Master
	reread func() (*Master, error)
	dead   map[secret.ID]bool // compromised: never again, whatever a record says
}

// ErrNoKey says that no key of a purpose is left: a compromised one has been
// forgotten and its successor is not known yet.
var ErrNoKey = errors.New("no key for this purpose")

// OpenRing reads the key ring from the store, making what is missing but for
// lazy keys. It returns ErrMasterKey if a record does not unwrap, and then has
// written nothing. now is the clock, by which pending keys become active.
func OpenRing(ctx context.Context, store KeyStore, master *Master, now func() time.Time) (*Ring, error) {
	ring := &Ring{store: store, now: now, master: master, dead: map[secret.ID]bool{}}
	life := context.WithoutCancel(ctx)
	ring.again = func() error {
		ctx, cancel := context.WithTimeout(life, replaceLimit)
		defer cancel()
		return ring.reload(ctx)
	}
	ring.addFirst = func(p Policy, master *Master) error {
		return addFirst(life, store, p, master, now, replaceLimit)
	}
	ring.current.Store(&snapshot{})
	records, err := store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if _, err := ring.read(records); err != nil {
		return nil, err
	}
	have := map[Purpose]bool{}
	for _, r := range records {
		have[r.Purpose] = true
	}
	by, missing := wrapper(records), false
	for _, p := range Policies {
		if have[p.Purpose] || p.Lazy {
			continue
		}
		missing = true
		r, err := newRecord(p, master, by, now(), now())
		if err != nil {
			return nil, err
		}
		if err := store.AddFirstKey(ctx, r); err != nil {
			return nil, fmt.Errorf("store %s key: %w", p.Purpose, err)
		}
	}
	if missing {
		if records, err = store.Keys(ctx); err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
	}
	s, err := ring.read(records)
	if err != nil {
		return nil, err
	}
	ring.current.Store(s)
	return ring, nil
}

// FollowMaster tells the ring how to read the master key anew, for records that
// were wrapped by one that it does not have. Call it before the first Reload.
func (ring *Ring) FollowMaster(reread func() (*Master, error)) {
	ring.mu.Lock()
	defer ring.mu.Unlock()
	ring.reread = reread
}

// Reload reads the keys anew. A record that does not unwrap is left out and
// reported; the others are in force nevertheless. A key that was dropped stays
// dropped, even if the store was read before it was compromised.
func (ring *Ring) Reload(ctx context.Context) error {
	ring.reloading.Lock()
	defer ring.reloading.Unlock()
	return ring.reload(ctx)
}

func (ring *Ring) reload(ctx context.Context) error {
	records, err := ring.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	ring.mu.Lock()
	defer ring.mu.Unlock()
	s, err := ring.read(records)
	if errors.Is(err, ErrMasterKey) && ring.reread != nil {
		master, rereadErr := ring.reread()
		if rereadErr != nil {
			err = errors.Join(err, rereadErr)
		} else {
			ring.master = master
			s, err = ring.read(records)
		}
	}
	for _, r := range records {
		if !r.CompromisedAt.IsZero() {
			ring.dropLocked(r.ID)
		}
	}
	ring.current.Store(s)
	return err
}

// Drop forgets a compromised key, for ever. It waits for nothing.
func (ring *Ring) Drop(id secret.ID) {
	ring.mu.Lock()
	defer ring.mu.Unlock()
	ring.dropLocked(id)
}

func (ring *Ring) dropLocked(id secret.ID) {
	if ring.dead[id] {
		return
	}
	ring.dead[id] = true
	if s, had := ring.current.Load().without(id); had {
		ring.current.Store(s)
		ring.drops.Add(1)
	}
}

// Drops counts the keys that were dropped. Whoever keeps what a key has made
// throws it away when this has changed.
func (ring *Ring) Drops() uint64 { return ring.drops.Load() }

// maker returns the key that makes for p now.
func (ring *Ring) maker(p Purpose) (*liveKey, error) {
	k := ring.current.Load().keys[p].maker(ring.now)
	if k == nil {
		return ring.replacement(p)
	}
	return k, nil
}

// replaceLimit is how long a maker waits for the successor of a dropped key,
// and how long all makers fail at once after one has waited in vain.
const replaceLimit = time.Second

// replacement finds the successor of a key that was dropped a moment ago. It
// is in the store already, so it is better to wait than to fail.
func (ring *Ring) replacement(p Purpose) (*liveKey, error) {
	ring.reloading.Lock()
	defer ring.reloading.Unlock()
	k := ring.current.Load().keys[p].maker(ring.now)
	if k != nil {
		return k, nil
	}
	err := ErrNoKey
	if now := ring.now(); now.Sub(ring.inVain).Abs() >= replaceLimit {
		if reloadErr := ring.again(); reloadErr != nil {
			err = fmt.Errorf("%w: %w", ErrNoKey, reloadErr)
		}
		if k = ring.current.Load().keys[p].maker(ring.now); k != nil {
			return k, nil
		}
		if policy, _ := PolicyOf(p); policy.Lazy {
			if firstErr := ring.first(policy); firstErr != nil {
				err = fmt.Errorf("%w: %w", err, firstErr)
			}
			if k = ring.current.Load().keys[p].maker(ring.now); k != nil {
				return k, nil
			}
		}
		ring.inVain = now
	}
	return nil, fmt.Errorf("%s: %w", p, err)
}

// first makes the first key of a lazy purpose, for somebody who needs it before a
// Keeper has made it. A purpose whose key is dead gets none by it.
func (ring *Ring) first(p Policy) error {
	ring.mu.Lock()
	master := ring.master
	ring.mu.Unlock()
	if err := ring.addFirst(p, master); err != nil {
		return err
	}
	return ring.again()
}

// all returns the keys of p, oldest first.
func (ring *Ring) all(p Purpose) []*liveKey { return ring.current.Load().keys[p].list }
