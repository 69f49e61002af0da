package egress_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/egress"
)

func (h *house) as(subject, target string) answer {
	h.t.Helper()
	return h.send("GET", target, "", http.Header{"Authorization": {"Bearer " + h.token(subject)}})
}

const (
	geocode = "/egress/maps/v1/geocode" // costs 3
	place   = "/egress/maps/v1/places/1"
)

func (h *house) atFullHour() {
	noon := h.now().UTC().Truncate(24 * time.Hour).Add(36 * time.Hour)
	h.advance(noon.Sub(h.now()))
}

func TestEG04QuotasOfEachAndOfAll(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{change: func(o *egress.Options) {
		o.Quota = egress.Quota{PerUser: egress.Rate{Count: 2, Per: time.Hour}, Total: egress.Rate{Count: 5, Per: time.Hour}}
	}})
	h.atFullHour()
	for i, want := range []struct {
		who    string
		status int
	}{{"ada", 200}, {"ada", 200}, {"ada", 429}, {"bob", 200}, {"ada", 429}, {"bob", 200}, {"bob", 429}, {"eve", 200}, {"eve", 429}, {"mal", 429}} {
		a := h.as(want.who, place)
		if a.Status != want.status {
			t.Fatalf("call %d by %s: %d %s", i, want.who, a.Status, h.events())
		}
		if s, _ := strconv.Atoi(a.Header.Get("Retry-After")); a.Status == 429 && (s < 3590 || s > 3600) {
			t.Errorf("Retry-After: %q", a.Header.Get("Retry-After"))
		}
	}
	if n := len(h.taken()); n != 5 {
		t.Errorf("%d calls reached the upstream", n)
	}
	h.advance(time.Hour)
	// eve was refused for all's sake at her second call: it did not count against her.
	for range 2 {
		if a := h.as("eve", place); a.Status != 200 {
			t.Errorf("an hour later: %d %s", a.Status, h.events())
		}
	}
}

func TestEG04ABudgetOfCosts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{change: func(o *egress.Options) { o.Quota.Budget = 7 }})
	h.atFullHour()
	for i, want := range []struct {
		target string
		status int
	}{{geocode, 200}, {geocode, 200}, {geocode, 429}, {place, 200}, {place, 429}} {
		if a := h.as("ada", want.target); a.Status != want.status {
			t.Errorf("call %d: %d", i, a.Status)
		}
	}
	if a := h.as("bob", geocode); a.Status != 200 {
		t.Errorf("somebody else: %d", a.Status)
	}
	h.advance(12 * time.Hour)
	if a := h.as("ada", geocode); a.Status != 200 {
		t.Errorf("the next day: %d %s", a.Status, h.events())
	}
}

func TestEG04ManyAtOnceHaveNoMore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{change: func(o *egress.Options) { o.Quota.PerUser = egress.Rate{Count: 9, Per: 24 * time.Hour} }})
	h.atFullHour()
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 3 {
				if h.as("ada", place).Status == 200 {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != 9 {
		t.Errorf("%d calls passed, want 9", passed.Load())
	}
}

func TestEG04ACallThatIsRefusedBeforeCostsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{change: func(o *egress.Options) { o.Quota.PerUser = egress.Rate{Count: 1, Per: time.Hour} }})
	h.atFullHour()
	for _, target := range []string{geocode + "?x=1", "/egress/maps/v1/none", geocode + "?address=%zz"} {
		if a := h.as("ada", target); a.Status == 200 || a.Status == 429 {
			t.Errorf("%s: %d", target, a.Status)
		}
	}
	if a := h.as("ada", geocode); a.Status != 200 {
		t.Errorf("%d %s", a.Status, h.events())
	}
}

type brokenLedger struct{}

func (brokenLedger) Spend(context.Context, [32]byte, int64, int64, time.Time) (bool, error) {
	return false, errors.New("gone")
}
func (brokenLedger) Refund(context.Context, [32]byte, int64) {}

func TestEG04NobodyCallsWhenNobodyCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{ledger: brokenLedger{}, change: func(o *egress.Options) { o.Quota.Budget = 100 }})
	if a := h.as("ada", place); a.Status != 503 || len(h.taken()) != 0 {
		t.Errorf("%d %s", a.Status, h.events())
	}
}

func TestEG09AnAnswerIsKeptForOnePerson(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	h := newHouse(t, setup{
		answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Query().Get("address") == "private" {
				w.Header().Set("Cache-Control", "no-store")
			}
			if r.URL.Query().Get("address") == "echo" {
				_, _ = w.Write([]byte(key))
			}
			_, _ = w.Write([]byte(strconv.FormatInt(n.Add(1), 10)))
		},
		change: func(o *egress.Options) { o.CacheFor = time.Minute; o.Quota.Budget = 100 },
	})
	for i, tt := range []struct {
		who, target, body, age string
		later                  time.Duration
	}{
		{"ada", geocode + "?address=a", "1", "", 0},
		{"ada", geocode + "?address=a", "1", "30", 30 * time.Second},
		{"bob", geocode + "?address=a", "2", "", 0},
		{"ada", geocode + "?address=b", "3", "", 0},
		{"ada", geocode + "?address=a", "4", "", 30 * time.Second},
		{"ada", geocode + "?address=private", "5", "", 0},
		{"ada", geocode + "?address=private", "6", "", 0},
	} {
		h.advance(tt.later)
		if a := h.as(tt.who, tt.target); a.Status != 200 || a.Body != tt.body || a.Header.Get("Age") != tt.age || a.Header.Get("Cache-Control") == "public" {
			t.Errorf("call %d: %d %s, Age %q, want %s, Age %q", i, a.Status, a.Body, a.Header.Get("Age"), tt.body, tt.age)
		}
	}
	for range 2 {
		if a := h.as("ada", geocode+"?address=echo"); a.Header.Get("Age") != "" {
			t.Error("an answer with an echo is kept")
		}
	}
	if a := h.send("GET", geocode+"?address=a", "", http.Header{"Authorization": nil}); a.Status != 401 {
		t.Errorf("a stranger: %d", a.Status)
	}
}
