package egress

import (
	"sync"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/ratelimit"
)

// Quota is how much may be asked of a connector. What is zero is not bounded.
type Quota struct {
	PerUser ratelimit.Limit // calls of one person or client; Name does not count
	Total   ratelimit.Limit // calls of all together
	Budget  int             // cost that one person or client may cause in a day (UTC)
}

// Meter counts what a connector was used for. It outlives configurations: Adopt gives it
// another quota and forgets nothing of the day. Each node counts for itself. Safe for
// concurrent use.
type Meter struct {
	told func(gateway.Caller) // that a credential came back

	mu    sync.Mutex
	quota Quota
	table *ratelimit.Table
	day   int64
	spent map[string]int
}

// maxSpenders is how many callers a day are remembered. Who is one too many is refused:
// forgetting would give away what was used up.
const maxSpenders = 1 << 20

const (
	perUser ratelimit.Name = "per_user"
	total   ratelimit.Name = "total"
)

// NewMeter returns a Meter. told hears of each answer that had a credential in it.
func NewMeter(told func(gateway.Caller)) *Meter { return &Meter{told: told, spent: map[string]int{}} }

// Adopt makes q the quota from now on.
func (m *Meter) Adopt(q Quota) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.table != nil && q == m.quota {
		return
	}
	m.quota = q
	var limits []ratelimit.Limit
	for name, l := range map[ratelimit.Name]ratelimit.Limit{perUser: q.PerUser, total: q.Total} {
		if l.Burst > 0 {
			l.Name = name
			limits = append(limits, l)
		}
	}
	m.table = ratelimit.New(ratelimit.Options{Limits: append(limits, ratelimit.Limit{Name: "none", Burst: 1, Every: time.Second})})
}

// spend takes one call and its cost, or neither.
func (m *Meter) spend(now time.Time, subject string, cost int) *gateway.Refused {
	m.mu.Lock()
	defer m.mu.Unlock()
	cost = max(1, cost)
	const day = 24 * 60 * 60
	if today := now.Unix() / day; today != m.day {
		m.day, m.spent = today, map[string]int{}
	}
	tooMany := func(reason string, after time.Duration) *gateway.Refused {
		return &gateway.Refused{Answer: gateway.AnswerTooMany, Reason: reason, RetryAfter: after}
	}
	if m.quota.Budget > 0 {
		used, known := m.spent[subject]
		midnight := time.Unix((m.day+1)*day, 0).Sub(now)
		if used+cost > m.quota.Budget || !known && len(m.spent) >= maxSpenders {
			return tooMany("egress_budget", midnight)
		}
	}
	if m.quota.PerUser.Burst > 0 {
		if ok, after := m.table.Allow(now, perUser, subject); !ok {
			return tooMany("egress_quota_user", after)
		}
	}
	if m.quota.Total.Burst > 0 {
		if ok, after := m.table.Allow(now, total, ""); !ok {
			if m.quota.PerUser.Burst > 0 {
				m.table.Refund(perUser, subject)
			}
			return tooMany("egress_quota_total", after)
		}
	}
	if m.quota.Budget > 0 {
		m.spent[subject] += cost
	}
	return nil
}

func (m *Meter) echo(by gateway.Caller) {
	if m.told != nil {
		m.told(by)
	}
}
