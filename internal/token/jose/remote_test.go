package jose_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/token/jose"
)

// publisher is an issuer's jwks_uri, in the fake time of a bubble.
type publisher struct {
	mu     sync.Mutex
	body   string
	err    error
	delay  time.Duration
	times  []time.Time
	urls   []string
	broken bool // panics
}

func (p *publisher) fetch(ctx context.Context, url string) ([]byte, error) {
	p.mu.Lock()
	p.times, p.urls = append(p.times, time.Now()), append(p.urls, url)
	body, err, delay, broken := p.body, p.err, p.delay, p.broken
	p.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if broken {
		panic("a reader that a set has broken")
	}
	return []byte(body), err
}

func (p *publisher) set(body string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.body, p.err = body, err
}

// change is for the rest.
func (p *publisher) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *publisher) fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.times)
}

// after is how long after the first fetch another began.
func (p *publisher) after(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.times[n].Sub(p.times[0])
}

// jwks is the document that publishes keys.
func jwks(keys ...*jose.Key) string {
	body := `{"keys":[`
	for i, k := range keys {
		if i > 0 {
			body += ","
		}
		body += string(k.AppendJWK(nil))
	}
	return body + `]}`
}

func public(kid string, key *ecdsa.PrivateKey) *jose.Key {
	return keyOf(kid, jose.ES256, &key.PublicKey)
}

const keysURL = issuer + "/.well-known/jwks.json"

func remote(p *publisher) *jose.RemoteKeys {
	return must(jose.NewRemoteKeys(jose.RemoteOptions{URL: keysURL, Fetch: p.fetch, Now: time.Now}))
}

func find(t *testing.T, r *jose.RemoteKeys, kid string) error {
	t.Helper()
	k, err := r.Key(t.Context(), kid, jose.ES256)
	if (k == nil) != (err != nil) {
		t.Fatalf("got %v and %v", k, err)
	}
	return err
}

func want(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func wantFetches(t *testing.T, p *publisher, n int) {
	t.Helper()
	if got := p.fetches(); got != n {
		t.Errorf("%d fetches, want %d", got, n)
	}
}

func TestJ133ColdStartIsOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey)), delay: 2 * time.Second}
		r := remote(p)
		stay := t.Context()
		leave, cancel := context.WithTimeout(stay, time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				if i%10 == 0 { // these leave early; the first of all among them
					_, err := r.Key(leave, "k1", jose.ES256)
					want(t, err, context.DeadlineExceeded)
					return
				}
				_, err := r.Key(stay, "k1", jose.ES256)
				want(t, err, nil)
			})
			if i == 0 {
				synctest.Wait()
			}
		}
		wg.Wait()
		wantFetches(t, p, 1)
		want(t, find(t, r, "k1"), nil)
		wantFetches(t, p, 1)
	})
}

func TestMD06J130RandomKidsCostOneFetchInThirtySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey))}
		r := remote(p)
		want(t, find(t, r, "k1"), nil)
		begin := time.Now()
		for i := range 10_000 {
			want(t, find(t, r, fmt.Sprintf("random-%d", i)), jose.ErrNoKey)
			want(t, find(t, r, "k1"), nil)
			time.Sleep(10 * time.Millisecond)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := 1; i < len(p.times); i++ {
			if gap := p.times[i].Sub(p.times[i-1]); gap < 30*time.Second {
				t.Errorf("fetch %d came %s after the one before", i, gap)
			}
		}
		if took := time.Since(begin); len(p.times) != 1+int(took/(30*time.Second)) {
			t.Errorf("%d fetches in %s", len(p.times), took)
		}
	})
}

// The same while every fetch fails: failures count as well, and the keys stay.
func TestMD06J130RandomKidsWhileFetchesFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey))}
		r := remote(p)
		want(t, find(t, r, "k1"), nil)
		p.set("", errors.New("500"))
		for i := range 3000 {
			err := find(t, r, fmt.Sprintf("random-%d", i))
			if time.Sleep(100 * time.Millisecond); i > 300 {
				want(t, err, jose.ErrKeysUnavailable) // it may be a new key: no verdict
			}
			want(t, find(t, r, "k1"), nil)
		}
		if n := p.fetches(); n < 10 || n > 11 {
			t.Errorf("%d fetches in five minutes, want 10 or 11", n)
		}
		if s := r.Status(); s.Failures != s.Fetches-1 || s.Err == nil || s.Keys != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestJ131AFloodEvictsNothingAndIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey), public("k2", otherKey)), delay: 5 * time.Second}
		r := remote(p)
		want(t, find(t, r, "k1"), nil)
		for range 3 {
			time.Sleep(31 * time.Second)
			var wg sync.WaitGroup
			for i := range 5000 {
				wg.Go(func() { want(t, find(t, r, fmt.Sprintf("%d-%s", i, time.Now())), jose.ErrNoKey) })
			}
			synctest.Wait() // all of them wait for one flight
			want(t, find(t, r, "k1"), nil)
			want(t, find(t, r, "k2"), nil)
			wg.Wait()
		}
		if n := jose.Missing(r); n == 0 || n > 1024 {
			t.Errorf("%d unknown kids are remembered", n)
		}
		wantFetches(t, p, 4)
		// A key that the flood has named before it was published works once it is.
		time.Sleep(31 * time.Second)
		want(t, find(t, r, "k3"), jose.ErrNoKey)
		p.set(jwks(public("k1", ecKey), public("k3", otherKey)), nil)
		time.Sleep(time.Minute)
		want(t, find(t, r, "k3"), nil)
	})
}

