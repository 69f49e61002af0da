package account

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
)

const (
	// accountFree failures of an account cost nothing; then an attempt waits for a
	// second, and for twice as long after each further accountStep of them.
	accountFree = 20
	accountStep = 20
	// slowest is the most that an attempt waits.
	slowest = 8 * time.Second
	// guessed is how many failures of an account from everywhere make a password
	// alone, from an unknown browser, too little (NIST SP 800-63B-4 §3.2.2).
	guessed = 100
)

// attempt is what a sign-in has spent in advance, so that parallel attempts
// cannot be more than the limits allow. A success takes it back.
type attempt struct {
	limits   *ratelimit.Table
	spent    []spending
	failures int // of the account from everywhere, before this attempt
}

type spending struct {
	name ratelimit.Name
	key  string
}

func (a *attempt) refund() {
	for _, s := range a.spent {
		a.limits.Refund(s.name, s.key)
	}
	a.spent = nil
}

// begin asks the limits before any work is done.
//
// Three of them refuse: failures of this account from this address, of this
// address and of this network for all accounts. None of them can be used up
// from elsewhere, so nobody can lock a person out from afar. The fourth, for
// the account from everywhere, delays: the more failures, the longer, by eight
// seconds at most. A guess costs a botnet more time, and the person with the right
// password gets in.
//
// A browser in which this person has signed in before passes all four, ten times,
// by a count of its own: neither a neighbour nor a botnet slows a person on their
// own devices (device cookies, OWASP Authentication Cheat Sheet).
//
// NIST SP 800-63B-4 §3.2.2 has a password disabled after 100 consecutive failures.
// Turning it off would be a lock-out that a stranger can cause (AU04), so here it
// counts no more by itself: see danger and docs/adr/0030.
//
// Names are counted alike whether somebody has them or not.
func (s *Service) begin(ctx context.Context, v *Visit, name string) (*attempt, error) {
	now := s.now()
	a := &attempt{limits: s.limits}
	limit, wait, ok := s.spend(now, a, name, v.Remote)
	if ok && wait == 0 {
		return a, nil
	}
	own, err := s.byOwnCount(ctx, now, v, name)
	if err != nil || own != nil {
		a.refund()
		return own, err
	}
	note(ctx, audit.LoginThrottled, "", string(limit))
	if !ok {
		a.refund()
		return nil, &ThrottledError{RetryAfter: wait}
	}
	if !pause(ctx, wait) {
		a.refund()
		return nil, ErrBusy
	}
	return a, nil
}

// take spends one from each of list. If one of them refuses, it says which and for
// how long; what was spent before it is in a.
func (a *attempt) take(now time.Time, list ...spending) (limit ratelimit.Name, wait time.Duration, ok bool) {
	for _, l := range list {
		allowed, retryAfter := a.limits.Allow(now, l.name, l.key)
		if !allowed {
			return l.name, retryAfter, false
		}
		a.spent = append(a.spent, l)
	}
	return "", 0, true
}

// spendAll is an attempt that each of list allows, or *ThrottledError, which is noted
// of the person if they are known.
func (s *Service) spendAll(ctx context.Context, userID string, list ...spending) (*attempt, error) {
	a := &attempt{limits: s.limits}
	if limit, wait, ok := a.take(s.now(), list...); !ok {
		a.refund()
		note(ctx, audit.LoginThrottled, userID, string(limit))
		return nil, &ThrottledError{RetryAfter: wait}
	}
	return a, nil
}

// spend takes one attempt from each limit. ok: none refuses, and the attempt waits.
// Otherwise wait is how long until limit allows one.
func (s *Service) spend(now time.Time, a *attempt, name string, remote netip.Addr) (limit ratelimit.Name, wait time.Duration, ok bool) {
	address := ratelimit.Address(remote)
	limit, wait, ok = a.take(
		now,
		spending{ratelimit.LoginNetwork, ratelimit.Network(remote)},
		spending{ratelimit.LoginAddress, address},
		spending{ratelimit.LoginPair, ratelimit.Key(name, address)},
	)
	if !ok {
		return limit, wait, false
	}
	a.failures = s.limits.Level(now, ratelimit.LoginAccount, name)
	wait = slowness(a.failures)
	if allowed, _ := s.limits.Allow(now, ratelimit.LoginAccount, name); allowed {
		a.spent = append(a.spent, spending{ratelimit.LoginAccount, name})
	}
	return ratelimit.LoginAccount, wait, true
}

// slowness is how long an attempt waits after that many failures of its account.
func slowness(failures int) time.Duration {
	if failures < accountFree {
		return 0
	}
	return min(time.Second<<min((failures-accountFree)/accountStep, 30), slowest)
}

// byOwnCount lets an attempt pass by the count of its browser; nil: the browser is
// not known for the person, or has used its count up.
func (s *Service) byOwnCount(ctx context.Context, now time.Time, v *Visit, name string) (*attempt, error) {
	known, err := s.knows(ctx, now, v, name)
	if err != nil || !known {
		return nil, err
	}
	l := spending{ratelimit.LoginBrowser, ratelimit.Key(name, mark(v.Browser))}
	if ok, _ := s.limits.Allow(now, l.name, l.key); !ok {
		return nil, nil //nolint:nilnil // no attempt is the answer
	}
	return &attempt{limits: s.limits, spent: []spending{l}}, nil
}

// knows reports whether the person of a name has signed in from this browser. It
// asks the store, and no more often than the limit says: beyond it no browser is
// known.
func (s *Service) knows(ctx context.Context, now time.Time, v *Visit, name string) (bool, error) {
	if v.Browser.IsZero() {
		return false, nil
	}
	if ok, _ := s.limits.Allow(now, ratelimit.LoginKnown, ratelimit.Network(v.Remote)); !ok {
		return false, nil
	}
	known, err := s.store.BrowserKnown(ctx, name, mark(v.Browser))
	if err != nil {
		return false, fmt.Errorf("find browser: %w", err)
	}
	return known, nil
}

// pause reports false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func note(ctx context.Context, name audit.Name, userID, reason string) {
	audit.FromContext(ctx).Add(audit.Event{Name: name, Subject: userID, Reason: reason})
}
