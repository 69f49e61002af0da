package gateway

// State is what a gateway remembers from call to call. It outlives the
// configuration: a gateway that takes another's place is given its State. Safe
// for concurrent use.
type State struct {
	inner   innerCache
	streams streams
}

// NewState returns an empty State.
func NewState() *State { return &State{} }
