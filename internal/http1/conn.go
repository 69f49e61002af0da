package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

const connBuffer = 8 << 10

// conn is a connection to an upstream. Between get and put it belongs to one
// request; only what mu guards is seen by the watch.
type conn struct {
	p      *pool
	raw    net.Conn
	nc     net.Conn // raw, or TLS over it
	state  *tls.ConnectionState
	socket syscall.RawConn
	look   func(fd uintptr) bool
	silent bool
	one    [1]byte
	used   bool // it has served before

	buf  []byte // buf[r:w] was read and not yet taken
	r, w int
	out  []byte
	sent chan error // of a body that is sent beside the answer; nil: none is

	mu    sync.Mutex
	ctx   context.Context //nolint:containedctx // of the request; nil: idle
	wait  int             // ticks that the wait may take; 0: no limit
	age   int             // ticks that it has taken, or that the connection is idle
	seen  bool            // by the watch, since it began
	heard bool            // the head of the answer has been read
	ended error           // why the connection was ended
}

// begin makes the waits from now on end with ctx, and after so many ticks.
func (c *conn) begin(ctx context.Context, ticks int) {
	c.mu.Lock()
	c.ctx, c.wait, c.age, c.seen, c.heard = ctx, ticks, 0, false, false
	c.mu.Unlock()
	c.p.t.watch.begun()
}

// limit changes how long the wait for an answer may take, counted from now. It
// does nothing when the answer has begun.
func (c *conn) limit(ticks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.heard {
		c.wait, c.age, c.seen = ticks, 0, false
	}
}

// hasAnswered ends the wait for an answer. Its body may take its time.
func (c *conn) hasAnswered() {
	c.mu.Lock()
	c.heard, c.wait = true, 0
	c.mu.Unlock()
}

// rest says that nobody waits any more. It reports false if the connection has
// been ended.
func (c *conn) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx, c.wait, c.age, c.seen = nil, 0, 0, false
	return c.ended == nil
}

// tick implements watched.
func (c *conn) tick(ticks int) bool {
	c.mu.Lock()
	if !c.seen {
		c.seen, ticks = true, 1
	}
	c.age += ticks
	switch {
	case c.ended != nil:
	case c.ctx == nil:
		if c.age > ticksOf(c.p.t.o.IdleTimeout) {
			c.mu.Unlock()
			if c.p.forget(c) {
				c.shut()
			}
			return false
		}
		c.mu.Unlock()
		return false
	case c.ctx.Err() != nil:
		c.endLocked(context.Cause(c.ctx))
	case c.wait > 0 && c.age > c.wait:
		c.endLocked(timeoutError{})
	}
	c.mu.Unlock()
	return true
}

// end makes all reads and writes fail.
func (c *conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(why)
}

func (c *conn) endLocked(why error) {
	if c.ended != nil {
		return
	}
	c.ended = why
	_ = c.raw.Close()
	c.p.gone()
	c.p.t.watch.remove(c)
}

var errShut = errors.New("http1: connection closed")

// shut ends a connection that nobody waits for.
func (c *conn) shut() { c.end(errShut) }

// why prefers the reason for which the connection was ended to what that led to.
func (c *conn) why(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil && !errors.Is(c.ended, errShut) {
		return c.ended
	}
	return err
}

// quiet reports whether the upstream has said nothing since the last answer was
// complete, and is still there.
func (c *conn) quiet() bool {
	if c.socket == nil || c.r != c.w {
		return false
	}
	return c.socket.Read(c.look) == nil && c.silent
}

// fill reads more behind what is there.
func (c *conn) fill() error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.w == len(c.buf) {
		if c.r > 0 {
			c.w = copy(c.buf, c.buf[c.r:c.w])
			c.r = 0
		} else {
			if len(c.buf) >= c.p.t.o.MaxHeadBytes {
				return errHeadTooLarge
			}
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return c.why(err)
}

// release gives the connection back when an answer is complete and nothing is
// left that could be taken for another.
func (c *conn) release(again bool) {
	if c.sent != nil {
		select {
		case err := <-c.sent:
			again = again && err == nil
		default:
			again = false // the request is still being sent
		}
		c.sent = nil
	}
	if c.r != c.w || !again || c.state != nil && !c.quietTLS() {
		c.rest()
		c.shut()
		return
	}
	if len(c.buf) > connBuffer {
		c.buf = make([]byte, connBuffer)
	}
	if cap(c.out) > maxKeptOut {
		c.out = nil
	}
	if c.rest() {
		c.p.put(c)
	}
}

const maxKeptOut = 64 << 10
