package store_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/store/storetest/pgtest"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rotateAll rotates b.N times from n goroutines, each with a grant of its own,
// and reports the processor time of one rotation beside the time it took.
func rotateAll(b *testing.B, s *store.Store, n int) {
	b.Helper()
	ids := make([]secret.ID, n)
	for i, text := range prepareGrants(b, s, n) {
		ids[i], _ = secret.ParseID(text)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	var done atomic.Int64
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			now := time.Now()
			for generation := uint32(1); done.Add(1) <= int64(b.N); generation++ {
				if err := s.OAuth().RotateRefresh(b.Context(), id, generation, now, now.Add(time.Hour)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/1e3, "cpu-µs/op")
}

// BenchmarkRotateRefresh shows what the group commit is worth: the same work
// with a commit for each (batch=1) and with shared ones.
func BenchmarkRotateRefresh(b *testing.B) {
	for _, batch := range []int{1, 128} {
		for _, n := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("sqlite/batch=%d/goroutines=%d", batch, n), func(b *testing.B) {
				s := open(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"), time.Now)
				store.SetBatch(s, batch)
				rotateAll(b, s, n)
			})
		}
	}
	b.Run("postgres/goroutines=64", func(b *testing.B) { rotateAll(b, open(b, pgtest.New(b), time.Now), 64) })
}

func BenchmarkGrant(b *testing.B) {
	s := open(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"), time.Now)
	id, _ := secret.ParseID(prepareGrants(b, s, 1)[0])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.OAuth().Grant(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFeedHead(b *testing.B) {
	s := open(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"), time.Now)
	feed := s.Feed()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := feed.Head(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
	}
}
