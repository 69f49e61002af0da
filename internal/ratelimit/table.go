package ratelimit

import (
	"fmt"
	"hash/maphash"
	"time"
)

// DefaultMaxEntries is how many keys of each limit are remembered, at about
// 50 bytes each.
const DefaultMaxEntries = 1 << 16

const shards = 16

// Options configure a Table. The zero value is the table of Limits.
type Options struct {
	Limits     []Limit // nil: Limits
	MaxEntries int     // per limit; 0: DefaultMaxEntries; rounded up to a multiple of 16
}

// Table remembers who has used how much of which limit. Memory is bounded: a
// full table forgets those who have used least, so a flood of new keys cannot
// make it forget somebody who is being refused. Keys that find no room because
// every remembered key is being refused share one bucket per shard; to get
// there takes MaxEntries times Burst failures. Safe for concurrent use.
type Table struct {
	seed   maphash.Seed
	limits map[Name]*limitTable
}

type limitTable struct {
	rule     rule
	perShard int
	shards   [shards]shard
}

// New returns an empty table. It panics on a limit that allows nothing, which
// is a mistake in the program.
func New(o Options) *Table {
	if o.Limits == nil {
		o.Limits = Limits
	}
	if o.MaxEntries <= 0 {
		o.MaxEntries = DefaultMaxEntries
	}
	t := &Table{seed: maphash.MakeSeed(), limits: map[Name]*limitTable{}}
	for _, l := range o.Limits {
		if l.Burst < 1 || l.Every <= 0 {
			panic(fmt.Sprintf("ratelimit: limit %q allows nothing", l.Name))
		}
		t.limits[l.Name] = &limitTable{rule: newRule(l), perShard: (o.MaxEntries + shards - 1) / shards}
	}
	return t
}

// Allow spends one event of key and reports whether it is within the limit. If
// not, nothing is spent, and it would be allowed after retryAfter.
//
// A limit that counts failures only calls Allow before the attempt and Refund
// after a success: so no number of parallel attempts has more than Burst
// failures. Where the attempt itself does no harm, call Allow after a failure.
func (t *Table) Allow(now time.Time, name Name, key string) (ok bool, retryAfter time.Duration) {
	l, s, h := t.find(name, key)
	return s.spend(l.rule, h, now.UnixNano(), l.perShard)
}

// Level is how many events of key count at now: those that were allowed, less one
// for each Every that has passed.
func (t *Table) Level(now time.Time, name Name, key string) int {
	l, s, h := t.find(name, key)
	return s.level(l.rule, h, now.UnixNano())
}

// Refund takes back one event that Allow has allowed.
func (t *Table) Refund(name Name, key string) {
	l, s, h := t.find(name, key)
	s.refund(l.rule, h)
}

// find panics if name is not in the table: a limit that is misspelt must not
// become no limit. Keys are kept as 64-bit hashes under a random seed, so
// nobody can choose two that collide.
func (t *Table) find(name Name, key string) (*limitTable, *shard, uint64) {
	l := t.limits[name]
	if l == nil {
		panic(fmt.Sprintf("ratelimit: no limit named %q", name))
	}
	h := maphash.String(t.seed, key)
	return l, &l.shards[h%shards], h
}
