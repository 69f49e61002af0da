package gateway

import (
	"bufio"
	"context"
	"net"
	"net/http"

	"sallyport/internal/http1"
)

// forward sends the call to its upstream and the answer back.
func (c *call) forward() refusal {
	// What has a key goes on without its client, so it must not be ended by way of it.
	if end, ok := c.Context.Value(http1.EndKey{}).(context.CancelCauseFunc); ok && c.claim == nil {
		c.cancel = end
	} else {
		c.Context, c.cancel = context.WithCancelCause(c.Context)
		defer c.cancel(nil)
	}
	defer c.unwatch()
	c.endless = c.upgrade
	if c.upgrade && !c.watch() {
		return c.failure(context.Cause(c.Context))
	}
	out := c.outgoing()
	if out.Body != nil {
		defer out.Body.Close() // nobody may read it when the server has it back
		defer c.body.release()
	}
	res, err := c.exchange(out)
	if err != nil {
		return c.failure(err)
	}
	c.res = res
	if res.StatusCode == http.StatusSwitchingProtocols {
		return c.switchProtocols()
	}
	defer res.Body.Close()
	if no := c.clean(res); no.refused() {
		return no
	}
	c.answer(res)
	return handled
}

// responseWriter remembers whether an answer has begun.
type responseWriter struct {
	http.ResponseWriter
	wrote  bool
	status int // 0: nothing was answered
}

// WriteHeader implements http.ResponseWriter.
func (w *responseWriter) WriteHeader(status int) {
	w.wrote, w.status = true, status
	w.ResponseWriter.WriteHeader(status)
}

// Hijack implements http.Hijacker: after it there is nobody to answer to.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.wrote = w.wrote || err == nil
	return conn, buf, err
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