// One kid that is not there asks for one fetch in a minute, not in 30 s.
func TestMD06UnknownKidsAreRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey))}
		r := remote(p)
		want(t, find(t, r, "k1"), nil)
		for range 60 {
			time.Sleep(10 * time.Second)
			want(t, find(t, r, "gone"), jose.ErrNoKey)
		}
		if n := p.fetches(); n > 11 {
			t.Errorf("%d fetches in ten minutes, want 11 at most", n)
		}
	})
}

func TestMD06ANewKeyIsFoundWhenItAppears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey))}
		r := remote(p)
		want(t, find(t, r, "k1"), nil)
		time.Sleep(29 * time.Second)
		p.set(jwks(public("k1", ecKey), public("k2", otherKey)), nil)
		want(t, find(t, r, "k2"), jose.ErrNoKey)
		time.Sleep(2 * time.Second)
		want(t, find(t, r, "k2"), nil)
		wantFetches(t, p, 2)
	})
}

func TestMD06J043RemovedKeysLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("old", ecKey), public("new", otherKey))}
		r := remote(p)
		want(t, find(t, r, "old"), nil)
		p.set(jwks(public("new", otherKey)), nil)
		time.Sleep(7 * time.Minute)
		want(t, find(t, r, "old"), nil) // within MaxAge
		wantFetches(t, p, 1)
		time.Sleep(time.Minute)
		_ = find(t, r, "new") // asks ahead of time
		synctest.Wait()
		want(t, find(t, r, "old"), jose.ErrNoKey)
		wantFetches(t, p, 2)
		// Nobody asked for a while: the first who does gets no key that has left.
		p.set(jwks(public("k3", ecKey)), nil)
		time.Sleep(30 * time.Minute)
		want(t, find(t, r, "new"), jose.ErrNoKey)
		want(t, find(t, r, "k3"), nil)
		// The same kid for another key: the old one is gone.
		p.set(jwks(public("k3", otherKey)), nil)
		time.Sleep(30 * time.Minute)
		k, err := r.Key(t.Context(), "k3", jose.ES256)
		if err != nil || !otherKey.PublicKey.Equal(k.Public()) {
			t.Errorf("got %v, %v", k, err)
		}
	})
}

func TestMD06StaleKeysServeForAnHourAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey))}
		r := remote(p)
		want(t, find(t, r, "k1"), nil)
		fetched := r.Status().FetchedAt
		p.set("", errors.New("no route"))
		for time.Sleep(59 * time.Second); time.Since(fetched) < time.Hour; time.Sleep(59 * time.Second) {
			want(t, find(t, r, "k1"), nil)
		}
		want(t, find(t, r, "k1"), jose.ErrKeysUnavailable)
		synctest.Wait()
		time.Sleep(time.Minute)
		// Too old to serve, so everybody waits for the fetch, however slow.
		p.set(jwks(public("k1", ecKey)), nil)
		p.change(func() { p.delay = 10 * time.Second })
		want(t, find(t, r, "k1"), nil)
	})
}

// While a fetch is slow, known keys answer: at once, or, when they are stale,
// after one second in all for everybody.
func TestMD06KnownKeysAnswerDuringASlowFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey))}
		r := remote(p)
		want(t, find(t, r, "k1"), nil)
		p.change(func() { p.delay = 14 * time.Second })
		for _, tc := range []struct{ age, first time.Duration }{
			{time.Minute, 0}, {8 * time.Minute, 0}, {20 * time.Minute, time.Second},
		} {
			time.Sleep(tc.age)
			var wg sync.WaitGroup
			wg.Go(func() { _ = find(t, r, "unknown") })
			synctest.Wait()
			begin := time.Now()
			want(t, find(t, r, "k1"), nil)
			if took := time.Since(begin); took != tc.first {
				t.Errorf("age %s: took %s, want %s", tc.age, took, tc.first)
			}
			begin = time.Now()
			want(t, find(t, r, "k1"), nil)
			if took := time.Since(begin); took != 0 {
				t.Errorf("age %s: the second took %s", tc.age, took)
			}
			wg.Wait()
		}
	})
}

