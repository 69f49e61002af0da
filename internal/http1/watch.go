package http1

import (
	"sync"
	"sync/atomic"
	"time"
)

// watched is a connection whose waits are bounded.
type watched interface {
	// tick is called every tick while anything is under way, with the ticks since
	// it was called last. It reports whether something is under way.
	tick(ticks int) (busy bool)
}

// watch bounds all waits of many connections with one goroutine, where a timer
// or a deadline for each would be set and taken back with every request. It
// looks often while something is under way, and seldom otherwise.
type watch struct {
	mu      sync.Mutex
	all     map[watched]struct{}
	running bool
	slow    atomic.Bool
	wake    chan struct{}
	scratch []watched // of run
}

const (
	tick      = 20 * time.Millisecond
	slowTicks = 25 // between two looks while nothing is under way
	restAfter = 50
)

// ticksOf is at least one.
func ticksOf(d time.Duration) int { return max(int((d+tick-1)/tick), 1) }

func (w *watch) add(c watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all, w.wake = map[watched]struct{}{}, make(chan struct{}, 1)
	}
	w.all[c] = struct{}{}
	if !w.running {
		w.running = true
		go w.run()
	}
}

func (w *watch) remove(c watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, c)
}

// begun says that a connection has something under way.
func (w *watch) begun() {
	if !w.slow.Load() {
		return
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) run() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	step, rest := 1, 0
	for {
		select {
		case <-ticker.C:
		case <-w.wake:
		}
		busy, left := w.lookAll(step)
		switch {
		case !left:
			return
		case busy:
			rest = 0
			if step > 1 {
				step = 1
				w.slow.Store(false)
				ticker.Reset(tick)
			}
		case step == 1:
			if rest++; rest > restAfter {
				step = slowTicks
				w.slow.Store(true)
				ticker.Reset(slowTicks * tick)
			}
		}
	}
}

// lookAll looks at every connection. left is false when there is none.
func (w *watch) lookAll(ticks int) (busy, left bool) {
	w.mu.Lock()
	all := w.scratch[:0]
	for c := range w.all {
		all = append(all, c)
	}
	if len(all) == 0 {
		w.running = false
		w.slow.Store(false)
		w.mu.Unlock()
		return false, false
	}
	w.mu.Unlock()
	for _, c := range all {
		if c.tick(ticks) {
			busy = true
		}
	}
	clear(all)
	w.scratch = all
	return busy, true
}
