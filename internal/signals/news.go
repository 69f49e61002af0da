package signals

import "sync"

// news wakes all who wait for events. Safe for concurrent use.
type news struct {
	mu     sync.Mutex
	c      chan struct{}
	ended  bool
	places int            // that are left for those who wait
	of     map[string]int // places that each client has
}

// maxWaiters bounds the requests of receivers that wait on one node, maxWaitersOf
// those of one: it has one stream, and a second request for a moment.
const (
	maxWaiters   = 256
	maxWaitersOf = 8
)

func newNews() *news {
	return &news{c: make(chan struct{}), places: maxWaiters, of: map[string]int{}}
}

// wait returns a channel that is closed when something has happened, and false if
// nobody more may wait.
func (n *news) wait() (<-chan struct{}, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c, !n.ended
}

// enter takes a place for a client, which leave gives back.
func (n *news) enter(clientID string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended || n.places == 0 || n.of[clientID] == maxWaitersOf {
		return false
	}
	n.places--
	n.of[clientID]++
	return true
}

func (n *news) leave(clientID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.places++
	if n.of[clientID]--; n.of[clientID] == 0 {
		delete(n.of, clientID)
	}
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ended {
		close(n.c)
		n.c = make(chan struct{})
	}
}

// end lets everybody go, for good.
func (n *news) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ended {
		n.ended = true
		close(n.c)
	}
}