// Without any keys the pause after a failure grows from a second to 30.
func TestColdFailuresAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{err: errors.New("no such host")}
		r := remote(p)
		for range 6000 {
			want(t, find(t, r, "k1"), jose.ErrKeysUnavailable)
			time.Sleep(100 * time.Millisecond)
		}
		if n := p.fetches(); n < 20 || n > 25 {
			t.Errorf("%d fetches in ten minutes", n)
		}
		if n := p.after(4); n != 15*time.Second {
			t.Errorf("the first five came in %s, want 1+2+4+8 s", n)
		}
		p.set(jwks(public("k1", ecKey)), nil)
		time.Sleep(30 * time.Second)
		want(t, find(t, r, "k1"), nil)
	})
}

// What a fetch brings that is no set of keys changes nothing.
func TestJ132NoSetChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good := jwks(public("k1", ecKey))
		p := &publisher{body: good}
		r := remote(p)
		want(t, find(t, r, "k1"), nil)
		for name, change := range map[string]func(){
			"empty set":      func() { p.body = `{"keys":[]}` },
			"no set":         func() { p.body = `{}` },
			"HTML":           func() { p.body = `<html>` },
			"nothing":        func() { p.body = `` },
			"a private key":  func() { p.body = `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"k1"}]}` },
			"useless keys":   func() { p.body = `{"keys":[{"kty":"XYZ","kid":"k1"}]}` },
			"one kid twice":  func() { p.body = jwks(public("k1", ecKey), public("k1", otherKey)) },
			"slower than 15": func() { p.delay = time.Hour },
			"a panic":        func() { p.broken = true },
			"an error":       func() { p.err = errors.New("500") },
		} {
			p.change(func() { p.body, p.err, p.delay, p.broken = good, nil, 0, false })
			time.Sleep(11 * time.Minute)
			want(t, find(t, r, "k1"), nil)
			if s := r.Status(); s.Err != nil {
				t.Fatalf("%s: before: %v", name, s.Err)
			}
			p.change(change)
			time.Sleep(11 * time.Minute)
			want(t, find(t, r, "k1"), nil)
			time.Sleep(15 * time.Second)
			want(t, find(t, r, "k1"), nil)
			if s := r.Status(); s.Err == nil || s.Keys != 1 {
				t.Errorf("%s: status %+v", name, s)
			}
		}
	})
}

// A clock that is set back ends neither the keys nor the fetches.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: jwks(public("k1", ecKey))}
		var back atomic.Int64
		r := must(jose.NewRemoteKeys(jose.RemoteOptions{URL: keysURL, Fetch: p.fetch, Now: func() time.Time {
			return time.Now().Add(-time.Duration(back.Load())).Round(0)
		}}))
		want(t, find(t, r, "k1"), nil)
		back.Store(int64(24 * time.Hour))
		want(t, find(t, r, "k1"), nil)
		p.set(jwks(public("k2", ecKey)), nil)
		time.Sleep(30 * time.Second)
		want(t, find(t, r, "k2"), nil)
		if n := p.fetches(); n > 3 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestRemoteOptions(t *testing.T) {
	t.Parallel()
	p := &publisher{}
	good := jose.RemoteOptions{URL: keysURL, Fetch: p.fetch, Now: clock}
	_ = must(jose.NewRemoteKeys(good))
	for name, change := range map[string]func(*jose.RemoteOptions){
		"no URL": func(o *jose.RemoteOptions) { o.URL = "" }, "a path": func(o *jose.RemoteOptions) { o.URL = "/keys" },
		"no fetch": func(o *jose.RemoteOptions) { o.Fetch = nil }, "no clock": func(o *jose.RemoteOptions) { o.Now = nil },
		"too often": func(o *jose.RemoteOptions) { o.MaxAge = time.Second }, "stale before old": func(o *jose.RemoteOptions) { o.MaxStale = time.Minute },
	} {
		o := good
		change(&o)
		if _, err := jose.NewRemoteKeys(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkRemoteKeys(b *testing.B) {
	p := &publisher{body: jwks(public("k1", ecKey), public("k2", otherKey))}
	r := remote(p)
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Key(ctx, "k1", jose.ES256); err != nil {
				b.Fatal(err)
			}
		}
	})
}
