package gateway

import (
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
}

// NewState returns an empty State.
func NewState() *State {
	return &State{objects: ratelimit.New(ratelimit.Options{Limits: objectLimits})}
}

// ownRecords are for a gateway that shares none with other nodes.
func (s *State) ownRecords(now func() time.Time) *idempotency.Memory {
	s.memory.Do(func() { s.keys = idempotency.NewMemory(0, now) })
	return s.keys
}
