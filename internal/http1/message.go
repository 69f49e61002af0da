package http1

import (
	"io"
	"net/http"
	"strconv"
)

// maxSmall is the size up to which a body is read before its request is sent:
// both go out with one write, and a slow client holds no connection.
const maxSmall = 16 << 10

// message is a request on its way.
type message struct {
	r     *http.Request
	small []byte // the body, where it is small
	large bool   // the body is still to be read
}

func (m *message) readSmallBody() error {
	r := m.r
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength <= 0 || r.ContentLength > maxSmall || expects(r) {
		m.large = true
		return nil
	}
	defer m.closeBody()
	m.small = make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, m.small); err != nil {
		return eof(err)
	}
	return nil
}

func (m *message) closeBody() {
	if m.r.Body != nil {
		_ = m.r.Body.Close()
	}
}

// repeatable reports whether sending it twice does what sending it once does.
func (m *message) repeatable() bool {
	return (m.r.Method == http.MethodGet || m.r.Method == http.MethodHead) && m.small == nil && !m.large
}

func expects(r *http.Request) bool { return len(r.Header["Expect"]) > 0 }

var errRequest = &ProtocolError{"request that cannot be written"}

// appendHead appends the head of the request, with the framing that fits its
// body. It refuses what would not be read as it was meant.
func (m *message) appendHead(b []byte) ([]byte, error) {
	r := m.r
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	target := r.URL.Opaque
	if target == "" {
		if target = r.URL.EscapedPath(); target == "" {
			target = "/"
		}
	}
	if !isToken(r.Method) || !isValue(host) || target[0] != '/' || !isTarget(target) || !isTarget(r.URL.RawQuery) {
		return b, errRequest
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, target...)
	if r.URL.ForceQuery || r.URL.RawQuery != "" {
		b = append(b, '?')
		b = append(b, r.URL.RawQuery...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	for name, lines := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue
		}
		for _, line := range lines {
			if name == "User-Agent" && line == "" {
				continue
			}
			if !isToken(name) || !isValue(line) {
				return b, errRequest
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, line...)
			b = append(b, "\r\n"...)
		}
	}
	switch {
	case m.large && r.ContentLength <= 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case m.large || m.small != nil || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, max(r.ContentLength, 0), 10)
		b = append(b, "\r\n"...)
	}
	if r.Close {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// isTarget reports whether s may stand in a request line.
func isTarget(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// send writes the body beside the reading of the answer, and says when it is
// through. A body that ends too soon ends the connection: the upstream must not
// take it for whole.
func (m *message) send(c *conn, done chan<- error) {
	defer m.closeBody()
	err := m.copyBody(c)
	if err != nil {
		c.end(err)
	} else {
		c.limit(ticksOf(c.p.t.o.HeaderTimeout))
	}
	done <- err
}

func (m *message) copyBody(c *conn) error {
	buf := make([]byte, 32<<10)
	left := m.r.ContentLength
	for {
		const room = 16 // before and behind a chunk
		n, err := m.r.Body.Read(buf[room : len(buf)-room])
		if n > 0 {
			part := buf[room : room+n]
			if left > 0 {
				if int64(n) > left {
					return errBodySize
				}
				if left -= int64(n); left == 0 {
					_, err := c.nc.Write(part)
					return err
				}
			} else {
				part = asChunk(buf, room, n)
			}
			if _, err := c.nc.Write(part); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && m.r.ContentLength > 0: //nolint:errorlint // readers return it bare
			return io.ErrUnexpectedEOF
		case err == io.EOF: //nolint:errorlint // readers return it bare
			_, err = io.WriteString(c.nc, "0\r\n\r\n")
			return err
		case err != nil:
			return err
		}
	}
}

// asChunk puts the size before and CRLF behind buf[at:at+n].
func asChunk(buf []byte, at, n int) []byte {
	var size [16]byte
	s := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
	copy(buf[at-len(s):], s)
	copy(buf[at+n:], "\r\n")
	return buf[at-len(s) : at+n+2]
}
