package jose

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errEmptySet says that a set has no key of use: an issuer that signs has one,
// so this is a fault of its server and not the end of all its keys.
var errEmptySet = errors.New("the key set has no key that can be used")

// flight is one fetch and those who wait for it. err is set before done is
// closed.
type flight struct {
	begun time.Time
	done  chan struct{}
	err   error
}

// wait returns when the flight has ended, or after limit since its begin
// (0: no limit), or with the error of ctx; the flight goes on.
func (f *flight) wait(ctx context.Context, now time.Time, limit time.Duration) error {
	var late <-chan time.Time
	if limit > 0 {
		rest := limit - now.Sub(f.begun)
		if rest <= 0 {
			return nil
		}
		timer := time.NewTimer(min(rest, limit))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-f.done:
		return nil
	case <-late:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin returns the flight that is under way, or begins one; nil if it is too
// early for that. It takes no lock unless it begins one.
func (r *RemoteKeys) begin(ctx context.Context, now time.Time) *flight {
	if f := r.flight.Load(); f != nil {
		return f
	}
	if r.tooEarly(now) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flight.Load(); f != nil || r.tooEarly(now) {
		return f
	}
	f := &flight{begun: now, done: make(chan struct{})}
	r.next.Store(now.Add(refetchEvery).UnixNano())
	r.status.Fetches++
	r.flight.Store(f)
	go r.fly(context.WithoutCancel(ctx), f) // for everybody, so it ends with no caller
	return f
}

// tooEarly holds the rule of one fetch in 30 s. A clock that was set back does
// not make it longer.
func (r *RemoteKeys) tooEarly(now time.Time) bool {
	rest := r.next.Load() - now.UnixNano()
	return rest > 0 && rest <= int64(refetchEvery)
}

// fly fetches for everybody who waits for f.
func (r *RemoteKeys) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	set, err := r.load(ctx)
	r.mu.Lock()
	if f.err, r.status.Err = err, err; err == nil {
		r.good.Store(&fetched{set, f.begun})
		r.row = 0
	} else {
		r.fail()
	}
	r.flight.Store(nil)
	r.mu.Unlock()
	close(f.done)
}

// fail notes a failure. Without any keys the next attempt may come sooner,
// since nobody can be served until then.
func (r *RemoteKeys) fail() {
	r.status.Failures++
	if r.good.Load() == nil {
		pause := min(firstRetry<<min(r.row, 10), refetchEvery)
		r.next.Store(r.o.Now().Add(pause).UnixNano())
	}
	r.row++
}

// load fetches and reads a set. A panic in here would end the process, and
// what is read comes from outside.
func (r *RemoteKeys) load(ctx context.Context) (set *KeySet, err error) {
	defer func() {
		if p := recover(); p != nil {
			set, err = nil, fmt.Errorf("read keys: panic: %v", p)
		}
	}()
	body, err := r.o.Fetch(ctx, r.o.URL)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	if set, err = ParseKeySet(body); err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if len(set.keys) == 0 {
		return nil, errEmptySet
	}
	return set, nil
}
