package store

import "sync"

// hints tells everyone who follows the feed that it may have grown.
type hints struct {
	mu   sync.Mutex
	subs []chan struct{}
}

func (h *hints) subscribe() <-chan struct{} {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs = append(h.subs, c)
	return c
}

// signal never blocks: a follower that has a signal waiting will read it all.
func (h *hints) signal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.subs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
