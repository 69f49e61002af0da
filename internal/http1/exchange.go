package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxInterim is how many 1xx answers may come before the final one.
const maxInterim = 5

// continueTime is how long a body waits for a 100 that may never come (RFC 9110
// §10.1.1).
const continueTime = time.Second

// exchange sends the request and reads the head of the answer.
func (c *conn) exchange(ctx context.Context, m *message) (*http.Response, error) {
	c.begin(ctx, ticksOf(c.p.t.o.HeaderTimeout))
	res, err := c.converse(m)
	if err != nil {
		err = c.why(err)
		if c.r == c.w && c.used && isGone(err) {
			err = staleError{err}
		}
		c.rest()
		c.shut()
		return nil, err
	}
	return res, nil
}

func (c *conn) converse(m *message) (*http.Response, error) {
	var err error
	if c.out, err = m.appendHead(c.out[:0]); err != nil {
		return nil, err
	}
	c.out = append(c.out, m.small...)
	if _, err := c.nc.Write(c.out); err != nil {
		return nil, err
	}
	if m.large {
		c.sent = make(chan error, 1)
		if expects(m.r) && c.refusesBody() {
			// The head has promised a body that will not come: whatever is sent next on
			// this connection could be read as it, so nothing may be.
			c.sent <- errBodySize
			m.closeBody()
		} else {
			c.limit(0)
			go m.send(c, c.sent)
		}
	}
	for range maxInterim + 1 {
		a, err := c.readHead()
		if err != nil {
			return nil, err
		}
		if a.status >= 200 {
			c.hasAnswered()
			return c.response(m.r, a)
		}
		if a.status == http.StatusSwitchingProtocols {
			return c.switched(m.r, a)
		}
	}
	return nil, &ProtocolError{"too many interim answers"}
}

// refusesBody waits for a 100 and reports whether a final answer came in its place.
func (c *conn) refusesBody() bool {
	over := make(chan struct{})
	timer := time.AfterFunc(continueTime, func() {
		_ = c.nc.SetReadDeadline(past)
		close(over)
	})
	defer func() {
		if !timer.Stop() {
			<-over
			_ = c.nc.SetReadDeadline(time.Time{})
		}
	}()
	for !bytes.Contains(c.buf[c.r:c.w], []byte("\r\n")) {
		if c.fill() != nil {
			return false
		}
	}
	return c.w-c.r > 10 && c.buf[c.r+9] != '1'
}

// answerHead is the head of an answer.
type answerHead struct {
	status int
	minor  int
	reason string // status code and reason phrase
	head

	res  http.Response // room for what is made of it
	body body
}

// readHead reads a head, and takes it from the buffer.
func (c *conn) readHead() (*answerHead, error) {
	from := 0
	for {
		if i := bytes.Index(c.buf[c.r+from:c.w], []byte("\r\n\r\n")); i >= 0 {
			end := c.r + from + i + 2
			a, err := parseAnswer(string(c.buf[c.r:end]))
			c.r = end + 2
			return a, err
		}
		from = max(c.w-c.r-3, 0)
		if c.w-c.r > c.p.t.o.MaxHeadBytes {
			return nil, errHeadTooLarge
		}
		had := c.w > c.r
		if err := c.fill(); err != nil {
			if had {
				err = eof(err)
			}
			return nil, err
		}
	}
}

var errStatusLine = &ProtocolError{"malformed status line"}

// parseAnswer reads a status line (RFC 9112 §4) and field lines.
func parseAnswer(s string) (*answerHead, error) {
	line, fields, _ := strings.Cut(s, "\r\n")
	if len(line) < len("HTTP/1.1 200") || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return nil, errStatusLine
	}
	a := &answerHead{minor: int(line[7] - '0'), reason: line[9:]}
	for _, b := range []byte(a.reason[:3]) {
		if b < '0' || b > '9' {
			return nil, errStatusLine
		}
		a.status = a.status*10 + int(b-'0')
	}
	if a.status < 100 || a.status > 599 || len(a.reason) > 3 && a.reason[3] != ' ' || !isValue(a.reason) {
		return nil, errStatusLine
	}
	a.head.reset(make(http.Header, strings.Count(fields, "\n")))
	if err := a.parse(fields); err != nil {
		return nil, err
	}
	if a.chunked && (a.minor == 0 || a.status < 200 || a.status == http.StatusNoContent) {
		return nil, errCoding // RFC 9112 §6.1
	}
	return a, nil
}

