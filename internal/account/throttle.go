package account

import (
	"context"
	"net/netip"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
)

// slowDown is the most that an attempt is delayed when its account is being
// guessed at from many places.
const slowDown = 2 * time.Second

// attempt is what a sign-in has spent in advance, so that parallel attempts
// cannot be more than the limits allow. A success takes it back.
type attempt struct {
	limits *ratelimit.Table
	spent  []spending
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
// the account from everywhere, only delays, by at most two seconds: a guess
// costs a botnet more time, and the person with the right password gets in.
// NIST SP 800-63B-4 §3.2.2 has at most 100 consecutive failures for an
// account; we hold that for each address and not over all of them, because a
// stop for all would be a lock-out that a stranger can cause (AU04).
//
// Names are counted alike whether somebody has them or not.
func (s *Service) begin(ctx context.Context, name string, remote netip.Addr) (*attempt, error) {
	now := s.now()
	address := ratelimit.Address(remote)
	a := &attempt{limits: s.limits}
	for _, l := range []spending{
		{ratelimit.LoginNetwork, ratelimit.Network(remote)},
		{ratelimit.LoginAddress, address},
		{ratelimit.LoginPair, ratelimit.Key(name, address)},
	} {
		ok, retryAfter := s.limits.Allow(now, l.name, l.key)
		if !ok {
			a.refund()
			note(ctx, audit.LoginThrottled, "", string(l.name))
			return nil, &ThrottledError{RetryAfter: retryAfter}
		}
		a.spent = append(a.spent, l)
	}
	account := spending{ratelimit.LoginAccount, name}
	ok, retryAfter := s.limits.Allow(now, account.name, account.key)
	if ok {
		a.spent = append(a.spent, account)
		return a, nil
	}
	note(ctx, audit.LoginThrottled, "", string(account.name))
	if !pause(ctx, min(retryAfter, slowDown)) {
		a.refund()
		return nil, ErrBusy
	}
	return a, nil
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
