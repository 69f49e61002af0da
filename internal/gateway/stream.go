package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"sallyport/internal/token"
)

// Why a stream ended that the token alone did not end.
var (
	errStale   = errors.New("revocations cannot be followed")
	errKey     = errors.New("the key of the token was compromised")
	errClosing = errors.New("the gateway is closing")
)

// streamBytes is the size from which an answer counts as a stream. Less is
// on its way before a revocation could be noticed.
const streamBytes = 1 << 20

// isStream reports whether an answer may outlive its token.
func isStream(res *http.Response) bool {
	return res.ContentLength < 0 || res.ContentLength > streamBytes || isEvents(res)
}

func isEvents(res *http.Response) bool {
	return strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream")
}

// watch makes the call end with its token, with the knowledge of revocations,
// and with the gateway. It reports false if that is now.
func (c *call) watch() bool {
	if c.stop != nil { // since its request, which was large
		return c.Err() == nil
	}
	watched, stop := c.g.feed.Watch(c.Context, &c.access)
	unhook := context.AfterFunc(watched, func() { c.end(context.Cause(watched)) })
	c.stop = func() {
		unhook()
		stop()
		c.g.state.streams.remove(c)
	}
	if watched.Err() != nil {
		c.end(context.Cause(watched))
	}
	c.g.state.streams.add(c)
	return c.Err() == nil
}

func (c *call) unwatch() {
	if c.stop == nil {
		return
	}
	c.stop()
	if cause := context.Cause(c.Context); cause != nil {
		c.rec.Set(slog.String("stream_ended", cause.Error()))
	}
}

func (c *call) end(cause error) {
	c.cancel(cause)
	if c.body != nil {
		c.body.end()
	}
}

// unlimitTime lifts the server's limits for one request from a stream; it has
// others now. The limit for reading stays while the client still sends.
func (c *call) unlimitTime() {
	rc := http.NewResponseController(c.w.ResponseWriter)
	_ = rc.SetWriteDeadline(time.Time{})
	if c.body == nil || c.body.done.Load() {
		_ = rc.SetReadDeadline(time.Time{})
	}
}

// opensStill reports whether the key of the call's token is still accepted.
func (c *call) opensStill() bool {
	if c.key != nil { // no key of ours has made it
		return true
	}
	var a token.Access
	_, err := c.g.reader.Open(c, c.cred.token.Reveal(), &a)
	return err == nil
}

// streams are the calls being watched. While there are any, one goroutine
// looks whether revocations are still followed.
type streams struct {
	mu      sync.Mutex
	live    map[*call]struct{}
	closed  bool
	current *Gateway // the one whose policy counts; nil before the first TakeOver
	looking bool
}

// lookEvery is well inside the shortest staleness limit, one second.
const lookEvery = 250 * time.Millisecond

func (s *streams) add(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && c.endless {
		c.end(errClosing)
		return
	}
	if s.current != nil && !s.current.keeps(c) {
		c.end(errPolicy)
		return
	}
	if s.live == nil {
		s.live = map[*call]struct{}{}
	}
	s.live[c] = struct{}{}
	if !s.looking {
		s.looking = true
		go s.look(c.g)
	}
}

// keepsOn notes that the call would not end by itself. It reports false if it ends
// now, because the gateway is closing.
func (s *streams) keepsOn(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.endless = true; s.closed {
		c.end(errClosing)
	}
	return c.Err() == nil
}

func (s *streams) remove(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, c)
}

// close ends what would not end by itself. An answer whose length is merely
// not known is left to finish.
func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.live {
		if c.endless {
			c.end(errClosing)
		}
	}
}

// look ends the streams of a tier whose revocations are not known any more:
// one of them could be among the revoked. When keys were compromised it ends
// those whose token does not open any more: whoever has such a key can make a
// token and open a stream with it. It returns when there are none.
func (s *streams) look(g *Gateway) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for range tick.C {
		var stale [token.TierHigh + 1]bool
		for _, t := range token.Tiers {
			stale[t] = !g.feed.Fresh(t)
		}
		drops := g.ring.Drops()
		s.mu.Lock()
		for c := range s.live {
			if stale[c.op.tier] {
				c.end(errStale)
			}
			if c.drops != drops && !c.opensStill() {
				c.end(errKey)
			}
			c.drops = drops
		}
		if len(s.live) == 0 {
			s.looking = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}
