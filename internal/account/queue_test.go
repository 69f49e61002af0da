package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// crowd enters a queue from many places and keeps the order in which they got in.
type crowd struct {
	q    *queue
	wg   sync.WaitGroup
	mu   sync.Mutex
	in   []string
	busy []string
}

func (c *crowd) come(ctx context.Context, source, name string) {
	c.wg.Go(func() {
		err := c.q.enter(ctx, source)
		c.mu.Lock()
		defer c.mu.Unlock()
		if errors.Is(err, ErrBusy) {
			c.busy = append(c.busy, name)
			return
		}
		c.in = append(c.in, name)
	})
	synctest.Wait()
}

// next lets one out, and so the next one in.
func (c *crowd) next() {
	c.q.leave()
	synctest.Wait()
}

func TestQueueTakesTurnsOverWhereTheyComeFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{q: newQueue(1, 10)}
		for i := range 4 {
			c.come(t.Context(), "flood", fmt.Sprint("flood ", i))
		}
		c.come(t.Context(), "ada", "ada")
		c.come(t.Context(), "bob", "bob")
		for range 5 {
			c.next()
		}
		want := []string{"flood 0", "flood 1", "ada", "bob", "flood 2", "flood 3"}
		if !slices.Equal(c.in, want) || c.busy != nil {
			t.Errorf("in: %q, busy: %q, want %q", c.in, c.busy, want)
		}
		c.next()
		if c.q.free != 1 || c.q.waiting != 0 || len(c.q.lines) != 0 || len(c.q.turns) != 0 {
			t.Errorf("left over: %+v", c.q)
		}
	})
}

func TestQueueThatIsFullMakesRoomForWhoHasLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{q: newQueue(1, 3)}
		for i := range 5 { // one is in, three wait
			c.come(t.Context(), "flood", fmt.Sprint("flood ", i))
		}
		if want := []string{"flood 4"}; !slices.Equal(c.busy, want) {
			t.Fatalf("busy: %q, want %q", c.busy, want)
		}
		c.come(t.Context(), "ada", "ada") // takes the place of flood 3
		c.come(t.Context(), "bob", "bob") // and that of flood 2
		c.come(t.Context(), "eve", "eve") // nobody has more than eve would
		if want := []string{"flood 4", "flood 3", "flood 2", "eve"}; !slices.Equal(c.busy, want) {
			t.Errorf("busy: %q, want %q", c.busy, want)
		}
		for range 4 {
			c.next()
		}
		if want := []string{"flood 0", "flood 1", "ada", "bob"}; !slices.Equal(c.in, want) {
			t.Errorf("in: %q, want %q", c.in, want)
		}
	})
}

func TestQueueForgetsWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{q: newQueue(1, 5)}
		ctx, cancel := context.WithCancel(t.Context())
		c.come(t.Context(), "ada", "ada")
		c.come(ctx, "bob", "bob")
		c.come(ctx, "bob", "bob too")
		c.come(t.Context(), "eve", "eve")
		cancel()
		synctest.Wait()
		c.next()
		slices.Sort(c.busy)
		if want := []string{"ada", "eve"}; !slices.Equal(c.in, want) || !slices.Equal(c.busy, []string{"bob", "bob too"}) {
			t.Errorf("in: %q, busy: %q", c.in, c.busy)
		}
		c.next()
		if c.q.free != 1 || c.q.waiting != 0 || len(c.q.lines) != 0 || len(c.q.turns) != 0 {
			t.Errorf("left over: %+v", c.q)
		}
	})
}
