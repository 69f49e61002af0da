package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// memLog is a feed whose reads can be made to fail: the fault that matters.
type memLog struct {
	mu      sync.Mutex
	entries []revocation.Entry
	marks   []string // after each entry
	gone    int64    // up to here marks are forgotten
	onRead  func()   // called by each reading of entries, before it
	fail    error
	hangs   bool // until the context ends
	hint    chan struct{}
}

func (l *memLog) add(e revocation.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq = int64(len(l.entries) + 1)
	l.marks = append(l.marks, secret.NewID(start).String())
	if e.ExpiresAt.IsZero() {
		e.ExpiresAt = start.Add(time.Hour)
	}
	l.entries = append(l.entries, e)
}

func (l *memLog) Entries(_ context.Context, after int64, limit int) ([]revocation.Entry, error) {
	if l.onRead != nil {
		l.onRead()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return nil, l.fail
	}
	var out []revocation.Entry
	for _, e := range l.entries {
		if e.Seq > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (l *memLog) Head(ctx context.Context, at int64) (revocation.Head, error) {
	if l.hangs {
		<-ctx.Done()
		return revocation.Head{}, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	last := int64(len(l.entries))
	h := revocation.Head{Seq: last, Mark: l.markAt(last)}
	if at > l.gone || at == 0 && l.gone == 0 {
		h.MarkAt = l.markAt(min(at, last))
	}
	return h, l.fail
}

func (l *memLog) markAt(seq int64) string {
	if seq == 0 {
		return "before the first"
	}
	return l.marks[seq-1]
}

// back is the feed as a backup or a lagging replica has it.
func (l *memLog) back(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.marks = slices.Clone(l.entries[:n]), slices.Clone(l.marks[:n])
}

func (l *memLog) Hint() <-chan struct{} { return l.hint }

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

func access() *token.Access {
	return &token.Access{
		GrantID: secret.NewID(start), Serial: secret.NewID(start), ClientID: "app", Subject: "ada",
		IssuedAt: start.Unix(), Lifetime: 600,
	}
}

func TestEachKindEndsWhatItNames(t *testing.T) {
	t.Parallel()
	a := access()
	for name, c := range map[string]struct {
		entry revocation.Entry
		dead  bool
	}{
		"grant":                     {revocation.Entry{Kind: revocation.Grant, ID: a.GrantID.String()}, true},
		"another grant":             {revocation.Entry{Kind: revocation.Grant, ID: secret.NewID(start).String()}, false},
		"serial":                    {revocation.Entry{Kind: revocation.Serial, ID: a.Serial.String()}, true},
		"changed":                   {revocation.Entry{Kind: revocation.Changed, ID: "app"}, false},
		"grant with a malformed ID": {revocation.Entry{Kind: revocation.Grant, ID: "x"}, false},
	} {
		log, c0 := &memLog{}, &clock{t: start}
		f := revocation.NewFollower(log, c0.now)
		log.add(c.entry)
		if err := f.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := f.Revoked(a); got != c.dead {
			t.Errorf("%s: Revoked = %v, want %v", name, got, c.dead)
		}
	}
}

// A client's own token has no grant: an entry for the zero ID must not be able
// to end all of them.
func TestZeroGrantIsNobodysGrant(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	log.add(revocation.Entry{Kind: revocation.Grant, ID: secret.ID{}.String()})
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := access()
	a.GrantID = secret.ID{}
	if f.Revoked(a) {
		t.Error("a token without a grant died with the grant of nobody")
	}
}

func TestGW21StaleKnowledgeIsNotFresh(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	for _, tier := range token.Tiers {
		if f.Fresh(tier) {
			t.Errorf("tier %s is fresh before the feed was ever read", tier)
		}
	}
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.fail = errors.New("down")
	for _, step := range []struct {
		after     time.Duration
		low, s, h bool
	}{{time.Second, true, true, true}, {time.Second, true, true, false}, {9 * time.Second, true, false, false}, {50 * time.Second, false, false, false}} {
		c.advance(step.after)
		if err := f.CatchUp(t.Context()); err == nil {
			t.Fatal("a failing read is no error")
		}
		got := fmt.Sprint(f.Fresh(token.TierLow), f.Fresh(token.TierStandard), f.Fresh(token.TierHigh))
		if want := fmt.Sprint(step.low, step.s, step.h); got != want {
			t.Errorf("at age %s fresh = %s, want %s", f.Age(), got, want)
		}
	}
	log.fail = nil
	if err := f.CatchUp(t.Context()); err != nil || !f.Fresh(token.TierHigh) {
		t.Errorf("not fresh after a good read: %v", err)
	}
}

func TestLongFeedsAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	var order []int64
	f.OnEntry(func(e revocation.Entry) { order = append(order, e.Seq) })
	const n = 3500
	for range n {
		log.add(revocation.Entry{Kind: revocation.Grant, ID: secret.NewID(start).String()})
	}
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.Size() != n || len(order) != n || order[0] != 1 || order[n-1] != n {
		t.Errorf("read %d entries, told of %d", f.Size(), len(order))
	}
	c.advance(2 * time.Hour)
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.Size() != 0 {
		t.Errorf("%d entries outlive every token that they could end", f.Size())
	}
}

func TestWatchEndsWithTheToken(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: time.Now()}
	f := revocation.NewFollower(log, c.now)
	a := access()
	a.IssuedAt = time.Now().Unix()
	ctx, stop := f.Watch(t.Context(), a)
	defer stop()
	other := access()
	other.IssuedAt, other.Lifetime = time.Now().Unix(), 1
	short, stopShort := f.Watch(t.Context(), other)
	defer stopShort()
	log.add(revocation.Entry{Kind: revocation.Grant, ID: a.GrantID.String(), ExpiresAt: time.Now().Add(time.Hour)})
	if ctx.Err() != nil {
		t.Fatal("ended before anything was revoked")
	}
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(context.Cause(ctx), revocation.CauseRevoked) {
		t.Errorf("cause %v, want revoked", context.Cause(ctx))
	}
	if errors.Is(context.Cause(short), revocation.CauseRevoked) {
		t.Error("another token's stream ended too")
	}
	<-short.Done()
	if !errors.Is(context.Cause(short), revocation.CauseExpired) {
		t.Errorf("cause %v, want expired", context.Cause(short))
	}
	late, stopLate := f.Watch(t.Context(), a)
	defer stopLate()
	if !errors.Is(context.Cause(late), revocation.CauseRevoked) {
		t.Error("a stream opened after the revocation lives")
	}
}

func TestRunFollowsHintsAndReportsFaults(t *testing.T) {
	t.Parallel()
	log, c := &memLog{hint: make(chan struct{}, 1)}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	reports := make(chan error, 4)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx, func(err error) { reports <- err }) }()
	log.mu.Lock()
	log.fail = errors.New("down")
	log.mu.Unlock()
	if err := <-reports; err == nil {
		t.Error("the fault is not reported")
	}
	log.mu.Lock()
	log.fail = nil
	log.mu.Unlock()
	if err := <-reports; err != nil {
		t.Errorf("the end of the fault is reported as %v", err)
	}
	a := access()
	log.add(revocation.Entry{Kind: revocation.Serial, ID: a.Serial.String()})
	log.hint <- struct{}{}
	for !f.Revoked(a) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
}

// A database that takes connections and says nothing must not look like one
// that has no news.
func TestAHangingReadIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := revocation.NewFollower(&memLog{hangs: true}, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		reports := make(chan error, 1)
		go f.Run(ctx, func(err error) { reports <- err })
		select {
		case err := <-reports:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("reported %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("nobody hears that the feed hangs")
		}
	})
}