// response makes the answer out of its head. Its body owns the connection.
func (c *conn) response(r *http.Request, a *answerHead) (*http.Response, error) {
	res := c.newResponse(r, a)
	reusable := !a.close && a.minor == 1 && !r.Close
	b := &a.body
	b.c, b.res, b.reusable, b.left = c, res, reusable, a.length
	switch {
	case r.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified:
		if r.Method == http.MethodHead {
			res.ContentLength = a.length // what a GET would have
		}
		b.finish(reusable)
		res.Body = http.NoBody
		return res, nil
	case a.chunked:
		res.ContentLength, res.TransferEncoding = -1, chunkedCoding
		b.mode = modeChunked
		res.Trailer = announced(a.header)
	case a.length == 0:
		b.finish(reusable)
		res.Body, res.ContentLength = http.NoBody, 0
		return res, nil
	case a.length > 0:
		res.ContentLength = a.length
	default:
		res.ContentLength, res.Close = -1, true
		b.mode, b.reusable = modeClose, false
	}
	res.Body = b
	return res, nil
}

var chunkedCoding = []string{"chunked"}

func (c *conn) newResponse(r *http.Request, a *answerHead) *http.Response {
	res := &a.res
	res.Status, res.StatusCode, res.Proto, res.ProtoMajor, res.ProtoMinor = a.reason, a.status, "HTTP/1.1", 1, a.minor
	res.Header, res.Request, res.Close, res.TLS = a.header, r, a.close, c.state
	if a.minor == 0 {
		res.Proto = "HTTP/1.0"
	}
	delete(a.header, "Transfer-Encoding")
	return res
}

// announced are the names of a Trailer field, without those that frame or route
// a message (RFC 9110 §6.5.1).
func announced(h http.Header) http.Header {
	lines := h["Trailer"]
	if len(lines) == 0 {
		return nil
	}
	delete(h, "Trailer")
	out := http.Header{}
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name, ok := canonical(trimSpace(name)); ok && !neverTrailer[name] {
				out[name] = nil
			}
		}
	}
	return out
}

var neverTrailer = map[string]bool{
	"Transfer-Encoding": true, "Content-Length": true, "Trailer": true, "Host": true, "Connection": true, "Content-Type": true,
	"Content-Encoding": true, "Content-Range": true, "Set-Cookie": true, "Authorization": true, "Cache-Control": true,
}

// switched is the answer to an upgrade. What the upstream speaks from then on is
// its body.
func (c *conn) switched(r *http.Request, a *answerHead) (*http.Response, error) {
	if len(r.Header["Upgrade"]) == 0 {
		return nil, &ProtocolError{"upgrade that was not asked for"}
	}
	c.hasAnswered()
	res := c.newResponse(r, a)
	res.Body = &tunnel{c}
	return res, nil
}

// tunnel is a connection that has left HTTP.
type tunnel struct{ c *conn }

// Read implements io.Reader.
func (t *tunnel) Read(p []byte) (int, error) {
	if t.c.r < t.c.w {
		n := copy(p, t.c.buf[t.c.r:t.c.w])
		t.c.r += n
		return n, nil
	}
	return t.c.nc.Read(p)
}

// Write implements io.Writer.
func (t *tunnel) Write(p []byte) (int, error) { return t.c.nc.Write(p) }

// Close implements io.Closer.
func (t *tunnel) Close() error {
	t.c.shut()
	return nil
}

// CloseWrite says that nothing more will be sent.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.c.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

var _ io.ReadWriteCloser = (*tunnel)(nil)
var _ interface{ CloseWrite() error } = (*tls.Conn)(nil)
