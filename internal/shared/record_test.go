//go:build unix

package shared_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/shared"
	"sallyport/internal/shared/redistest"
)

func TestOneOfManyNodesBeginsARecord(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	nodes := []*shared.Store{open(t, server.URL()), open(t, server.URL())}
	id := newID()
	var first atomic.Int64
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			found, begun, err := nodes[i%2].Begin(t.Context(), id, []byte("a\x00b"), time.Minute)
			switch {
			case err != nil:
				t.Error(err)
			case begun:
				first.Add(1)
			case string(found) != "a\x00b":
				t.Errorf("found %q", found)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 {
		t.Errorf("%d began it", first.Load())
	}
	if err := nodes[0].Replace(t.Context(), id, []byte("c")); err != nil {
		t.Fatal(err)
	}
	if found, begun, err := nodes[1].Begin(t.Context(), id, []byte("d"), time.Minute); err != nil || begun || string(found) != "c" {
		t.Errorf("%q %v %v, want what was written", found, begun, err)
	}
	if err := nodes[0].Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].Replace(t.Context(), id, []byte("e")); err != nil {
		t.Errorf("replacing what is gone: %v", err)
	}
	if _, begun, err := nodes[1].Begin(t.Context(), id, []byte("f"), 50*time.Millisecond); err != nil || !begun {
		t.Errorf("after Remove: %v %v", begun, err)
	}
	time.Sleep(100 * time.Millisecond)
	if _, begun, err := nodes[1].Begin(t.Context(), id, []byte("g"), time.Minute); err != nil || !begun {
		t.Errorf("after its time: %v %v", begun, err)
	}
}
