package ratelimit

import (
	"context"
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// RatesOptions configure Rates. The zero value is right for most.
type RatesOptions struct {
	MaxEntries int // keys remembered of each limit; 0: DefaultMaxEntries
}

// Rates are limits that come from configuration and may change at any time. What
// was used is kept by the name of the limit, with bounded memory as in a Table:
// a change of the rate forgets nobody. Safe for concurrent use.
type Rates struct {
	seed       maphash.Seed
	maxEntries int

	mu     sync.Mutex
	tables map[string]*limitTable
	leases leases
}

// NewRates returns empty Rates that count for this node alone, until Share.
func NewRates(o RatesOptions) *Rates {
	if o.MaxEntries <= 0 {
		o.MaxEntries = DefaultMaxEntries
	}
	r := &Rates{seed: maphash.MakeSeed(), maxEntries: o.MaxEntries, tables: map[string]*limitTable{}}
	r.leases.max = o.MaxEntries / leaseShards
	return r
}

// Counter is one limit of Rates. Make it once, not per call. Safe for concurrent use.
type Counter struct {
	Rate   Rate
	name   string
	salt   uint64 // of name
	rates  *Rates
	rule   rule
	table  *limitTable
	shared bool
}

// Counter returns the limit with that name. It is nil for the zero Rate: a nil
// Counter allows everything.
func (t *Rates) Counter(name string, r Rate) *Counter { return t.counter(name, r, true) }

// Local is like Counter for what is counted by each node for itself, whoever
// shares: addresses, of which anybody has as many as they like.
func (t *Rates) Local(name string, r Rate) *Counter { return t.counter(name, r, false) }

func (t *Rates) counter(name string, r Rate, shared bool) *Counter {
	if r.IsZero() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.tables[name]
	if table == nil {
		table = &limitTable{perShard: (t.maxEntries + shards - 1) / shards}
		t.tables[name] = table
	}
	return &Counter{Rate: r, name: name, salt: nameHash(name), rates: t, rule: r.rule(), table: table, shared: shared}
}

// Name is what the limit was made with.
func (c *Counter) Name() string { return c.name }

// Keep forgets the limits whose names have the prefix, but for these names: call it
// when a changed configuration is in force, so that no number of changes fills the memory.
func (t *Rates) Keep(prefix string, names map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.tables {
		if strings.HasPrefix(name, prefix) && !names[name] {
			delete(t.tables, name)
		}
	}
}

// Verdict is what a Counter says of a call.
type Verdict struct {
	OK        bool
	Remaining int           // how many more are allowed at this moment
	Reset     time.Duration // until all of Burst would be allowed
	Wait      time.Duration // until this one would be; 0 if OK
}

var unlimited = Verdict{OK: true, Remaining: MaxCount}

// Allow spends cost of key, at least 1, and says whether that is within the limit; if not,
// nothing is spent. A cost above Burst is never allowed. Where limits are shared
// it may ask the pool, and waits for it no longer than a tenth of a second.
func (c *Counter) Allow(ctx context.Context, now time.Time, key string, cost int) Verdict {
	if c == nil {
		return unlimited
	}
	h := maphash.String(c.rates.seed, key)
	if c.shared {
		if v, ok := c.lease(ctx, now, key, h, cost); ok {
			return v
		}
	}
	return c.spend(now, h, cost)
}

// AllowAddress is Allow for an address, as Address counts them.
func (c *Counter) AllowAddress(now time.Time, a netip.Addr) Verdict {
	if c == nil {
		return unlimited
	}
	return c.spend(now, c.address(a), 1)
}

// PeekAddress says what AllowAddress would, and spends nothing.
func (c *Counter) PeekAddress(now time.Time, a netip.Addr) Verdict {
	if c == nil {
		return unlimited
	}
	h := c.address(a)
	s := &c.table.shards[h%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	cell := s.overflowFor(h, c.table.perShard)
	_, ok, wait := c.rule.spend(cell, now.UnixNano())
	return c.verdict(cell, now, ok, wait)
}

// address hashes without allocating what Address would make a key of.
func (c *Counter) address(a netip.Addr) uint64 {
	switch a = a.Unmap(); {
	case a.Is4():
		b := a.As4()
		return maphash.Bytes(c.rates.seed, b[:])
	case a.Is6():
		b := a.As16()
		return maphash.Bytes(c.rates.seed, b[:8])
	}
	return 0
}

// Refund takes back what Allow has allowed.
func (c *Counter) Refund(key string, cost int) {
	if c == nil {
		return
	}
	h := maphash.String(c.rates.seed, key)
	if c.shared && c.giveBack(h, cost) {
		return
	}
	c.table.shards[h%shards].refund(c.costing(cost), h)
}

// costing is the rule with the price of so many at once.
func (c *Counter) costing(cost int) rule {
	r := c.rule
	r.every *= int64(min(max(cost, 1), c.Rate.Burst+1))
	return r
}

func (c *Counter) spend(now time.Time, h uint64, cost int) Verdict {
	cell, ok, wait := c.table.shards[h%shards].take(c.costing(cost), h, now.UnixNano(), c.table.perShard)
	return c.verdict(cell, now, ok, wait)
}

func (c *Counter) verdict(cell cell, now time.Time, ok bool, wait time.Duration) Verdict {
	used := min(max(cell-now.UnixNano(), 0), c.rule.depth)
	return Verdict{OK: ok, Remaining: int((c.rule.depth - used) / c.rule.every), Reset: time.Duration(used), Wait: wait}
}
