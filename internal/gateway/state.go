package gateway

import "sallyport/internal/ratelimit"

// State is what a gateway remembers from call to call. It outlives the
// configuration: a gateway that takes another's place is given its State. Safe
// for concurrent use.
type State struct {
	inner   innerCache
	streams streams
	objects *ratelimit.Table // who was refused objects of others
}

// NewState returns an empty State.
func NewState() *State {
	return &State{objects: ratelimit.New(ratelimit.Options{Limits: objectLimits})}
}
