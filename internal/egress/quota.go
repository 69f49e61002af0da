package egress

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"sallyport/internal/gateway"
)

// Rate is how much may be used in each span of the clock: from one full hour to
// the next, from midnight to midnight in UTC. The zero value is no limit.
type Rate struct {
	Count int64
	Per   time.Duration
}

// Quota is what may be used of a connector. Calls that were sent count, whatever
// came of them: the upstream bills them too.
type Quota struct {
	PerUser Rate  // calls of one person, or of a client that acts for itself
	Total   Rate  // calls of all
	Budget  int64 // what the calls of one person may cost in a day; 0: no limit
}

// Ledger counts what was used. Safe for concurrent use.
type Ledger interface {
	// Spend adds n to an account, unless that would be more than limit. It may be
	// forgotten after until.
	Spend(ctx context.Context, account [32]byte, n, limit int64, until time.Time) (ok bool, err error)
	// Refund takes back n that Spend has added.
	Refund(ctx context.Context, account [32]byte, n int64)
}

func (c *Connector) cost(operation int) int64 {
	return int64(max(1, c.o.Operations[operation].Cost))
}

// charge counts a call before it is sent. refund takes it back.
func (c *Connector) charge(ctx context.Context, by gateway.Caller) (refund func(), no *gateway.Refused) {
	q, now := &c.o.Quota, c.o.Now()
	var done []func()
	refund = func() {
		for _, undo := range done {
			undo()
		}
	}
	day := Rate{q.Budget, 24 * time.Hour}
	for _, part := range [...]struct {
		what, who string
		rate      Rate
		n         int64
		reason    string
	}{
		{"calls", by.Subject, q.PerUser, 1, reasonQuota},
		{"cost", by.Subject, day, c.cost(by.Operation), reasonQuota},
		{"all", "", q.Total, 1, reasonAllQuota},
	} {
		if part.rate.Count == 0 {
			continue
		}
		start := now.UTC().Truncate(part.rate.Per)
		end := start.Add(part.rate.Per)
		account := accountOf(c.o.Name, part.what, part.who, start)
		ok, err := c.o.State.ledger.Spend(ctx, account, part.n, part.rate.Count, end)
		switch {
		case err != nil:
			refund()
			return nil, &gateway.Refused{Answer: gateway.AnswerUnavailable, Reason: reasonNoCount}
		case !ok:
			refund()
			return nil, &gateway.Refused{Answer: gateway.AnswerTooMany, Reason: part.reason, RetryAfter: end.Sub(now)}
		}
		done = append(done, func() { c.o.State.ledger.Refund(context.WithoutCancel(ctx), account, part.n) })
	}
	return refund, nil
}

// accountOf names what is counted together, so that no two lists of parts give
// the same name.
func accountOf(connector, what, who string, start time.Time) (account [32]byte) {
	h := sha256.New()
	for _, part := range [...]string{"egress", connector, what, who} {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		_, _ = h.Write([]byte(part))
	}
	_, _ = h.Write(binary.AppendVarint(nil, start.Unix()))
	h.Sum(account[:0])
	return account
}

// maxAccounts is how many accounts a node keeps in memory, at about 100 bytes
// each. When they are all in use, new ones are refused.
const maxAccounts = 1 << 18

// memoryLedger counts for one node. A restart forgets.
type memoryLedger struct {
	now func() time.Time

	mu       sync.Mutex
	accounts map[[32]byte]*used
	swept    time.Time
}

type used struct {
	n     int64
	until time.Time
}

// Spend implements Ledger.
func (l *memoryLedger) Spend(_ context.Context, account [32]byte, n, limit int64, until time.Time) (bool, error) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) > time.Minute || len(l.accounts) >= maxAccounts {
		l.sweep(now)
	}
	u := l.accounts[account]
	if u == nil {
		if len(l.accounts) >= maxAccounts {
			return false, errFull
		}
		u = &used{until: until}
		l.accounts[account] = u
	}
	if u.n+n > limit {
		return false, nil
	}
	u.n += n
	return true, nil
}

func (l *memoryLedger) sweep(now time.Time) {
	l.swept = now
	for a, u := range l.accounts {
		if !now.Before(u.until) {
			delete(l.accounts, a)
		}
	}
}

// Refund implements Ledger.
func (l *memoryLedger) Refund(_ context.Context, account [32]byte, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u := l.accounts[account]; u != nil {
		u.n -= n
	}
}
