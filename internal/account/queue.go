package account

import (
	"context"
	"sync"
)

// defaultQueue is how many may wait for a hash. Waiting costs a few kilobytes and no
// time of a core, so that a crowd is let in one after the other and what else the
// program does hardly notices; being sent away costs a page, for which everybody
// comes back. At 42 ms a hash the last of a full queue waits for 105 seconds if one
// hash runs at once.
const defaultQueue = 2500

// queue lets few in at once, and a bounded number wait. Those who wait are let in
// by turns over where they come from, in order within each: who sends a thousand
// sign-ins waits for themselves, and others hardly. When it is full, the newest of
// the longest line makes room for somebody from a shorter one. Safe for concurrent
// use.
type queue struct {
	mu      sync.Mutex
	free    int
	room    int
	lines   map[string][]*waiter
	turns   []string // sources with a line, in the order of their turns
	waiting int
}

// waiter is told once: true when it may go in, false when it must give up its place.
type waiter struct{ told chan bool }

func newQueue(atOnce, room int) *queue {
	return &queue{free: atOnce, room: room, lines: map[string][]*waiter{}}
}

// enter returns nil when it is this caller's turn, who must call leave afterwards,
// and ErrBusy if there is no room or ctx ends first.
func (q *queue) enter(ctx context.Context, source string) error {
	w := q.line(source)
	if w == nil {
		return ErrBusy
	}
	select {
	case in := <-w.told:
		if !in {
			return ErrBusy
		}
		return nil
	case <-ctx.Done():
		if !q.giveUp(source, w) && <-w.told { // its turn came in this moment
			q.leave()
		}
		return ErrBusy
	}
}

// line stands in line, or goes in at once if nobody is before; nil: no room.
func (q *queue) line(source string) *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &waiter{make(chan bool, 1)}
	if q.free > 0 {
		q.free--
		w.told <- true
		return w
	}
	if q.waiting >= q.room && !q.makeRoom(len(q.lines[source])) {
		return nil
	}
	if len(q.lines[source]) == 0 {
		q.turns = append(q.turns, source)
	}
	q.lines[source] = append(q.lines[source], w)
	q.waiting++
	return w
}

// makeRoom sends the newest of the longest line away if that line is longer than
// one of mine would be.
func (q *queue) makeRoom(mine int) bool {
	longest := ""
	for source, line := range q.lines {
		if len(line) > len(q.lines[longest]) {
			longest = source
		}
	}
	line := q.lines[longest]
	if len(line) <= mine+1 {
		return false
	}
	line[len(line)-1].told <- false
	q.remove(longest, len(line)-1)
	return true
}

// leave lets the next one in.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.turns) == 0 {
		q.free++
		return
	}
	source := q.turns[0]
	q.turns = append(q.turns[1:], source)
	q.lines[source][0].told <- true
	q.remove(source, 0)
}

// giveUp reports false if w has been told already.
func (q *queue) giveUp(source string, w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.lines[source] {
		if other == w {
			q.remove(source, i)
			return true
		}
	}
	return false
}

// remove takes one out of a line, and the line away with its last.
func (q *queue) remove(source string, i int) {
	line := q.lines[source]
	q.waiting--
	if len(line) > 1 {
		q.lines[source] = append(line[:i:i], line[i+1:]...)
		return
	}
	delete(q.lines, source)
	for at, s := range q.turns {
		if s == source {
			q.turns = append(q.turns[:at:at], q.turns[at+1:]...)
			return
		}
	}
}
