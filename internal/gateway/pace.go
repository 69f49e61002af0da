package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// errIdle ends an exchange that stands still.
var errIdle = errors.New("nothing came for too long")

// pace makes a large upload a stream: it may take as long as it needs while it
// moves, and ends with its token. A small one keeps the limits of the server.
func (c *call) pace() {
	if n := c.r.ContentLength; n >= 0 && n <= streamBytes || c.upgrade {
		return
	}
	c.watch() // if it has ended, the exchange finds the context done
	rc, idle := http.NewResponseController(c.w.ResponseWriter), c.idleAfter(false)
	if idle == 0 {
		_ = rc.SetReadDeadline(time.Time{})
		_ = rc.SetWriteDeadline(time.Time{})
		return
	}
	c.body.before = func() {
		now := c.g.now()
		_ = rc.SetReadDeadline(now.Add(idle))
		_ = rc.SetWriteDeadline(now.Add(2 * idle)) // the answer comes after
	}
}

// paceAnswer ends an answer that is never ready: a backend that sends a byte now
// and then would otherwise hold a connection for ever.
func (c *call) paceAnswer(res *http.Response) {
	idle := c.idleAfter(c.endless)
	if idle == 0 || res.Body == nil || res.Body == http.NoBody || c.upgrade {
		return
	}
	p := &pacedBody{ReadCloser: res.Body, idle: idle}
	p.timer = time.AfterFunc(idle, func() {
		if p.reading.Load() {
			c.end(errIdle)
		}
	})
	res.Body = p
}

// pacedBody allows each read a time of its own: a slow client is not the fault
// of the backend.
type pacedBody struct {
	io.ReadCloser
	idle    time.Duration
	timer   *time.Timer
	reading atomic.Bool
}

// Read implements io.Reader.
func (p *pacedBody) Read(b []byte) (int, error) {
	p.reading.Store(true)
	p.timer.Reset(p.idle)
	n, err := p.ReadCloser.Read(b)
	p.reading.Store(false)
	return n, err
}

// Close implements io.Closer.
func (p *pacedBody) Close() error {
	p.timer.Stop()
	return p.ReadCloser.Close()
}
