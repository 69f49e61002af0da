package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openGroup(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "group.db"), Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

var errWanted = errors.New("wanted")

// add marks that a transition has happened.
func add(name string) transition {
	return func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO token_keys (id, purpose, algorithm, wrapped, created_s) VALUES ($1, '', '', '', 1)`, name)
		return err
	}
}

func then(f transition, err error) transition {
	return func(ctx context.Context, t *tx) error { return errors.Join(f(ctx, t), err) }
}

func happened(t *testing.T, s *Store) string {
	t.Helper()
	var names []string
	err := s.engine.read(t.Context(), func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			names = append(names, "")
			return scan(&names[len(names)-1])
		}, `SELECT id FROM token_keys ORDER BY id`)
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// together runs all in one batch, in this order, and returns what each caller
// got. The writer is held up until all of them wait.
func together(t *testing.T, s *Store, all ...transition) []error {
	t.Helper()
	g := s.engine.(*sqliteEngine).group
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = g.do(t.Context(), func(context.Context, *tx) error { close(held); <-hold; return errWanted })
	})
	<-held
	errs := make([]error, len(all))
	for i, f := range all {
		wg.Go(func() { errs[i] = g.do(t.Context(), f) })
		waitFor(t, g, i+1)
	}
	close(hold)
	wg.Wait()
	return errs
}

func waitFor(t *testing.T, g *group, n int) {
	t.Helper()
	for {
		g.mu.Lock()
		waiting := len(g.waiting)
		g.mu.Unlock()
		if waiting >= n {
			return
		}
		if t.Context().Err() != nil {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	violate := func(ctx context.Context, t *tx) error {
		return t.all(ctx, []string{
			`PRAGMA defer_foreign_keys = ON`, // so that the commit is what fails
			`INSERT INTO client_secrets (client_id, hash, created_s, expires_s) VALUES ('nobody', 'x', 0, 0)`,
		})
	}
	lose := func(ctx context.Context, t *tx) error { // as SQLite does by itself when the disk is full
		_, err := t.exec(ctx, "ROLLBACK")
		return err
	}
	explode := func(ctx context.Context, t *tx) error { _ = add("b")(ctx, t); panic("boom") }
	for name, c := range map[string]struct {
		batch []transition
		want  []string // part of each error; empty: success
		after string
	}{
		"all succeed": {[]transition{add("a"), add("b"), add("c")}, []string{"", "", ""}, "a b c"},
		"a failing one leaves the others": {
			[]transition{add("a"), then(add("b"), errWanted), add("c")},
			[]string{"", "wanted", ""},
			"a c",
		},
		"a failing statement leaves the others": {[]transition{add("a"), add("a"), add("c")}, []string{"", "constraint", ""}, "a c"},
		"a panic leaves the others":             {[]transition{add("a"), explode, add("c")}, []string{"", "boom", ""}, "a c"},
		"a panic alone":                         {[]transition{explode}, []string{"boom"}, ""},
		"all fail":                              {[]transition{then(add("a"), errWanted), then(add("b"), errWanted)}, []string{"wanted", "wanted"}, ""},
		"a failing commit fails all":            {[]transition{add("a"), violate, add("c")}, []string{"commit", "commit", "commit"}, ""},
		"a failing commit alone":                {[]transition{violate}, []string{"commit"}, ""},
		"a lost transaction fails all":          {[]transition{add("a"), lose, add("c")}, []string{"savepoint", "savepoint", "savepoint"}, ""},
		"a lost transaction with an error":      {[]transition{add("a"), then(lose, errWanted), add("c")}, []string{"savepoint", "savepoint", "savepoint"}, ""},
		"a lost transaction alone":              {[]transition{lose}, []string{"commit"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openGroup(t)
			for i, err := range together(t, s, c.batch...) {
				if (err == nil) != (c.want[i] == "") || err != nil && !strings.Contains(err.Error(), c.want[i]) {
					t.Errorf("transition %d: got %v, want %q", i, err, c.want[i])
				}
			}
			if got := happened(t, s); got != c.after {
				t.Errorf("stored %q, want %q", got, c.after)
			}
			if err := s.write(t.Context(), "go on", add("z")); err != nil {
				t.Errorf("the writer does not go on: %v", err)
			}
		})
	}
}

// An answer such as "exists already" rests on what the batch has written so
// far. When the batch is lost, nobody may act on it.
func TestALostBatchHidesWhatItsTransitionsSaid(t *testing.T) {
	t.Parallel()
	s := openGroup(t)
	rollback := func(ctx context.Context, t *tx) error { _, err := t.exec(ctx, "ROLLBACK"); return err }
	errs := together(t, s, add("a"), then(add("b"), errWanted), rollback)
	if err := errs[1]; err == nil || errors.Is(err, errWanted) {
		t.Errorf("got %v, want only the loss of the transaction", err)
	}
}

func TestACallerWhoLeavesBeforeItsTurnIsSkipped(t *testing.T) {
	t.Parallel()
	s := openGroup(t)
	g := s.engine.(*sqliteEngine).group
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	var first error
	running, cancelRunning := context.WithCancel(t.Context())
	wg.Go(func() {
		first = g.do(running, func(ctx context.Context, t *tx) error {
			close(held)
			<-hold
			return add("first")(ctx, t)
		})
	})
	<-held
	waiting, cancelWaiting := context.WithCancel(t.Context())
	wg.Go(func() { waitFor(t, g, 1); cancelWaiting(); cancelRunning() })
	if err := g.do(waiting, add("left")); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left got %v", err)
	}
	close(hold)
	wg.Wait()
	if first != nil {
		t.Errorf("a caller whose turn had come did not wait for the commit: %v", first)
	}
	if got := happened(t, s); got != "first" {
		t.Errorf("stored %q, want only the first", got)
	}
}

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	s := openGroup(t)
	const n = 300 // more than one batch
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = s.engine.write(context.Background(), add(fmt.Sprintf("c%03d", i))) })
	}
	e := s.engine.(*sqliteEngine)
	waitFor(t, e.group, 1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else if !errors.Is(err, ErrClosed) {
			t.Errorf("got %v, want success or ErrClosed", err)
		}
	}
	if done == 0 {
		t.Error("nothing that waited was done")
	}
	for what, err := range map[string]error{"write": s.write(t.Context(), "x", add("x")), "ping": s.Ping(t.Context())} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after close: %v", what, err)
		}
	}
}
