package ratelimit

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"
)

// Pool is where all nodes take from one budget. Safe for concurrent use.
type Pool interface {
	// Lease takes up to want from the bucket of id, which holds rate.Burst: it is
	// told how many it got, and how long until the bucket would be full.
	Lease(ctx context.Context, id [32]byte, every, depth time.Duration, want int) (got int, full time.Duration, err error)
}

// A node takes a part of the bucket at once and spends it without asking, for a
// short time: what it has not used by then is lost. So all nodes together never
// allow more than the limit, and may refuse, with k nodes, when up to
// k/leaseParts of the bucket is left at others.
const (
	leaseParts   = 20
	leaseTime    = 10 * time.Second
	leaseTimeout = 100 * time.Millisecond
	poolRest     = time.Second // after a failure nobody asks for this long
	leaseShards  = 64
)

type lease struct {
	left  int
	until int64 // the end, in Unix nanoseconds
	full  int64 // when the bucket at the pool would be full
	empty int64 // until then the pool has nothing
}

// leases are what this node holds. A stripe is locked while it asks, so that
// many calls for one key ask once.
type leases struct {
	pool    atomic.Pointer[Pool]
	down    atomic.Int64 // nobody asks until then
	max     int
	stripes [leaseShards]leaseStripe

	leased, refused, failed atomic.Uint64
}

type leaseStripe struct {
	mu   sync.Mutex
	held map[uint64]*lease
}

// Share makes the counters take from a pool. While it does not answer, each node
// counts for itself, with the whole rate.
func (t *Rates) Share(p Pool) { t.leases.pool.Store(&p) }

// PoolCounts says how often the pool was asked, and with what outcome.
type PoolCounts struct{ Leased, Refused, Failed uint64 }

// PoolCounts returns the counts since the start.
func (t *Rates) PoolCounts() PoolCounts {
	l := &t.leases
	return PoolCounts{Leased: l.leased.Load(), Refused: l.refused.Load(), Failed: l.failed.Load()}
}

// lease spends from what the node holds, and asks for more where it must; done
// is false where the pool cannot say.
func (c *Counter) lease(ctx context.Context, now time.Time, key string, h uint64, cost int) (v Verdict, done bool) {
	all, cost := &c.rates.leases, max(cost, 1)
	pool := all.pool.Load()
	at := now.UnixNano()
	if pool == nil || at < all.down.Load() {
		return Verdict{}, false
	}
	h ^= c.salt
	s := &all.stripes[h%leaseShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.find(h, at, all.max)
	if l.until <= at {
		l.left = 0
	}
	if l.left < cost && at >= l.empty {
		if at < all.down.Load() { // found out while this one waited
			return Verdict{}, false
		}
		if !c.ask(ctx, *pool, l, at, key, cost) {
			return Verdict{}, false
		}
	}
	free := max(0, (c.rule.depth-max(0, l.full-at))/c.rule.every)
	if l.left < cost {
		need := int64(cost-l.left)*c.rule.every - (c.rule.depth - max(0, l.full-at))
		return Verdict{Remaining: l.left, Reset: time.Duration(max(0, l.full-at)), Wait: time.Duration(max(need, int64(time.Millisecond)))}, true
	}
	l.left -= cost
	return Verdict{OK: true, Remaining: l.left + int(free), Reset: time.Duration(max(0, l.full-at))}, true
}

// ask leases what is missing, and more for the calls to come.
func (c *Counter) ask(ctx context.Context, pool Pool, l *lease, at int64, key string, cost int) bool {
	all := &c.rates.leases
	id := sha256.Sum256([]byte("limit\x00" + Key(c.name, key)))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	want := max(cost-l.left, c.Rate.Burst/leaseParts)
	got, full, err := pool.Lease(ctx, id, time.Duration(c.rule.every), time.Duration(c.rule.depth), want)
	if err != nil {
		all.failed.Add(1)
		all.down.Store(at + int64(poolRest))
		return false
	}
	l.left += got
	l.until, l.full = at+int64(leaseTime), at+int64(full)
	if l.left < cost {
		all.refused.Add(1)
		// The bucket has one more after this long; nobody needs to ask before.
		l.empty = at + min(c.rule.every, int64(time.Second))
		return true
	}
	all.leased.Add(1)
	return true
}

// giveBack returns to the lease what was spent from it.
func (c *Counter) giveBack(h uint64, cost int) bool {
	h ^= c.salt
	s := &c.rates.leases.stripes[h%leaseShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.held[h]
	if l == nil {
		return false
	}
	l.left += max(cost, 1)
	return true
}

// find returns the lease of h. A full stripe forgets some: that costs the keys
// what they held.
func (s *leaseStripe) find(h uint64, now int64, most int) *lease {
	if l := s.held[h]; l != nil {
		return l
	}
	if s.held == nil {
		s.held = map[uint64]*lease{}
	}
	if len(s.held) >= max(most, 16) {
		n := 0
		for k, old := range s.held {
			if n++; old.until <= now || n > 8 {
				delete(s.held, k)
			}
			if n > 16 {
				break
			}
		}
	}
	l := &lease{}
	s.held[h] = l
	return l
}

// nameHash is FNV-1a: limits of different names hold different leases.
func nameHash(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}
