package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/ratelimit"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const tries ratelimit.Name = "tries"

func table(burst int, every time.Duration, entries int) *ratelimit.Table {
	return ratelimit.New(ratelimit.Options{
		Limits:     []ratelimit.Limit{{Name: tries, Burst: burst, Every: every}},
		MaxEntries: entries,
	})
}

func TestBurstThenOneEachInterval(t *testing.T) {
	t.Parallel()
	l := table(3, time.Second, 100)
	for _, step := range []struct {
		at   time.Duration
		ok   bool
		wait time.Duration
	}{
		{0, true, 0},
		{0, true, 0},
		{0, true, 0},
		{0, false, time.Second},
		{400 * time.Millisecond, false, 600 * time.Millisecond},
		{time.Second, true, 0},
		{time.Second, false, time.Second},
		{time.Hour, true, 0},
		{time.Hour, true, 0},
		{time.Hour, true, 0},
		{time.Hour, false, time.Second},
	} {
		now := start.Add(step.at)
		if ok, wait := l.Check(now, tries, "k"); ok != step.ok || wait != step.wait {
			t.Fatalf("at %s: Check = %v, %s; want %v, %s", step.at, ok, wait, step.ok, step.wait)
		}
		if ok, wait := l.Allow(now, tries, "k"); ok != step.ok || wait != step.wait {
			t.Fatalf("at %s: Allow = %v, %s; want %v, %s", step.at, ok, wait, step.ok, step.wait)
		}
	}
	if ok, _ := l.Allow(start, tries, "other"); !ok {
		t.Error("keys are not counted apart")
	}
}

// In every window of every random run: at most Burst + d/Every allowed, and
// the promised moment is right: refused just before, allowed then.
func TestNeverMoreThanBurstPlusRate(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		burst, every := 1+rnd.IntN(10), time.Duration(1+rnd.IntN(1000))*time.Millisecond
		l := table(burst, every, 100)
		var allowed []time.Time
		for now, i := start, 0; i < 500; i++ {
			now = now.Add(time.Duration(rnd.Int64N(int64(every))))
			ok, wait := l.Allow(now, tries, "k")
			if ok {
				allowed = append(allowed, now)
				if rnd.IntN(4) == 0 { // a success, which does not count
					l.Refund(tries, "k")
					allowed = allowed[:len(allowed)-1]
				}
				continue
			}
			if early, _ := l.Check(now.Add(wait-1), tries, "k"); early {
				t.Fatalf("seed %d: allowed before retryAfter", seed)
			}
			if then, _ := l.Check(now.Add(wait), tries, "k"); !then {
				t.Fatalf("seed %d: refused after retryAfter", seed)
			}
		}
		for i := range allowed {
			for j := i; j < len(allowed); j++ {
				if n, most := j-i+1, burst+int(allowed[j].Sub(allowed[i])/every); n > most {
					t.Fatalf("seed %d: %d allowed in %s, at most %d", seed, n, allowed[j].Sub(allowed[i]), most)
				}
			}
		}
	}
}

func TestRefundGivesBackExactlyOne(t *testing.T) {
	t.Parallel()
	l := table(2, time.Minute, 100)
	for range 1000 { // successes in a row are free
		if ok, _ := l.Allow(start, tries, "k"); !ok {
			t.Fatal("a success was counted")
		}
		l.Refund(tries, "k")
	}
	got := 0
	for range 10 {
		if ok, _ := l.Allow(start, tries, "k"); ok {
			got++
		}
	}
	if got != 2 {
		t.Errorf("%d failures after the successes, want 2", got)
	}
	l.Refund(tries, "never seen")
}

