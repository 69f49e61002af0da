package ratelimit_test

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"sallyport/internal/ratelimit"
)

func TestParseRate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want ratelimit.Rate // zero Per and Count -1: refused
	}{
		{"600/m", ratelimit.Rate{Count: 600, Per: time.Minute, Burst: 600}},
		{"10/s burst 50", ratelimit.Rate{Count: 10, Per: time.Second, Burst: 50}},
		{"5000/h", ratelimit.Rate{Count: 5000, Per: time.Hour, Burst: 5000}},
		{"1/d burst 1", ratelimit.Rate{Count: 1, Per: 24 * time.Hour, Burst: 1}},
		{"off", ratelimit.Rate{}},
		{"", ratelimit.Rate{}},
		{"0/m", ratelimit.Rate{Count: -1}},
		{"-1/m", ratelimit.Rate{Count: -1}},
		{"+5/m", ratelimit.Rate{Count: -1}},
		{"05/m", ratelimit.Rate{Count: -1}},
		{"1e3/m", ratelimit.Rate{Count: -1}},
		{"10000001/s", ratelimit.Rate{Count: -1}},
		{"600", ratelimit.Rate{Count: -1}},
		{"600/min", ratelimit.Rate{Count: -1}},
		{"600/m burst 0", ratelimit.Rate{Count: -1}},
		{"600/m burst", ratelimit.Rate{Count: -1}},
		{"600/m  burst 5", ratelimit.Rate{Count: -1}},
		{"OFF", ratelimit.Rate{Count: -1}},
	} {
		got, err := ratelimit.ParseRate(tt.text)
		if refused := tt.want.Count < 0; refused != (err != nil) || err == nil && got != tt.want {
			t.Errorf("ParseRate(%q) = %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
		if err == nil && tt.text != "" {
			if again, err := ratelimit.ParseRate(got.String()); again != got || err != nil {
				t.Errorf("%q is written as %q, which is %+v (%v)", tt.text, got, again, err)
			}
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"600/m", "10/s burst 50", "off", "1/d", "9999999999/m", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ratelimit.ParseRate(s)
		if err != nil || r.IsZero() {
			return
		}
		if r.Burst < 1 || r.Count < 1 || r.Window() <= 0 {
			t.Errorf("%q is %+v in %s, which allows nothing", s, r, r.Window())
		}
		if again, err := ratelimit.ParseRate(r.String()); err != nil || again != r {
			t.Errorf("%q becomes %q, which is %+v (%v)", s, r, again, err)
		}
	})
}

func rate(t testing.TB, s string) ratelimit.Rate {
	t.Helper()
	r, err := ratelimit.ParseRate(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGW23ARateAllowsItsBurstAndThenItsPace(t *testing.T) {
	t.Parallel()
	c := ratelimit.NewRates(ratelimit.RatesOptions{}).Counter("x", rate(t, "60/m burst 5"))
	now := start
	for i := range 5 {
		if v := c.Allow(t.Context(), now, "u1", 1); !v.OK || v.Remaining != 4-i || v.Reset != time.Duration(i+1)*time.Second {
			t.Errorf("call %d: %+v", i, v)
		}
	}
	if v := c.Allow(t.Context(), now, "u1", 1); v.OK || v.Wait != time.Second || v.Remaining != 0 {
		t.Errorf("the sixth at once: %+v, want a wait of a second", v)
	}
	if v := c.Allow(t.Context(), now, "u2", 1); !v.OK {
		t.Errorf("somebody else: %+v", v)
	}
	if v := c.Allow(t.Context(), now.Add(time.Second), "u1", 1); !v.OK {
		t.Errorf("a second later: %+v", v)
	}
	c.Refund("u1", 1)
	if v := c.Allow(t.Context(), now.Add(time.Second), "u1", 1); !v.OK {
		t.Errorf("after a refund: %+v", v)
	}
}

func TestCostsAreSpentAtOnceOrNotAtAll(t *testing.T) {
	t.Parallel()
	c := ratelimit.NewRates(ratelimit.RatesOptions{}).Counter("x", rate(t, "60/m burst 10"))
	for _, tt := range []struct {
		cost int
		ok   bool
	}{{7, true}, {4, false}, {3, true}, {1, false}, {11, false}} {
		if v := c.Allow(t.Context(), start, "u1", tt.cost); v.OK != tt.ok {
			t.Errorf("cost %d: %+v, want %v", tt.cost, v, tt.ok)
		}
	}
	if v := c.Allow(t.Context(), start.Add(time.Hour), "u1", 11); v.OK {
		t.Error("more than a whole bucket was allowed")
	}
}

func TestAChangedRateForgetsNobody(t *testing.T) {
	t.Parallel()
	rates := ratelimit.NewRates(ratelimit.RatesOptions{})
	old := rates.Counter("x", rate(t, "60/h burst 2"))
	for range 3 {
		old.Allow(t.Context(), start, "u1", 1)
	}
	if v := rates.Counter("x", rate(t, "120/h burst 2")).Allow(t.Context(), start, "u1", 1); v.OK {
		t.Error("a change of the rate filled the bucket")
	}
	rates.Keep("", map[string]bool{"y": true})
	if v := rates.Counter("x", rate(t, "60/h burst 2")).Allow(t.Context(), start, "u1", 1); !v.OK {
		t.Error("a limit that was removed is still remembered")
	}
	if rates.Counter("z", ratelimit.Rate{}) != nil {
		t.Error("no rate has a counter")
	}
}

func TestAddressesCountAsNetworksOfOneMachine(t *testing.T) {
	t.Parallel()
	c := ratelimit.NewRates(ratelimit.RatesOptions{}).Local("x", rate(t, "1/m burst 1"))
	a := netip.MustParseAddr("2001:db8::1")
	if v := c.PeekAddress(start, a); !v.OK {
		t.Errorf("nothing was spent: %+v", v)
	}
	c.AllowAddress(start, a)
	for _, other := range []string{"2001:db8::2", "2001:db8::ffff:1"} {
		if v := c.PeekAddress(start, netip.MustParseAddr(other)); v.OK {
			t.Errorf("%s counts apart from %s", other, a)
		}
	}
	if v := c.PeekAddress(start, netip.MustParseAddr("2001:db8:0:1::1")); !v.OK {
		t.Error("another network is counted with it")
	}
}

// budget is a pool in memory.
type budget struct {
	mu    sync.Mutex
	left  map[[32]byte]int
	asked int
	fails bool
}

func (b *budget) Lease(_ context.Context, id [32]byte, every, depth time.Duration, want int) (int, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.fails {
		return 0, 0, errors.New("gone")
	}
	if b.left == nil {
		b.left = map[[32]byte]int{}
	}
	if _, known := b.left[id]; !known {
		b.left[id] = int(depth / every)
	}
	got := min(want, b.left[id])
	b.left[id] -= got
	return got, depth - time.Duration(b.left[id])*every, nil
}

func TestGW23NodesThatShareNeverAllowMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	pool := &budget{}
	var nodes []*ratelimit.Counter
	for range 3 {
		rates := ratelimit.NewRates(ratelimit.RatesOptions{})
		rates.Share(pool)
		nodes = append(nodes, rates.Counter("x", rate(t, "1000/h")))
	}
	allowed := 0
	for i := range 3000 {
		if nodes[i%3].Allow(t.Context(), start, "u1", 1).OK {
			allowed++
		}
	}
	if allowed != 1000 {
		t.Errorf("three nodes allowed %d of 1000", allowed)
	}
	if pool.asked > 60 {
		t.Errorf("%d questions for 3000 calls", pool.asked)
	}
}

func TestALeaseIsLostAfterItsTime(t *testing.T) {
	t.Parallel()
	pool := &budget{}
	rates := ratelimit.NewRates(ratelimit.RatesOptions{})
	rates.Share(pool)
	c := rates.Counter("x", rate(t, "100/h"))
	for i, want := range []int{1, 1, 2} {
		c.Allow(t.Context(), start.Add(time.Duration(i)*6*time.Second), "u1", 1)
		if pool.asked != want {
			t.Errorf("call %d: asked %d times, want %d", i, pool.asked, want)
		}
	}
}

func TestGW23EachNodeCountsForItselfWhileThePoolIsGone(t *testing.T) {
	t.Parallel()
	pool := &budget{fails: true}
	rates := ratelimit.NewRates(ratelimit.RatesOptions{})
	rates.Share(pool)
	c := rates.Counter("x", rate(t, "10/h"))
	allowed := 0
	for range 50 {
		if c.Allow(t.Context(), start, "u1", 1).OK {
			allowed++
		}
	}
	if allowed != 10 || pool.asked != 1 {
		t.Errorf("allowed %d of 10, and asked %d times; want one question a second", allowed, pool.asked)
	}
	pool.fails = false
	if c.Allow(t.Context(), start.Add(2*time.Second), "u2", 1); pool.asked != 2 {
		t.Errorf("asked %d times: nobody looks whether the pool is back", pool.asked)
	}
	if n := rates.PoolCounts(); n.Failed != 1 || n.Leased != 1 {
		t.Errorf("counted %+v", n)
	}
}

func TestMemoryOfLeasesIsBounded(t *testing.T) {
	t.Parallel()
	rates := ratelimit.NewRates(ratelimit.RatesOptions{MaxEntries: 1024})
	rates.Share(&budget{})
	c := rates.Counter("x", rate(t, "100/h"))
	for i := range 20_000 {
		if !c.Allow(t.Context(), start, strconv.Itoa(i), 1).OK {
			t.Fatal("a new key was refused")
		}
	}
	if n := ratelimit.Leases(rates); n > 2048 {
		t.Errorf("%d leases are held", n)
	}
}

func BenchmarkRate(b *testing.B) {
	c := ratelimit.NewRates(ratelimit.RatesOptions{}).Counter("x", rate(b, "10000000/s"))
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		c.Allow(b.Context(), now, "018f2f4e-aaaa", 1)
	}
}
