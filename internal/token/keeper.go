package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Keeper rotates keys, replaces compromised ones and changes the master key. It
// only writes to the store, which tells all rings. Safe for concurrent use, by
// any number of nodes and commands: the store decides who is first.
type Keeper struct {
	Store KeyAdmin
	// Master reads the master key anew: it may have been changed since the start.
	Master func() (*Master, error)
	Now    func() time.Time
	// Rotate is how long keys of a group make; a missing one has its policy's.
	Rotate map[string]time.Duration
	// Wants are the lazy purposes that the deployment uses: Tend makes their first
	// keys.
	Wants []Purpose
	// Astray is told by Tend of each key in the state Ahead; nil if nobody asks.
	Astray func(KeyRecord)
}

func (k *Keeper) interval(p Policy) time.Duration {
	if d := k.Rotate[p.Group]; d > 0 {
		return d
	}
	return p.Rotate
}

// Tend makes the successors that are due, and those that a compromised key could
// not be given when it died, and deletes the keys that have ended. It returns the
// keys that it made, also with an error.
func (k *Keeper) Tend(ctx context.Context) (made []KeyRecord, err error) {
	records, err := k.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	k.tellAstray(records)
	var problems []error
	for _, p := range Policies {
		r, err := k.tend(ctx, p, records)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", p.Purpose, err))
		} else if r != nil {
			made = append(made, *r)
		}
	}
	return made, errors.Join(problems...)
}

func (k *Keeper) tend(ctx context.Context, p Policy, records []KeyRecord) (*KeyRecord, error) {
	now := k.Now()
	if haveEnded(p, records, now) {
		if _, err := k.Store.ExpireKeys(ctx, p.Purpose, now.Add(-p.Keep), now.Add(-CompromisedKept)); err != nil {
			return nil, err
		}
	}
	newest, ok := newestOf(p.Purpose, records, now)
	var r KeyRecord
	var err error
	switch {
	case p.Lazy && slices.Contains(k.Wants, p.Purpose) && !have(p.Purpose, records):
		return k.first(ctx, p, records)
	case orphaned(p.Purpose, records, now):
		r, err = k.replace(ctx, p, records, now)
	case !ok || k.interval(p) == 0 || now.Before(newest.ActiveAt.Add(k.interval(p)-p.Lead)):
		return nil, nil //nolint:nilnil // nothing is due
	default:
		r, err = k.succeed(ctx, p, records, newest, now.Add(p.Lead))
	}
	if errors.Is(err, ErrKeyStale) {
		return nil, nil //nolint:nilnil // another node was first
	}
	return &r, err
}

// have reports whether there is or was a key of p.
func have(p Purpose, records []KeyRecord) bool {
	return slices.ContainsFunc(records, func(r KeyRecord) bool { return r.Purpose == p })
}

// first makes the first key of a lazy purpose. It is active at once: nobody has
// a key set that could lack it and a token that is signed by it.
func (k *Keeper) first(ctx context.Context, p Policy, records []KeyRecord) (*KeyRecord, error) {
	r, err := k.successor(p, records, k.Now())
	if err != nil {
		return nil, err
	}
	return r, k.Store.AddFirstKey(ctx, *r)
}

// haveEnded reports whether there is a key of p to delete. The store decides.
func haveEnded(p Policy, records []KeyRecord, now time.Time) bool {
	for _, r := range dated(records) {
		dead := !r.CompromisedAt.IsZero()
		if r.Purpose == p.Purpose && (dead && !r.CompromisedAt.After(now.Add(-CompromisedKept)) || !dead && !r.until.IsZero() && !r.until.After(now)) {
			return true
		}
	}
	return false
}

func (k *Keeper) succeed(ctx context.Context, p Policy, records []KeyRecord, newest KeyRecord, active time.Time) (KeyRecord, error) {
	master, err := k.Master()
	if err != nil {
		return KeyRecord{}, err
	}
	r, err := newRecord(p, master, wrapper(records), k.Now(), active)
	if err != nil {
		return r, err
	}
	return r, k.Store.SucceedKey(ctx, r, newest.ID)
}

// newestOf is the key of p that becomes active last, but for those astray.
func newestOf(p Purpose, records []KeyRecord, now time.Time) (newest KeyRecord, ok bool) {
	for _, r := range dated(records) {
		if r.Purpose == p && r.CompromisedAt.IsZero() && !astray(r.KeyRecord, now) {
			newest, ok = r.KeyRecord, true
		}
	}
	return newest, ok
}

// ErrLasting says that a key is of a purpose whose keys never change.
var ErrLasting = errors.New("keys of this purpose are never rotated: what they make must stay the same")

// ErrPending says that a key has a successor already, which is not active yet.
var ErrPending = errors.New("a successor is pending already")

// RotateNow makes a successor for the key of p, now and not when it is due. It
// is active when every node and every cache knows it, or with atOnce at once: a
// pending one is brought forward then. The keys before it are accepted for as
// long as after any rotation. A purpose whose key is dead gets one at once.
func (k *Keeper) RotateNow(ctx context.Context, p Policy, atOnce bool) (KeyRecord, error) {
	records, err := k.Store.Keys(ctx)
	if err != nil {
		return KeyRecord{}, fmt.Errorf("read keys: %w", err)
	}
	now := k.Now().Truncate(time.Second)
	if p.Rotate == 0 {
		return KeyRecord{}, ErrLasting
	}
	if orphaned(p.Purpose, records, now) {
		return k.replace(ctx, p, records, now)
	}
	if p.Lazy && !have(p.Purpose, records) {
		r, err := k.first(ctx, p, records)
		if err != nil {
			return KeyRecord{}, err
		}
		return *r, nil
	}
	newest, ok := newestOf(p.Purpose, records, now)
	switch {
	case !ok:
		return newest, fmt.Errorf("%s: %w", p.Purpose, ErrNoKey)
	case newest.ActiveAt.After(now) && !atOnce:
		return newest, ErrPending
	case newest.ActiveAt.After(now):
		newest.ActiveAt = now
		return newest, k.Store.ActivateKey(ctx, newest.ID, now)
	}
	active := now
	if !atOnce {
		active = now.Add(p.Lead)
	}
	return k.succeed(ctx, p, records, newest, active)
}

// State is where a key is in its life.
type State string

// The states.
const (
	Pending        State = "pending"  // known and accepted, makes nothing yet
	Ahead          State = "ahead"    // the same, for longer than MaxAhead: a node's clock was wrong
	Active         State = "active"   // makes
	Retiring       State = "retiring" // accepted until what it made is dead
	CompromisedKey State = "compromised"
)

// KeyState is a record and where it stands.
type KeyState struct {
	KeyRecord
	State State
	Until time.Time // when it stops to be accepted; zero if that is not known yet
}

// States lists the keys in the order of Policies, each purpose in the order in
// which its keys became active.
func (k *Keeper) States(ctx context.Context) ([]KeyState, error) {
	records, err := k.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	now, all := k.Now(), dated(records)
	var list []KeyState
	for _, p := range Policies {
		for _, r := range all {
			if r.Purpose != p.Purpose {
				continue
			}
			s := KeyState{KeyRecord: r.KeyRecord, State: Active, Until: r.until}
			switch {
			case !r.CompromisedAt.IsZero():
				s.State, s.Until = CompromisedKey, r.CompromisedAt
			case astray(r.KeyRecord, now):
				s.State = Ahead
			case r.ActiveAt.After(now):
				s.State = Pending
			case !r.retired.IsZero() && !r.retired.After(now):
				s.State = Retiring
			}
			list = append(list, s)
		}
	}
	return list, nil
}
