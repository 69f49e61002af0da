package revocation

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// pollEvery is how often the follower asks the feed for news when nothing
// hints at any. It is well inside the shortest staleness limit, one second.
const pollEvery = 100 * time.Millisecond

// batch is how many entries one read of the feed returns at most.
const batch = 1000

// readLimit ends a read that hangs: others wait for it, and nobody would hear
// that revocations are not followed any more. What it has read counts.
const readLimit = 10 * time.Second

// Follower keeps the set of what is revoked, as of the last time it read the
// feed. Safe for concurrent use.
type Follower struct {
	log Log
	now func() time.Time

	reading sync.Mutex                // one reader at a time; guards seq, head and swept
	seq     int64                     // read up to here, in the feed that ends or ended with head
	head    Head                      // zero before the first read
	asOf    atomic.Pointer[time.Time] // the start of the last good read

	mu  sync.RWMutex
	ids map[secret.ID]held // grants and serials

	steady func() time.Duration // since some moment, whatever is done to the clock on the wall
	swept  time.Duration

	watchMu  sync.Mutex
	watchers map[*watcher]struct{}
	onEntry  []func(Entry)
	onReturn []func()
}

// held is until when an entry is kept: both must be over.
type held struct {
	wall   int64         // Unix seconds, as the entry says
	steady time.Duration // on the steady clock, from when it was read
}

// NewFollower returns a follower that knows nothing yet: call CatchUp once
// before the first use, then Run. now is the clock; its times carry the reading
// of the steady clock, as those of time.Now do.
func NewFollower(log Log, now func() time.Time) *Follower {
	f := &Follower{log: log, now: now, ids: map[secret.ID]held{}, watchers: map[*watcher]struct{}{}}
	var began time.Time
	if now != nil {
		began = now()
	}
	f.steady = func() time.Duration { return now().Sub(began) }
	return f
}

// OnEntry registers f to be called for each new entry, in order, from the
// reading goroutine. Call it before the first CatchUp. f must not block.
func (f *Follower) OnEntry(fn func(Entry)) { f.onEntry = append(f.onEntry, fn) }

// OnReturn registers f to be called when the feed turns out to be another than
// the one that was read so far: a backup was put back, or a replica took over
// that had not heard of everything. Whatever is remembered of the store may be
// wrong then; OnEntry is told of all that the feed has, once more. The same
// rules hold as for OnEntry.
func (f *Follower) OnReturn(fn func()) { f.onReturn = append(f.onReturn, fn) }

// CatchUp reads the feed to its end, for ten seconds at most. When it returns
// nil, everything committed before the call is in force.
func (f *Follower) CatchUp(ctx context.Context) error {
	f.reading.Lock()
	defer f.reading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	started := f.now()
	if err := f.read(ctx); err != nil {
		return fmt.Errorf("read revocation feed: %w", err)
	}
	f.asOf.Store(&started)
	f.sweep(started)
	return nil
}

// Run keeps the set fresh until ctx ends. report is told when reading starts
// to fail and, with nil, when it works again.
func (f *Follower) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.log.Hint():
		}
		err := f.CatchUp(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			report(err)
		}
	}
}

// Age is how old the knowledge is at most. Before the first CatchUp it is
// beyond every limit.
func (f *Follower) Age() time.Duration {
	asOf := f.asOf.Load()
	if asOf == nil {
		return time.Duration(1<<63 - 1)
	}
	// The larger of what the steady clock and the one on the wall say: setting the
	// latter back must not make old knowledge young.
	now := f.now()
	return max(now.Sub(*asOf), now.Round(0).Sub(asOf.Round(0)))
}

// Fresh reports whether the knowledge is young enough for tier.
func (f *Follower) Fresh(tier token.Tier) bool { return f.Age() <= tier.Limits().RevocationMaxAge }

// Revoked reports whether a is ended by an entry read so far.
func (f *Follower) Revoked(a *token.Access) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if _, dead := f.ids[a.Serial]; dead {
		return true
	}
	if _, dead := f.ids[a.GrantID]; dead && !a.GrantID.IsZero() {
		return true
	}
	_, dead := f.ids[a.Exchanger]
	return dead && !a.Exchanger.IsZero()
}

// Size is the number of entries held.
func (f *Follower) Size() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.ids)
}

func (f *Follower) apply(entries []Entry) {
	// On the steady clock each is held for as long as a token can live that was
	// made before this moment. So a clock on the wall that is ahead ends none.
	until := f.steady() + token.KeepRevocation(time.Time{}).Sub(time.Time{})
	f.mu.Lock()
	for _, e := range entries {
		if e.Kind == Grant || e.Kind == Serial || e.Kind == APIKey {
			if id, err := secret.ParseID(e.ID); err == nil {
				f.ids[id] = held{max(f.ids[id].wall, e.ExpiresAt.Unix()), until}
			}
		}
		f.seq = max(f.seq, e.Seq)
	}
	f.mu.Unlock()
	for _, e := range entries {
		for _, fn := range f.onEntry {
			fn(e)
		}
	}
	if len(entries) > 0 {
		f.endWatched()
	}
}

// sweep drops entries that no living token can match. It runs at most once a
// minute, so its cost is spread over many reads.
func (f *Follower) sweep(now time.Time) {
	steady := f.steady()
	if steady-f.swept < time.Minute {
		return
	}
	f.swept = steady
	unix := now.Unix()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, until := range f.ids {
		if until.wall < unix && until.steady < steady {
			delete(f.ids, id)
		}
	}
}
