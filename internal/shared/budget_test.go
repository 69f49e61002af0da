//go:build unix

package shared_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/shared"
	"sallyport/internal/shared/redistest"
)

func TestGW23NodesTakeFromOneBudget(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	id := newID()
	var got atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		s := open(t, server.URL())
		for range 8 {
			all.Go(func() {
				for range 5 {
					n, _, err := s.Lease(t.Context(), id, time.Hour, 100*time.Hour, 1)
					if err != nil {
						t.Error(err)
					}
					got.Add(int64(n))
				}
			})
		}
	}
	all.Wait()
	if got.Load() != 100 {
		t.Errorf("160 leases of one each got %d of a bucket of 100", got.Load())
	}
	s := open(t, server.URL())
	if n, full, err := s.Lease(t.Context(), id, time.Hour, 100*time.Hour, 1); n != 0 || full < 99*time.Hour || err != nil {
		t.Errorf("an empty bucket gives %d, full in %s (%v)", n, full, err)
	}
	if n, full, err := s.Lease(t.Context(), newID(), time.Hour, 100*time.Hour, 5); n != 5 || full > 5*time.Hour || full < 4*time.Hour || err != nil {
		t.Errorf("another bucket gives %d, full in %s (%v); want 5", n, full, err)
	}
}

func TestBucketsFill(t *testing.T) {
	t.Parallel()
	s, id := open(t, redistest.New(t).URL()), newID()
	for i, want := range []int{3, 0} {
		if n, _, err := s.Lease(t.Context(), id, 200*time.Millisecond, 600*time.Millisecond, 10); n != want || err != nil {
			t.Fatalf("lease %d: %d, %v; want %d", i, n, err, want)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if n, _, err := s.Lease(t.Context(), id, 200*time.Millisecond, 600*time.Millisecond, 1); err != nil || n == 1 {
			return
		}
	}
	t.Error("the bucket does not fill")
}

func TestCountsAddUpAndEnd(t *testing.T) {
	t.Parallel()
	s, id := open(t, redistest.New(t).URL()), newID()
	for i, want := range []int64{2, 4} {
		if sum, err := s.Add(t.Context(), id, 2, 300*time.Millisecond); sum != want || err != nil {
			t.Fatalf("count %d is %d (%v), want %d", i, sum, err, want)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if sum, _ := s.Add(t.Context(), id, 0, time.Minute); sum == 0 {
			return
		}
	}
	t.Error("a count stays for ever")
}

func TestBudgetsFailWhenTheServersAreGone(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	s := open(t, server.URL(), func(o *shared.Options) { o.Timeout = 50 * time.Millisecond })
	server.Stop()
	defer server.Continue()
	if _, _, err := s.Lease(t.Context(), newID(), time.Second, time.Minute, 1); !errors.Is(err, shared.ErrUnavailable) {
		t.Errorf("lease: %v", err)
	}
	if _, err := s.Add(t.Context(), newID(), 1, time.Minute); !errors.Is(err, shared.ErrUnavailable) {
		t.Errorf("add: %v", err)
	}
}
