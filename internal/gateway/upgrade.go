package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// switchProtocols passes on that the upstream speaks the protocol that it was
// asked for, and from then on every byte both ways, until either side ends, or
// the call.
func (c *call) switchProtocols() refusal {
	backend, ok := c.res.Body.(io.ReadWriteCloser)
	if !ok {
		_ = c.res.Body.Close()
		return refusal{problem: badGateway, reason: "upstream_failed"}
	}
	defer backend.Close()
	if u := c.res.Header["Upgrade"]; !c.upgrade || len(u) != 1 || !strings.EqualFold(u[0], c.r.Header["Upgrade"][0]) {
		return refusal{problem: badGateway, reason: "upstream_failed"}
	}
	upgrade := c.res.Header["Upgrade"]
	if no := c.clean(c.res); no.refused() {
		return no
	}
	c.res.Header["Connection"], c.res.Header["Upgrade"] = []string{"Upgrade"}, upgrade
	conn, client, err := c.w.Hijack()
	if err != nil {
		return refusal{problem: internalError, reason: "upgrade"}
	}
	defer conn.Close()
	defer context.AfterFunc(c.Context, func() {
		_ = backend.Close()
		_ = conn.Close()
	})()
	if err := writeSwitch(client.Writer, c.res); err != nil {
		return handled
	}
	_ = conn.SetDeadline(time.Time{}) // the server's, for a request
	tunnel(backend, conn, client.Reader)
	c.complete = true
	return handled
}

// writeSwitch writes the head of a 101.
func writeSwitch(w *bufio.Writer, res *http.Response) error {
	_, _ = w.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = res.Header.Write(w) // the writer keeps its first error
	_, _ = w.WriteString("\r\n")
	return w.Flush()
}

// tunnel copies both ways until both have ended, or one has failed. early holds
// what the client sent right behind its request.
func tunnel(backend io.ReadWriteCloser, client net.Conn, early *bufio.Reader) {
	ended := make(chan error, 2)
	pass := func(to io.Writer, from io.Reader) {
		_, err := io.Copy(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); err == nil && ok {
			err = half.CloseWrite()
		} else if err == nil {
			err = io.EOF
		}
		ended <- err
	}
	go pass(backend, early)
	go pass(client, backend)
	if err := <-ended; err == nil {
		<-ended
	}
}

// flush sends what has been written so far.
func (w *responseWriter) flush() error {
	return http.NewResponseController(w.ResponseWriter).Flush()
}
