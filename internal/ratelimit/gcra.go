package ratelimit

import "time"

// cell is a bucket as one number, by the generic cell rate algorithm (ITU-T
// I.371, virtual scheduling): the moment, in Unix nanoseconds, at which the
// bucket is full again. A moment that has passed is a full bucket, which is
// the same as no cell at all.
type cell = int64

// rule is a Limit in nanoseconds.
type rule struct {
	every int64 // one event costs this much
	depth int64 // and a bucket holds this much
}

func newRule(l Limit) rule {
	return rule{every: int64(l.Every), depth: int64(l.Every) * int64(l.Burst)}
}

// spend returns the cell after one more event at now, and whether that event
// is within the limit; if not, wait is how long until it would be.
func (r rule) spend(c cell, now int64) (after cell, ok bool, wait time.Duration) {
	// A clock that was set back must not lock anybody out for longer than an
	// empty bucket needs to fill.
	c = min(max(c, now), now+r.depth)
	after = c + r.every
	if over := after - (now + r.depth); over > 0 {
		return c, false, time.Duration(over)
	}
	return after, true, 0
}

// refund returns the cell without one event that was spent.
func (r rule) refund(c cell) cell { return c - r.every }
