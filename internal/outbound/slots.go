package outbound

import (
	"context"
	"sync"
)

const maxWaiting = 64 // requests that wait for one host

// slots bounds how many requests run at once, to one host and in all, so that
// a slow host takes neither the others' turn nor the memory.
type slots struct {
	perHost int
	total   chan struct{}

	mu    sync.Mutex
	hosts map[string]*queue // those that are in use
}

type queue struct {
	running chan struct{}
	users   int // running and waiting
}

func newSlots(perHost, total int) *slots {
	return &slots{perHost: perHost, total: make(chan struct{}, total), hosts: map[string]*queue{}}
}

// enter waits for a turn until ctx ends. The function that it returns gives the
// turn back.
func (s *slots) enter(ctx context.Context, host string) (func(), error) {
	q := s.join(host)
	if q == nil {
		return nil, &Error{Reason: ReasonBusy, Host: host}
	}
	select {
	case q.running <- struct{}{}:
	case <-ctx.Done():
		s.part(host, q)
		return nil, ctx.Err()
	}
	leave := func() { <-q.running; s.part(host, q) }
	select {
	case s.total <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	return func() { <-s.total; leave() }, nil
}

// join returns nil if too many wait already.
func (s *slots) join(host string) *queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.hosts[host]
	if q == nil {
		q = &queue{running: make(chan struct{}, s.perHost)}
		s.hosts[host] = q
	}
	if q.users == s.perHost+maxWaiting {
		return nil
	}
	q.users++
	return q
}

func (s *slots) part(host string, q *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(s.hosts, host)
	}
}
