package signals

import "sync"

// news wakes all who wait for events. Safe for concurrent use.
type news struct {
	mu     sync.Mutex
	c      chan struct{}
	ended  bool
	places int // that are left for those who wait
}

// maxWaiters bounds the requests of receivers that wait on one node.
const maxWaiters = 256

func newNews() *news { return &news{c: make(chan struct{}), places: maxWaiters} }

// wait returns a channel that is closed when something has happened, and false if
// nobody more may wait.
func (n *news) wait() (<-chan struct{}, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c, !n.ended
}

// enter takes a place, which leave gives back.
func (n *news) enter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended || n.places == 0 {
		return false
	}
	n.places--
	return true
}

func (n *news) leave() { n.mu.Lock(); defer n.mu.Unlock(); n.places++ }

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
