package gateway

import (
	"net/http"
	"time"
)

// Meters counts calls. Safe for concurrent use.
type Meters interface {
	// Operation returns what counts the calls of one operation, "none" for those
	// that fit none of the API. It is asked when the policy is compiled.
	Operation(api, operation string) Meter
}

// Meter counts the calls of an operation. Safe for concurrent use.
type Meter interface {
	// Answered is told of each call: the status that the client got, 0 for none.
	Answered(status int)
	// Refused is told why the gateway itself answered: one of a fixed set of words.
	Refused(reason string)
	// Upstream is told how long it took until the upstream began to answer.
	Upstream(time.Duration)
}

// noOperation stands for the operation of calls that fit none.
const noOperation = "none"

// measure counts a call that has ended.
func (c *call) measure(no refusal) {
	var m Meter
	switch {
	case c.op != nil:
		m = c.op.meter
	case c.api != nil:
		m = c.api.meter
	}
	if m == nil {
		return
	}
	status := c.w.status
	if status == 0 && c.res != nil {
		status = c.res.StatusCode // 101, written by whoever took the connection
	}
	m.Answered(status)
	switch {
	case c.cut:
		m.Refused(cutOff)
	case no.refused():
		m.Refused(no.reason)
	}
}

// cutOff is the reason of answers that ended in their middle: the upstream or the
// client left, or a stream was ended.
const cutOff = "cut_off"

// exchange asks the upstream, measures how long it takes to begin, and follows it.
func (c *call) exchange(out *http.Request) (*http.Response, error) {
	c.sent = true
	m, span := c.op.meter, c.follow(out)
	if m == nil && span == nil {
		return c.api.transport.RoundTrip(out)
	}
	start := c.g.now()
	res, err := c.api.transport.RoundTrip(out)
	if m != nil && err == nil {
		m.Upstream(c.g.now().Sub(start))
	}
	followed(span, res, err)
	return res, err
}

// Streams is how many answers and upgraded connections are being watched.
func (s *State) Streams() int {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	return len(s.streams.live)
}
