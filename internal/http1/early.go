package http1

import (
	"errors"
	"os"
	"time"
)

// earlyRead reads one byte from a client whose request runs: only so can it be
// seen that the client has left. Requests that are answered at once have none.
type earlyRead struct {
	done chan struct{}
	b    [1]byte
	n    int
}

// readEarly begins to read. The watch calls it with the client's lock held,
// while the client's goroutine runs the handler and reads nothing.
func (c *client) readEarly() *earlyRead {
	e := &earlyRead{done: make(chan struct{})}
	nc, cancel := c.nc, c.cancel
	go func() {
		defer close(e.done)
		var err error
		if e.n, err = nc.Read(e.b[:]); e.n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel(nil)
		}
	}()
	return e
}

// stopEarly ends the reading and keeps what it has read for the next request.
func (c *client) stopEarly() {
	c.mu.Lock()
	e := c.early
	c.early = nil
	c.stage, c.cancel = stageReading, nil // no other begins
	c.mu.Unlock()
	if e == nil {
		return
	}
	select {
	case <-e.done:
	default:
		_ = c.nc.SetReadDeadline(past)
		<-e.done
		_ = c.nc.SetReadDeadline(time.Time{})
	}
	if e.n > 0 {
		if c.r == c.w {
			c.r, c.w = 0, 0
		}
		if c.w == len(c.buf) {
			c.buf = append(c.buf, 0)
		}
		c.buf[c.w] = e.b[0]
		c.w++
	}
}
