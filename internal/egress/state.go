package egress

import (
	"errors"
	"sync"
	"time"
)

var errFull = errors.New("there is no room to count for more callers")

// State is what outlives a change of the configuration: what was used, what is
// under way, and answers that may be given again. Safe for concurrent use.
type State struct {
	ledger Ledger
	cache  cache

	mu   sync.Mutex
	busy map[string]*busy // by connector
}

type busy struct {
	all int
	by  map[string]int // subject
}

// NewState returns one that counts in shared, or in the memory of this node if
// that is nil.
func NewState(shared Ledger, now func() time.Time) *State {
	if shared == nil {
		shared = &memoryLedger{now: now, accounts: map[[32]byte]*used{}}
	}
	return &State{ledger: shared, busy: map[string]*busy{}, cache: cache{entries: map[[32]byte]*entry{}}}
}

// How many calls of a connector run at once, so that an upstream that answers
// slowly holds up its own callers, and one caller not the others.
const (
	maxBusy     = 256
	maxBusyEach = 16
)

// enter counts a call that begins; leave is called once, when it is over.
func (s *State) enter(connector, subject string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.busy[connector]
	if b == nil {
		b = &busy{by: map[string]int{}}
		s.busy[connector] = b
	}
	if b.all >= maxBusy || b.by[subject] >= maxBusyEach {
		return nil, false
	}
	b.all++
	b.by[subject]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		b.all--
		if b.by[subject]--; b.by[subject] == 0 {
			delete(b.by, subject)
		}
	}), true
}
