package gateway

import (
	"hash/maphash"
	"math"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// An answer over TLS costs most of what a call costs: refusing each second call
// at once only makes clients that try again fill the machine with refusals. So
// calls are shed by connection, for some seconds, each answer waits a little, and
// the connection stays open: a handshake costs twelve calls.
const (
	shedEpoch    = 5 * time.Second
	shedDelay    = 500 * time.Millisecond
	shedWaiting  = 4096 // answers that wait at once; past it connections are closed
	sampleEvery  = 250 * time.Millisecond
	sampleEvents = 64 // fewer say nothing
	shedStep     = 0.1
	shedMost     = 0.9
)

// shedding is how much is refused, by how long what could run has waited for a
// processor. It looks when calls come, and needs no work of its own.
type shedding struct {
	level   atomic.Uint64 // float64 bits: the part of connections that is refused
	next    atomic.Int64
	waiting atomic.Int64
	total   atomic.Uint64

	mu     sync.Mutex
	before []uint64
	over   int // samples in a row above the target
	seed   maphash.Seed
}

// Shed is how many calls were refused because the machine could not keep up.
func (s *State) Shed() uint64 { return s.shedding.total.Load() }

// shed refuses calls that would only make all others slower.
func (c *call) shed() refusal {
	f := &c.g.state.flights
	c.seats.all = true
	if n := f.all.Add(1); c.g.concurrency > 0 && n > int64(c.g.concurrency) {
		return c.turnAway("gateway_full")
	}
	if c.g.maxDelay == 0 {
		return handled
	}
	s, now := &c.g.state.shedding, c.g.now()
	s.sample(now.UnixNano(), c.g.maxDelay, queueDelay)
	if level := math.Float64frombits(s.level.Load()); level > 0 && s.picks(c.r.RemoteAddr, now, level) {
		return c.turnAway("overload")
	}
	return handled
}

// picks reports whether a connection is among those that are refused now.
func (s *shedding) picks(connection string, now time.Time, level float64) bool {
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.WriteString(connection)
	epoch := uint64(now.UnixNano() / int64(shedEpoch)) //nolint:gosec // after 1970
	for i := range 8 {
		_ = h.WriteByte(byte(epoch >> (8 * i)))
	}
	return float64(h.Sum64()>>11)/(1<<53) < level
}

// turnAway refuses slowly, as long as few others wait for the same.
func (c *call) turnAway(why string) refusal {
	s := &c.g.state.shedding
	s.total.Add(1)
	c.leave()
	if s.waiting.Add(1) > shedWaiting {
		c.w.Header().Set("Connection", "close")
	} else {
		t := time.NewTimer(shedDelay)
		select {
		case <-t.C:
		case <-c.Done():
			t.Stop()
		}
	}
	s.waiting.Add(-1)
	return refusal{problem: unavailable, reason: why, after: pause()}
}

// sample looks at most once in sampleEvery, in one call at a time.
func (s *shedding) sample(now int64, target time.Duration, look func([]uint64) (time.Duration, []uint64, uint64)) {
	if now < s.next.Load() || !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if now < s.next.Load() {
		return
	}
	s.next.Store(now + int64(sampleEvery))
	delay, counts, events := look(s.before)
	s.before = counts
	level := math.Float64frombits(s.level.Load())
	switch {
	case events < sampleEvents:
		s.over = 0
		level -= shedStep
	case delay > target:
		s.over++
		if s.over >= 3 { // a pause of the machine is not overload
			level += shedStep
		}
	case delay < target/2:
		s.over = 0
		level -= shedStep / 2
	}
	s.level.Store(math.Float64bits(min(max(level, 0), shedMost)))
}

// queueDelay is how long nine of ten goroutines waited for a processor at most,
// since the counts before.
func queueDelay(before []uint64) (delay time.Duration, counts []uint64, events uint64) {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0, nil, 0
	}
	h := sample[0].Value.Float64Histogram()
	if len(before) != len(h.Counts) {
		return 0, h.Counts, 0
	}
	for i, n := range h.Counts {
		events += n - before[i]
	}
	var seen uint64
	for i := len(h.Counts) - 1; i >= 0; i-- {
		seen += h.Counts[i] - before[i]
		if seen*10 > events {
			return time.Duration(h.Buckets[i] * float64(time.Second)), h.Counts, events
		}
	}
	return 0, h.Counts, events
}