func TestParallelAttemptsHaveBurstFailures(t *testing.T) {
	t.Parallel()
	l := table(25, time.Hour, 100)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 500 {
				l.Allow(start, tries, fmt.Sprintf("noise %d %d", i, n))
				if ok, _ := l.Allow(start, tries, "k"); ok {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 25 {
		t.Errorf("%d allowed, want 25", allowed.Load())
	}
}

// Whoever is refused stays refused, however many new keys come, and whoever
// has used some of the bucket keeps it against keys that have used less.
func TestFloodOfNewKeysForgetsNobodyWhoIsRefused(t *testing.T) {
	t.Parallel()
	const entries = 1600
	l := table(5, time.Hour, entries)
	for range 5 {
		l.Allow(start, tries, "refused")
	}
	for range 3 {
		l.Allow(start, tries, "half")
	}
	for i := range 100 * entries {
		now := start.Add(time.Duration(i) * time.Millisecond)
		l.Allow(now, tries, fmt.Sprint("new ", i))
		if ok, _ := l.Check(now, tries, "refused"); ok {
			t.Fatalf("after %d new keys the refused one is forgotten", i)
		}
	}
	left := 0
	for range 5 {
		if ok, _ := l.Allow(start.Add(time.Minute), tries, "half"); ok {
			left++
		}
	}
	if left != 2 {
		t.Errorf("a key with 3 of 5 used has %d left", left)
	}
	if n := l.Len(); n > entries {
		t.Errorf("%d entries, at most %d", n, entries)
	}
}

// When every remembered key is refused, newcomers share a bucket: neither are
// they free, nor does one of the refused go free.
func TestTableFullOfRefusedKeys(t *testing.T) {
	t.Parallel()
	l := table(2, time.Hour, 16) // one entry a shard
	var refused []string
	for i := 0; len(refused) < 16; i++ {
		k := fmt.Sprint("k", i)
		l.Allow(start, tries, k)
		l.Allow(start, tries, k)
		if l.Len() > len(refused) {
			refused = append(refused, k)
		}
		if i > 10_000 {
			t.Fatal("shards do not fill")
		}
	}
	allowed := 0
	for i := range 10_000 {
		if ok, _ := l.Allow(start, tries, fmt.Sprint("new", i)); ok {
			allowed++
		}
	}
	if allowed > 2*16 {
		t.Errorf("%d newcomers allowed, at most the burst of each shard, 32", allowed)
	}
	for _, k := range refused {
		if ok, _ := l.Check(start, tries, k); ok {
			t.Errorf("%s is no longer refused", k)
		}
	}
	if ok, _ := l.Allow(start.Add(3*time.Hour), tries, "later"); !ok {
		t.Error("newcomers are refused after the table has drained")
	}
}

func TestFullBucketsAreForgotten(t *testing.T) {
	t.Parallel()
	l := table(2, time.Second, 1<<16)
	for i := range 10_000 {
		l.Allow(start, tries, fmt.Sprint(i))
	}
	later := start.Add(time.Minute)
	for i := range 5_000 {
		l.Allow(later, tries, fmt.Sprint("later ", i))
	}
	if n := l.Len(); n > 6_000 {
		t.Errorf("%d entries of which 5,000 say something", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const entries = 1 << 16
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := table(5, time.Hour, entries)
	for i := range 4 * entries {
		l.Allow(start, tries, fmt.Sprint(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := l.Len(); n > entries {
		t.Errorf("%d entries, at most %d", n, entries)
	}
	if per := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / entries; per > 120 {
		t.Errorf("%d bytes an entry", per)
	}
	runtime.KeepAlive(l)
}

func TestClockSetBackLocksNobodyOutForLong(t *testing.T) {
	t.Parallel()
	l := table(2, time.Minute, 100)
	for range 3 {
		l.Allow(start, tries, "k")
	}
	back := start.Add(-24 * time.Hour)
	if ok, wait := l.Check(back, tries, "k"); ok || wait > time.Minute {
		t.Errorf("Check = %v, %s; want refused for at most a minute", ok, wait)
	}
	l.Allow(back, tries, "k")
	if ok, _ := l.Allow(back.Add(time.Minute), tries, "k"); !ok {
		t.Error("refused a minute later")
	}
}

func TestUnknownNamePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a misspelt limit is no limit")
		}
	}()
	table(1, time.Second, 1).Allow(start, "trys", "k")
}

func TestEveryNamedLimitIsInTheTable(t *testing.T) {
	t.Parallel()
	l := ratelimit.New(ratelimit.Options{})
	for _, name := range []ratelimit.Name{
		ratelimit.LoginPair, ratelimit.LoginAddress, ratelimit.LoginNetwork,
		ratelimit.LoginAccount, ratelimit.ClientAuth, ratelimit.Introspect,
	} {
		if ok, _ := l.Allow(start, name, "k"); !ok {
			t.Errorf("%s refuses the first", name)
		}
	}
	for _, limit := range ratelimit.Limits {
		if limit.Key == "" || limit.Why == "" {
			t.Errorf("%s does not say what it counts or why", limit.Name)
		}
	}
}

func TestAddressAndNetwork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b             string
		address, network bool // count as one
	}{
		{"192.0.2.7", "192.0.2.7", true, true},
		{"192.0.2.7", "192.0.2.8", false, true},
		{"192.0.2.7", "192.0.3.7", false, false},
		{"192.0.2.7", "::ffff:192.0.2.7", true, true},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", true, true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false, true},
		{"2001:db8:1::1", "2001:db8:2::1", false, false},
		{"fe80::1%eth0", "fe80::2%eth1", true, true},
		{"192.0.2.7", "c000:207::", false, false}, // the same first bytes
	} {
		a, b := netip.MustParseAddr(c.a), netip.MustParseAddr(c.b)
		if got := ratelimit.Address(a) == ratelimit.Address(b); got != c.address {
			t.Errorf("%s and %s count as one address: %v, want %v", a, b, got, c.address)
		}
		if got := ratelimit.Network(a) == ratelimit.Network(b); got != c.network {
			t.Errorf("%s and %s count as one network: %v, want %v", a, b, got, c.network)
		}
	}
	if ratelimit.Address(netip.Addr{}) != "" {
		t.Error("an unknown address has a name")
	}
}

func TestKeyIsUnambiguous(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, parts := range [][]string{{"a", "b"}, {"ab", ""}, {"", "ab"}, {"a:1", "b"}, {"a", "1:b"}, {"1:a", "b"}, {"a", "b", ""}} {
		k := ratelimit.Key(parts...)
		if other, taken := seen[k]; taken {
			t.Errorf("%q and %s share %q", parts, other, k)
		}
		seen[k] = fmt.Sprintf("%q", parts)
	}
}

// What a request that authenticates a client costs.
func BenchmarkCheck(b *testing.B) {
	l := ratelimit.New(ratelimit.Options{})
	addr := netip.MustParseAddr("192.0.2.7")
	b.ReportAllocs()
	for b.Loop() {
		l.Check(start, ratelimit.ClientAuth, ratelimit.Key("some-client", ratelimit.Address(addr)))
	}
}

func BenchmarkAllowRefund(b *testing.B) {
	l := ratelimit.New(ratelimit.Options{})
	b.ReportAllocs()
	for b.Loop() {
		l.Allow(start, ratelimit.ClientAuth, "some client and address")
		l.Refund(ratelimit.ClientAuth, "some client and address")
	}
}
