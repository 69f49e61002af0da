package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func rate(t testing.TB, s string) ratelimit.Rate {
	t.Helper()
	r, err := ratelimit.ParseRate(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func withLimits(l gateway.Limits) change {
	return func(o *gateway.Options) { o.APIs[0].Limits = l }
}

func sub(v string) func(*token.Access)    { return func(a *token.Access) { a.Subject = v } }
func client(v string) func(*token.Access) { return func(a *token.Access) { a.ClientID = v } }

func TestGW23LimitsCountWhoCalls(t *testing.T) {
	t.Parallel()
	install := secret.NewID(time.Now())
	installed := func(a *token.Access) { a.InstallID = install }
	for _, tt := range []struct {
		name   string
		limits func(ratelimit.Rate) gateway.Limits
		same   []func(*token.Access) // another token that is counted with the first
		other  []func(*token.Access) // and one that is not; nil: there is none
		reason string
	}{
		{"many tokens and apps of one person are one", func(r ratelimit.Rate) gateway.Limits { return gateway.Limits{PerUser: r} }, []func(*token.Access){client("other-app")}, []func(*token.Access){sub("u2")}, "limit_user"},
		{"all people with one app are one", func(r ratelimit.Rate) gateway.Limits { return gateway.Limits{PerClient: r} }, []func(*token.Access){sub("u2")}, []func(*token.Access){client("other-app")}, "limit_client"},
		{"an installation is one", func(r ratelimit.Rate) gateway.Limits { return gateway.Limits{PerInstall: r} }, []func(*token.Access){installed, sub("u2")}, []func(*token.Access){}, "limit_install"},
		{"an address is one", func(r ratelimit.Rate) gateway.Limits { return gateway.Limits{PerAddress: r} }, []func(*token.Access){client("other-app"), sub("u2")}, nil, "limit_address"},
		{"everybody is one", func(r ratelimit.Rate) gateway.Limits { return gateway.Limits{Total: r} }, []func(*token.Access){client("other-app"), sub("u2")}, nil, "limit_total"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil, withLimits(tt.limits(rate(t, "60/h burst 2"))))
			f.stopped = time.Now()
			for i := range 2 {
				if got := f.get("/catalog/items/1", f.bearer(installed)); got.Status != 200 {
					t.Fatalf("call %d: %d %s", i, got.Status, got.Body)
				}
			}
			f.taken()
			got := f.get("/catalog/items/1", f.bearer(tt.same...))
			if got.Status != 429 || got.Code != "too_many_requests" || got.Header.Get("Retry-After") != "60" {
				t.Errorf("the third: %d %s, Retry-After %q; want 429 and 60", got.Status, got.Code, got.Header.Get("Retry-After"))
			}
			if n := len(f.taken()); n != 0 {
				t.Errorf("the backend saw %d of the refused", n)
			}
			if r := f.reasons(); len(r) != 1 || r[0] != "request.refused "+tt.reason {
				t.Errorf("recorded %q", r)
			}
			if tt.other != nil {
				if got := f.get("/catalog/items/1", f.bearer(tt.other...)); got.Status != 200 {
					t.Errorf("somebody else: %d %s", got.Status, got.Body)
				}
			}
			f.ahead.Add(int64(time.Minute))
			f.catchUp()
			if got := f.get("/catalog/items/1", f.bearer(tt.same...)); got.Status != 200 {
				t.Errorf("after the wait: %d %s", got.Status, got.Body)
			}
		})
	}
}

func TestGW23AnOperationHasLimitsBesideThoseOfItsAPI(t *testing.T) {
	t.Parallel()
	ops := operations()
	ops[0].Limits.PerUser = rate(t, "60/h burst 1")
	f := newFixture(t, nil, withOperations(ops...), withLimits(gateway.Limits{PerUser: rate(t, "60/h burst 3")}))
	f.stopped = time.Now()
	for i, want := range []int{200, 429, 429} {
		if got := f.get("/catalog/items/1", f.bearer()); got.Status != want {
			t.Errorf("call %d: %d, want %d", i, got.Status, want)
		}
	}
	for i, want := range []int{200, 200, 429} { // what was refused was given back
		if got := f.get("/catalog/recent", f.bearer()); got.Status != want {
			t.Errorf("call %d of another operation: %d, want %d", i, got.Status, want)
		}
	}
}

func TestGW23StrangersSpendNothingOfOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, withLimits(gateway.Limits{PerUser: rate(t, "60/h burst 2"), Total: rate(t, "60/h burst 2")}))
	for _, auth := range []string{"", "Bearer nonsense", f.bearer(func(a *token.Access) { a.Audience = "https://other.example" }), f.bearer(func(a *token.Access) { a.Scope = "openid" })} {
		for range 5 {
			if got := f.get("/catalog/items/1", auth); got.Status == 200 || got.Status == 429 {
				t.Errorf("%.20q: %d", auth, got.Status)
			}
		}
	}
	if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 || !strings.Contains(got.Header.Get("RateLimit"), ";r=1;") {
		t.Errorf("after them: %d, RateLimit %q", got.Status, got.Header.Get("RateLimit"))
	}
}

func TestRateLimitFieldsSayWhatIsNearest(t *testing.T) {
	t.Parallel()
	backend := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("RateLimit", `"theirs";r=1;t=1`) }
	f := newFixture(t, backend, withLimits(gateway.Limits{PerUser: rate(t, "60/m burst 5"), PerClient: rate(t, "100/s"), Total: rate(t, "1000/s")}))
	f.stopped = time.Now()
	got := f.get("/catalog/items/1", f.bearer())
	if v := got.Header.Values("RateLimit-Policy"); len(v) != 1 || v[0] != `"user";q=5;w=5, "client";q=100;w=1, "total";q=1000;w=1` {
		t.Errorf("RateLimit-Policy %q", v)
	}
	if v := got.Header.Values("RateLimit"); len(v) != 1 || v[0] != `"user";r=4;t=1` {
		t.Errorf("RateLimit %q", v)
	}
	field := regexp.MustCompile(`^"[a-z-]+";r=\d+;t=\d+$`) // a structured field: an item with parameters (RFC 9651)
	for range 5 {
		got = f.get("/catalog/items/1", f.bearer())
		if !field.MatchString(got.Header.Get("RateLimit")) {
			t.Errorf("RateLimit %q", got.Header.Get("RateLimit"))
		}
	}
	if v := got.Header.Get("RateLimit"); got.Status != 429 || v != `"user";r=0;t=1` {
		t.Errorf("refused: %d, RateLimit %q", got.Status, v)
	}
	if plain := newFixture(t, nil).get("/catalog/items/1", f.bearer()); plain.Header.Get("RateLimit") != "" {
		t.Error("an API without limits tells of some")
	}
}

func TestGW23AddressesThatGuessTokensAreStopped(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) { o.Failures = rate(t, "60/h burst 3") })
	f.stopped = time.Now()
	expired := f.bearer(func(a *token.Access) { a.IssuedAt -= 3600 })
	for range 10 { // neither is a guess
		f.get("/catalog/items/1", "")
		f.get("/catalog/items/1", expired)
	}
	for i, want := range []int{401, 401, 401, 429} {
		got := f.get("/catalog/items/1", "Bearer sp_at_guess")
		if got.Status != want {
			t.Errorf("guess %d: %d, want %d", i, got.Status, want)
		}
		if want == 429 && got.Header.Get("Retry-After") != "60" {
			t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
		}
	}
	f.ahead.Add(int64(time.Minute))
	f.catchUp()
	if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
		t.Errorf("a good token a minute later: %d", got.Status)
	}
}

// holding is a backend that keeps calls until it is let go.
func holding(t testing.TB) (backend http.HandlerFunc, arrived *atomic.Int64, release func()) {
	t.Helper()
	gate, arrived := make(chan struct{}), &atomic.Int64{}
	var once sync.Once
	release = func() { once.Do(func() { close(gate) }) }
	t.Cleanup(release)
	return func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		select {
		case <-gate:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "done")
	}, arrived, release
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

func TestCallsAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		set    change
		status int
		other  int // for another person
		reason string
	}{
		{"of an API", withLimits(gateway.Limits{Concurrency: 3}), 503, 503, "concurrency"},
		{"of a person", withLimits(gateway.Limits{ConcurrencyPerUser: 3}), 429, 200, "concurrency_user"},
		{"of the gateway", func(o *gateway.Options) { o.Concurrency = 3 }, 503, 503, "gateway_full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			backend, arrived, release := holding(t)
			f := newFixture(t, backend, tt.set)
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
						t.Errorf("one of three: %d", got.Status)
					}
				})
			}
			until(t, "three calls arrive", func() bool { return arrived.Load() == 3 })
			got := f.get("/catalog/items/1", f.bearer())
			if got.Status != tt.status || got.Header.Get("Retry-After") == "" {
				t.Errorf("the fourth: %d, Retry-After %q; want %d", got.Status, got.Header.Get("Retry-After"), tt.status)
			}
			if r := f.reasons(); len(r) != 1 || r[0] != "request.refused "+tt.reason {
				t.Errorf("recorded %q", r)
			}
			if tt.other == 200 {
				all.Go(func() {
					if got := f.get("/catalog/items/1", f.bearer(sub("u2"))); got.Status != 200 {
						t.Errorf("somebody else: %d", got.Status)
					}
				})
				until(t, "somebody else's call arrives", func() bool { return arrived.Load() == 4 })
			}
			release()
			all.Wait()
			for range 4 { // all seats are free again
				if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
					t.Errorf("afterwards: %d %s", got.Status, got.Body)
				}
			}
		})
	}
}

func TestStreamsAreCountedApartFromCalls(t *testing.T) {
	t.Parallel()
	backend := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/recent" {
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	f := newFixture(t, backend, withLimits(gateway.Limits{Concurrency: 1, ConcurrencyPerUser: 1, StreamsPerUser: 2}))
	open := func() *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), "GET", f.front.URL+"/catalog/recent", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", f.bearer())
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	first := open()
	for i, want := range []int{200, 429} {
		if got := open(); got.StatusCode != want {
			t.Errorf("stream %d: %d, want %d", i+2, got.StatusCode, want)
		}
	}
	if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
		t.Errorf("a call beside two streams: %d", got.Status)
	}
	_ = first.Body.Close()
	until(t, "a stream that has ended is counted no more", func() bool {
		res := open()
		_ = res.Body.Close()
		return res.StatusCode == 200
	})
}

func TestLimitsOutliveAChangeOfTheConfiguration(t *testing.T) {
	t.Parallel()
	state := gateway.NewState()
	f := newFixture(t, nil, withLimits(gateway.Limits{PerUser: rate(t, "60/h burst 1")}), func(o *gateway.Options) { o.State = state })
	if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
		t.Fatalf("%d", got.Status)
	}
	for i, burst := range []string{"60/h burst 1", "120/h burst 1"} {
		again := newFixture(t, nil, withLimits(gateway.Limits{PerUser: rate(t, burst)}), func(o *gateway.Options) { o.State = state })
		again.gateway.TakeOver()
		if got := again.get("/catalog/items/1", again.bearer()); got.Status != 429 {
			t.Errorf("configuration %d: %d, want 429", i, got.Status)
		}
	}
}

func TestGW23AHundredTokensOfOnePersonAtOnceAreOnePerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, withLimits(gateway.Limits{PerUser: rate(t, "60/h burst 10")}))
	f.stopped = time.Now()
	var ok atomic.Int64
	var all sync.WaitGroup
	for i := range 100 {
		bearer := f.bearer(client(fmt.Sprintf("app-%d", i)))
		all.Go(func() {
			if f.get("/catalog/items/1", bearer).Status == 200 {
				ok.Add(1)
			}
		})
	}
	all.Wait()
	if ok.Load() != 10 || len(f.taken()) != 10 {
		t.Errorf("%d of 100 passed, want 10", ok.Load())
	}
}
