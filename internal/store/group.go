package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// maxBatch bounds how many transitions share a commit, and so how long the
// first of them waits for the others.
const maxBatch = 128

// group lets all transitions that wait share one commit, because a commit
// costs a disk flush and a transition costs little else. One goroutine takes
// what is waiting, runs each in a savepoint of its own, commits, and only then
// answers. There is no timer: while one batch is flushed the next gathers, and
// a transition that comes alone is not delayed.
type group struct {
	open     func() (*sqliteConn, error)
	onFed    func() // after a commit that added to the feed
	maxBatch int

	mu      sync.Mutex
	waiting []*job
	closed  bool
	wake    chan struct{}
	stopped chan struct{}

	conn *sqliteConn // owned by run; nil after a fault, then opened anew
}

// The states of a job. Whoever moves it from waiting decides what happens.
const (
	jobWaiting int32 = iota
	jobTaken
	jobLeft
)

type job struct {
	f     transition
	state atomic.Int32
	fed   bool
	err   error
	done  chan struct{}
}

func newGroup(conn *sqliteConn, open func() (*sqliteConn, error), onFed func()) *group {
	g := &group{
		conn: conn, open: open, onFed: onFed, maxBatch: maxBatch,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	go g.run()
	return g
}

// do runs f and returns when its commit is durable. A caller whose context ends
// before its turn leaves and nothing has happened; after that it waits, because
// only the commit says what is true.
func (g *group) do(ctx context.Context, f transition) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{f: f, done: make(chan struct{})}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return ErrClosed
	}
	g.waiting = append(g.waiting, j)
	g.mu.Unlock()
	g.signal()
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobLeft) {
			return ctx.Err()
		}
		<-j.done
	}
	return j.err
}

// close refuses new transitions and returns when the waiting ones are done.
func (g *group) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.signal()
	<-g.stopped
}

func (g *group) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *group) run() {
	defer close(g.stopped)
	for batch := g.take(); batch != nil; batch = g.take() {
		err := g.commit(batch)
		fed := false
		for _, j := range batch {
			switch {
			case err != nil && j.err != nil:
				// What it said may rest on another's write that is now lost, so a
				// caller must not act on it: only the text stays.
				j.err = fmt.Errorf("%w (after: %s)", err, j.err.Error())
			case err != nil:
				j.err = err
			}
			fed = fed || j.err == nil && j.fed
			close(j.done)
		}
		if fed {
			g.onFed()
		}
	}
	if g.conn != nil {
		g.conn.close()
	}
}

// take returns what is waiting, and waits if nothing is; nil after close.
func (g *group) take() []*job {
	for {
		g.mu.Lock()
		n := min(len(g.waiting), g.maxBatch)
		if n > 0 {
			batch := g.waiting[:n:n]
			if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
				g.waiting = nil // the array goes with the batch
			}
			g.mu.Unlock()
			return batch
		}
		closed := g.closed
		g.mu.Unlock()
		if closed {
			return nil
		}
		<-g.wake
	}
}

// commit runs the batch in one transaction and leaves each job's own outcome
// in it. Its error goes to every job: nothing of the batch is stored, or it is
// not known.
func (g *group) commit(batch []*job) error {
	ctx := context.Background() // no caller's context may interrupt what others share
	if g.conn == nil {
		conn, err := g.open()
		if err != nil {
			return fmt.Errorf("open the writing connection again: %w", err)
		}
		g.conn = conn
	}
	if _, err := g.conn.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		g.drop()
		return fmt.Errorf("begin: %w", err)
	}
	succeeded, err := g.runBatch(ctx, batch)
	if err != nil {
		g.drop()
		return err
	}
	end := "COMMIT"
	if succeeded == 0 {
		end = "ROLLBACK" // nothing to flush
	}
	if _, err := g.conn.exec(ctx, end); err != nil {
		g.drop()
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// runBatch runs the jobs whose callers still wait. An error means that the
// transaction itself is lost.
func (g *group) runBatch(ctx context.Context, batch []*job) (succeeded int, err error) {
	alone := len(batch) == 1
	for _, j := range batch {
		if !j.state.CompareAndSwap(jobWaiting, jobTaken) {
			continue
		}
		if !alone {
			if _, err := g.conn.exec(ctx, "SAVEPOINT t"); err != nil {
				return 0, fmt.Errorf("begin savepoint: %w", err)
			}
		}
		t := &tx{queryer: g.conn}
		j.err = runTransition(ctx, j.f, t)
		j.fed = t.fed
		if j.err == nil {
			succeeded++
		}
		if alone {
			continue
		}
		if j.err != nil {
			// A full disk or a failed write makes SQLite roll everything back by
			// itself. Then the savepoint is gone too, and this says so.
			if _, err := g.conn.exec(ctx, "ROLLBACK TO t"); err != nil {
				return 0, fmt.Errorf("roll back to savepoint: %w", err)
			}
		}
		if _, err := g.conn.exec(ctx, "RELEASE t"); err != nil {
			return 0, fmt.Errorf("release savepoint: %w", err)
		}
	}
	return succeeded, nil
}

// runTransition turns a panic into an error: the writer serves everyone.
func runTransition(ctx context.Context, f transition, t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("transition panicked: %v", p)
		}
	}()
	return f(ctx, t)
}

// drop gives up the connection, and with it whatever is open on it.
func (g *group) drop() {
	g.conn.close()
	g.conn = nil
}
