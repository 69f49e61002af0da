package http1

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxPending is how much of a body waits for its end, so that head and body go
// out as one write and one TLS record.
const maxPending = 14 << 10

// sniffed is how much of a body tells its kind.
const sniffed = 512

// response is the http.ResponseWriter of a client's requests, one after the
// other. It frames answers as net/http does: a length where it is known in time,
// chunks otherwise.
type response struct {
	c       *client
	r       *http.Request
	header  http.Header
	buffer  *answerBuffer
	out     []byte // head so far
	pending []byte // body that has not been sent
	status  int    // 0 until WriteHeader
	length  int64  // Content-Length that the handler has said; -1: none
	written int64  // of the body
	framed  bool   // the head is complete
	chunked bool
	noBody  bool // HEAD, 204 and 304
	typed   bool // Content-Type or Content-Encoding was said
	dated   bool
	last    bool // the connection ends with this answer
	dirty   bool // the handler has set a write deadline
	trailer []string
	err     error
}

// answerBuffer has room for one answer. Connections without a request have none.
type answerBuffer struct{ out, pending []byte }

var answerBuffers = sync.Pool{New: func() any { return &answerBuffer{} }}

func (w *response) reset(r *http.Request) {
	clear(w.header)
	b := answerBuffers.Get().(*answerBuffer) //nolint:errcheck,forcetypeassert // nothing else is in it
	*w = response{c: w.c, header: w.header, buffer: b, out: b.out[:0], pending: b.pending[:0], r: r, length: -1, last: r.Close}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Interim answers are not sent.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < 200 && status >= 100 {
		return
	}
	if status < 200 || status > 999 {
		panic("http1: invalid status")
	}
	w.status = status
	w.noBody = w.r.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
	b := append(w.out, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	for name, lines := range w.header {
		if w.frames(name, lines) {
			continue
		}
		for _, line := range lines {
			b = appendField(b, name, line)
		}
	}
	w.out = b
}

// frames notes what the handler says of the framing, which is written later.
func (w *response) frames(name string, lines []string) bool {
	switch name {
	case "Content-Length":
		if n, ok := parseLength(strings.Join(lines, ",")); ok && w.status != http.StatusNoContent {
			w.length = n
		}
		return true
	case "Transfer-Encoding":
		return true
	case "Connection":
		for _, line := range lines {
			w.last = w.last || strings.EqualFold(line, "close")
		}
		return true
	case "Trailer":
		for _, line := range lines {
			for name := range strings.SplitSeq(line, ",") {
				if name, ok := canonical(trimSpace(name)); ok && !neverTrailer[name] {
					w.trailer = append(w.trailer, name)
				}
			}
		}
	case "Content-Type", "Content-Encoding":
		w.typed = true
	case "Date":
		w.dated = true
	}
	return strings.HasPrefix(name, http.TrailerPrefix) || !isToken(name)
}

// appendField appends a field line. What would end it early becomes a space.
func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	from := len(b)
	b = append(b, trimSpace(value)...)
	for i := from; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case w.status == http.StatusNoContent || w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(p)); w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength // and finish ends the connection
	}
	if w.noBody { // of the body of a HEAD, only its kind is told
		w.pending = append(w.pending, p[:min(len(p), max(sniffed-len(w.pending), 0))]...)
		return len(p), nil
	}
	if len(w.pending)+len(p) <= maxPending {
		w.pending = append(w.pending, p...)
		return len(p), nil
	}
	w.frame(p, false)
	w.send(p)
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// frame completes the head. begin is what the body begins with if nothing of it
// is pending; whole says that there is no more than is pending.
func (w *response) frame(begin []byte, whole bool) {
	if w.framed {
		return
	}
	w.framed = true
	if len(w.pending) > 0 {
		begin = w.pending
	}
	b := w.out
	if !w.typed && len(begin) > 0 {
		b = appendField(b, "Content-Type", http.DetectContentType(begin))
	}
	if !w.dated {
		b = append(b, w.c.f.dateNow()...)
	}
	switch {
	case w.length < 0 && whole && (!w.noBody || w.r.Method == http.MethodHead && w.written > 0) && len(w.trailer) == 0:
		w.length = w.written
		fallthrough
	case w.length >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, w.length, 10)
		b = append(b, "\r\n"...)
	case !w.noBody:
		w.chunked = true
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if w.last = w.last || w.c.f.closing.Load(); w.last {
		b = append(b, "Connection: close\r\n"...)
	}
	w.out = append(b, "\r\n"...)
}

// send writes what is there, and then p.
func (w *response) send(p []byte) {
	b := w.out
	if w.noBody {
		w.pending = w.pending[:0]
	}
	if n := len(w.pending) + len(p); n > 0 && w.chunked {
		b = strconv.AppendInt(b, int64(n), 16)
		b = append(b, "\r\n"...)
	}
	b = append(b, w.pending...)
	if len(p) > 0 {
		w.write(b)
		b = b[:0]
		w.write(p)
	}
	if w.chunked && len(w.pending)+len(p) > 0 {
		b = append(b, "\r\n"...)
	}
	w.pending = w.pending[:0]
	w.out = b
}

func (w *response) write(b []byte) {
	if w.err == nil && len(b) > 0 {
		_, w.err = w.c.nc.Write(b)
	}
}

// FlushError is for http.ResponseController.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.frame(nil, false)
	w.send(nil)
	w.write(w.out)
	w.out = w.out[:0]
	return w.err
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// finish writes what is left of the answer. After an error the connection has to
// end.
func (w *response) finish() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.frame(nil, true)
	w.send(nil)
	if w.chunked {
		w.out = append(w.out, "0\r\n"...)
		w.appendTrailer()
		w.out = append(w.out, "\r\n"...)
	}
	w.write(w.out)
	if w.dirty {
		_ = w.c.nc.SetWriteDeadline(time.Time{})
	}
	if b := w.buffer; cap(w.out) <= maxKeptOut {
		b.out, b.pending = w.out, w.pending
		answerBuffers.Put(b)
	}
	w.buffer, w.out, w.pending = nil, nil, nil
	if w.err == nil && w.length != w.written && w.length >= 0 && !w.noBody {
		return errBodySize
	}
	return w.err
}

func (w *response) appendTrailer() {
	for name, lines := range w.header {
		late, ok := strings.CutPrefix(name, http.TrailerPrefix)
		if !ok || !isToken(late) || neverTrailer[late] {
			continue
		}
		for _, line := range lines {
			w.out = appendField(w.out, late, line)
		}
	}
	for _, name := range w.trailer {
		if _, late := w.header[http.TrailerPrefix+name]; late {
			continue
		}
		for _, line := range w.header[name] {
			w.out = appendField(w.out, name, line)
		}
	}
}

// SetWriteDeadline is for http.ResponseController. The limit of the server does
// not count any more.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.c.lift()
	if t.IsZero() && !w.dirty {
		return nil
	}
	w.dirty = true
	return w.c.nc.SetWriteDeadline(t)
}

// SetReadDeadline is for http.ResponseController: the request has been read.
func (w *response) SetReadDeadline(time.Time) error { return nil }

// EnableFullDuplex is for http.ResponseController: the request has been read.
func (w *response) EnableFullDuplex() error { return nil }
