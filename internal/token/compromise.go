package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/secret"
)

// Compromised is what Compromise did.
type Compromised struct {
	Dead      []secret.ID
	Successor *KeyRecord // nil if the key that makes was not among them, or with Missing
	// Missing says why the key that made has no successor yet: the master key
	// cannot be used. Until Tend has made one, nothing is made for that purpose.
	Missing error
}

// Compromise ends a key, or all keys of p if id is zero: no node accepts them
// from the moment on at which it reads the feed. There is no overlap. It needs
// no master key: a leaked key does not live on because a successor cannot be made.
func (k *Keeper) Compromise(ctx context.Context, p Policy, id secret.ID) (Compromised, error) {
	records, err := k.Store.Keys(ctx)
	if err != nil {
		return Compromised{}, fmt.Errorf("read keys: %w", err)
	}
	now := k.Now().Truncate(time.Second)
	successor, why := k.successor(p, records, now)
	dead, err := k.Store.CompromiseKeys(ctx, p.Purpose, id, successor, now)
	if err != nil {
		return Compromised{}, err
	}
	out := Compromised{Dead: dead}
	if records, err = k.Store.Keys(ctx); err != nil {
		return out, fmt.Errorf("the keys are dead, but: read keys: %w", err)
	}
	for _, r := range records {
		if successor != nil && r.ID == successor.ID {
			out.Successor = &r
		}
	}
	if !orphaned(p.Purpose, records, now) {
		return out, nil
	}
	// The master key was away, or was changed at this moment.
	r, err := k.replace(ctx, p, records, now)
	switch {
	case err == nil:
		out.Successor = &r
	case errors.Is(err, ErrKeyStale): // somebody else was first
	case why != nil:
		out.Missing = why
	default:
		out.Missing = err
	}
	return out, nil
}

// successor makes a key of p that is active now, and stores nothing.
func (k *Keeper) successor(p Policy, records []KeyRecord, now time.Time) (*KeyRecord, error) {
	master, err := k.Master()
	if err != nil {
		return nil, err
	}
	r, err := newRecord(p, master, wrapper(records), now, now)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// orphaned reports whether the key of p that made last is compromised and has
// no successor that is active. A retiring key is none: what it makes would be
// refused too soon. Keys astray do not count.
func orphaned(p Purpose, records []KeyRecord, now time.Time) bool {
	orphan := false
	for _, r := range dated(records) {
		dead := !r.CompromisedAt.IsZero()
		neverMade := dead && r.CompromisedAt.Before(r.ActiveAt)
		if r.Purpose == p && !neverMade && !r.ActiveAt.After(now) {
			orphan = dead
		}
	}
	return orphan
}

// replace gives an orphaned purpose a key that makes at once: the pending one,
// which needs no master key, or else a new one.
func (k *Keeper) replace(ctx context.Context, p Policy, records []KeyRecord, now time.Time) (KeyRecord, error) {
	now = now.Truncate(time.Second)
	newest, _ := newestOf(p.Purpose, records, now)
	if newest.ActiveAt.After(now) {
		newest.ActiveAt = now
		return newest, k.Store.ActivateKey(ctx, newest.ID, now)
	}
	return k.succeed(ctx, p, records, newest, now)
}

// MaxAhead is how long before it is active a key may be made: more than any
// Lead and all that clocks differ. One that is active later was made by a node
// whose clock was wrong. It is accepted like any pending key, but the schedule
// passes it over, or nothing would be changed until that day.
const MaxAhead = time.Hour

func astray(r KeyRecord, now time.Time) bool {
	return r.CompromisedAt.IsZero() && r.ActiveAt.After(now.Add(MaxAhead))
}

func (k *Keeper) tellAstray(records []KeyRecord) {
	for _, r := range records {
		if k.Astray != nil && astray(r, k.Now()) {
			k.Astray(r)
		}
	}
}
