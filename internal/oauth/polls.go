package oauth

import (
	"sync"
	"time"

	"sallyport/internal/secret"
)

// polls remembers how fast clients ask for what nobody has decided yet. It is in
// the memory of one node: a poll is a read, so a client that asks two nodes in
// turn gains nothing but more answers that say "not yet". Bounded; safe for
// concurrent use.
type polls struct {
	mu   sync.Mutex
	last map[secret.ID]poll
}

type poll struct {
	at, until time.Time
	interval  time.Duration
}

// maxPolls bounds the memory to some 10 MB. Past it, those that have ended are
// forgotten, and then all: a client that polls too fast is then told later.
const maxPolls = 100_000

// pollEarly is what a client may be early: networks are not even.
const pollEarly = 250 * time.Millisecond

// tooSoon notes a poll and reports whether it came too soon. Then the interval
// grows by five seconds, for this and all later ones (RFC 8628 §3.5).
func (p *polls) tooSoon(id secret.ID, until, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.last[id]
	if !known {
		p.makeRoom(now)
		p.last[id] = poll{now, until, pollInterval}
		return false
	}
	early := now.Sub(before.at) < before.interval-pollEarly
	before.at = now
	if early {
		before.interval += pollInterval
	}
	p.last[id] = before
	return early
}

func (p *polls) makeRoom(now time.Time) {
	if p.last == nil {
		p.last = map[secret.ID]poll{}
	}
	if len(p.last) < maxPolls {
		return
	}
	for id, x := range p.last {
		if !now.Before(x.until) {
			delete(p.last, id)
		}
	}
	if len(p.last) >= maxPolls {
		clear(p.last)
	}
}
