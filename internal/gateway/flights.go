package gateway

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// flights count what is under way: of everybody, of an API or operation, of a
// person. Streams are counted apart, since they may stay for hours.
type flights struct {
	all    atomic.Int64
	mu     sync.Mutex
	places map[string]*atomic.Int64 // by name of API or operation
	seed   maphash.Seed
	users  [32]userFlights
}

type userFlights struct {
	mu sync.Mutex
	n  map[uint64]int32
}

// place is the counter with that name, which outlives a configuration.
func (f *flights) place(name string) *atomic.Int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.places == nil {
		f.places = map[string]*atomic.Int64{}
	}
	p := f.places[name]
	if p == nil {
		p = &atomic.Int64{}
		f.places[name] = p
	}
	return p
}

// enter counts one more under key, if there are fewer than most.
func (f *flights) enter(key uint64, most int) bool {
	u := &f.users[key%uint64(len(f.users))]
	u.mu.Lock()
	defer u.mu.Unlock()
	if int(u.n[key]) >= most {
		return false
	}
	if u.n == nil {
		u.n = map[uint64]int32{}
	}
	u.n[key]++
	return true
}

func (f *flights) leave(key uint64) {
	u := &f.users[key%uint64(len(f.users))]
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n[key]--; u.n[key] <= 0 {
		delete(u.n, key)
	}
}

// InFlight is how many calls are under way, without streams.
func (s *State) InFlight() int { return int(s.flights.all.Load()) }

// seats are what a call takes of what there is a limited number of.
type seats struct {
	all    bool
	places [2]*atomic.Int64
	user   uint64 // 0: none
	stream uint64 // 0: none
}

// capacity bounds the calls under way at one API or operation.
type capacity struct {
	most int64
	used *atomic.Int64
}

func (s *State) capacity(name string, most int) capacity {
	if most <= 0 {
		return capacity{}
	}
	return capacity{int64(most), s.flights.place(name)}
}

// occupy takes a seat of each kind that is limited.
func (c *call) occupy() refusal {
	for i, of := range [...]*capacity{&c.op.capacity, &c.api.capacity} {
		if of.most == 0 {
			continue
		}
		if of.used.Add(1) > of.most {
			of.used.Add(-1)
			return refusal{problem: unavailable, reason: "concurrency", after: pause()}
		}
		c.seats.places[i] = of.used
	}
	if most := c.api.limits.ConcurrencyPerUser; most > 0 {
		key := c.userKey("calls\x00" + c.api.name)
		if !c.g.state.flights.enter(key, most) {
			return refusal{problem: tooMany, reason: "concurrency_user", after: time.Second}
		}
		c.seats.user = key
	}
	return handled
}

func (c *call) userKey(kind string) uint64 {
	var h maphash.Hash
	h.SetSeed(c.g.state.flights.seed)
	_, _ = h.WriteString(kind)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(c.access.Subject)
	return max(1, h.Sum64())
}

// stand gives the seats of a call to others, and takes one for a stream. It
// reports false where the person has as many streams as they may have.
func (c *call) stand() bool {
	c.leave()
	most := c.api.limits.StreamsPerUser
	if most == 0 {
		return true
	}
	key := c.userKey("streams\x00" + c.api.name)
	if !c.g.state.flights.enter(key, most) {
		return false
	}
	c.seats.stream = key
	return true
}

// leave gives back all that the call has; more than once is fine.
func (c *call) leave() {
	f := &c.g.state.flights
	if c.seats.all {
		f.all.Add(-1)
	}
	for _, p := range c.seats.places {
		if p != nil {
			p.Add(-1)
		}
	}
	for _, key := range [...]uint64{c.seats.user, c.seats.stream} {
		if key != 0 {
			f.leave(key)
		}
	}
	c.seats = seats{}
}

var tooManyStreams = refusal{problem: tooMany, reason: "streams_user", after: 10 * time.Second}

// pause is how long to wait, not the same for all: they would come back together.
func pause() time.Duration { return time.Second + rand.N(4*time.Second) } //nolint:gosec // no secret
