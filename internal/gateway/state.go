package gateway

import (
	"hash/maphash"
	"sync"
	"time"

	"sallyport/internal/idempotency"
	"sallyport/internal/ratelimit"
)

// State is what a gateway remembers from call to call. It outlives the
// configuration: a gateway that takes another's place is given its State. Safe
// for concurrent use.
type State struct {
	inner   innerCache
	streams streams
	memory  sync.Once
	keys    *idempotency.Memory // of one node, made when it is needed
	objects *ratelimit.Table    // who was refused objects of others

	rates    *ratelimit.Rates // who has used how much of the configured limits
	flights  flights
	shedding shedding
}

// NewState returns an empty State.
func NewState() *State {
	s := &State{objects: ratelimit.New(ratelimit.Options{Limits: objectLimits}), rates: ratelimit.NewRates(ratelimit.RatesOptions{})}
	s.flights.seed, s.shedding.seed = maphash.MakeSeed(), maphash.MakeSeed()
	return s
}

// ownRecords are for a gateway that shares none with other nodes.
func (s *State) ownRecords(now func() time.Time) *idempotency.Memory {
	s.memory.Do(func() { s.keys = idempotency.NewMemory(0, now) })
	return s.keys
}

// Rates are the configured limits, for others that count beside the gateway.
// Their names must not begin with "api.", nor be "failures".
func (s *State) Rates() *ratelimit.Rates { return s.rates }
