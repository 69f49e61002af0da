package http1

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
)

// body is the body of an answer (RFC 9112 §6.3, §7.1).
type body struct {
	c        *conn
	res      *http.Response
	mode     bodyMode
	left     int64 // of the body, or of the chunk
	within   bool  // a chunk has begun
	trailer  bool  // the last chunk has been read
	reusable bool
	over     atomic.Bool
	err      error
}

type bodyMode uint8

const (
	modeLength bodyMode = iota
	modeChunked
	modeClose // until the connection ends
)

const (
	maxChunkLine = 256 // size and extensions, which nobody uses
	maxTrailer   = 16 << 10
)

var errChunk = &ProtocolError{"malformed chunk"}

// Read implements io.Reader. It returns io.EOF with the last bytes.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	var n int
	if b.mode == modeChunked {
		n, b.err = b.readChunked(p)
	} else {
		n, b.err = b.readPlain(p)
	}
	switch {
	case b.err == nil:
	case b.err == io.EOF: //nolint:errorlint // ours
		b.finish(b.reusable)
	default:
		b.err = b.c.why(b.err)
		b.finish(false)
	}
	return n, b.err
}

// readPlain reads a body of known length, or until the connection ends.
func (b *body) readPlain(p []byte) (int, error) {
	if b.mode == modeLength && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.c.take(p)
	if b.mode == modeClose {
		return n, err
	}
	if b.left -= int64(n); b.left == 0 {
		return n, io.EOF
	}
	return n, eof(err)
}

// take moves what was read to p, or reads.
func (c *conn) take(p []byte) (int, error) {
	if c.r < c.w {
		n := copy(p, c.buf[c.r:c.w])
		c.r += n
		return n, nil
	}
	return c.nc.Read(p)
}

// readChunked reads as much as is there. After something was read it does not
// wait for more.
func (b *body) readChunked(p []byte) (n int, err error) {
	for {
		switch {
		case b.trailer:
			done, err := b.readTrailer(n == 0)
			if err != nil || done {
				if err == nil {
					err = io.EOF
				}
				return n, err
			}
			if n > 0 {
				return n, nil
			}
		case b.left > 0:
			if n == len(p) || n > 0 && b.c.r == b.c.w {
				return n, nil
			}
			part := p[n:]
			if int64(len(part)) > b.left {
				part = part[:b.left]
			}
			got, err := b.c.take(part)
			n += got
			b.left -= int64(got)
			if err != nil && b.left > 0 || err != nil && got == 0 {
				return n, eof(err)
			}
		default:
			line, err := b.c.line(n == 0)
			if err != nil || line == nil {
				return n, err
			}
			if err := b.beginChunk(line); err != nil {
				return n, err
			}
		}
	}
}

// beginChunk takes the line between two chunks: the empty one that ends a chunk,
// or the size of the next (RFC 9112 §7.1).
func (b *body) beginChunk(line []byte) error {
	if b.within {
		if len(line) != 0 {
			return errChunk
		}
		b.within = false
		return nil
	}
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		if !isValue(string(line[i:])) {
			return errChunk
		}
		line = bytes.TrimRight(line[:i], " \t")
	}
	if len(line) == 0 || len(line) > 15 {
		return errChunk
	}
	var size int64
	for _, d := range line {
		switch {
		case d >= '0' && d <= '9':
			d -= '0'
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			d = d | 0x20 - 'a' + 10
		default:
			return errChunk
		}
		size = size<<4 | int64(d)
	}
	if size == 0 {
		b.trailer = true
		return nil
	}
	b.left, b.within = size, true
	return nil
}

// line takes a line with its CRLF from the buffer. wait is false where nil is
// the answer if it is not there yet.
func (c *conn) line(wait bool) ([]byte, error) {
	for {
		if i := bytes.IndexByte(c.buf[c.r:c.w], '\n'); i >= 0 {
			line := c.buf[c.r : c.r+i]
			c.r += i + 1
			if i == 0 || i > maxChunkLine || line[i-1] != '\r' {
				return nil, errChunk
			}
			return line[: i-1 : i-1], nil
		}
		if c.w-c.r > maxChunkLine {
			return nil, errChunk
		}
		if !wait {
			return nil, nil
		}
		if err := c.fill(); err != nil {
			return nil, eof(err)
		}
	}
}

// readTrailer reads the lines behind the last chunk. done is false if they are
// not there yet.
func (b *body) readTrailer(wait bool) (done bool, err error) {
	c := b.c
	for {
		have := c.buf[c.r:c.w]
		if bytes.HasPrefix(have, []byte("\r\n")) {
			c.r += 2
			return true, nil
		}
		if i := bytes.Index(have, []byte("\r\n\r\n")); i >= 0 {
			if i > maxTrailer {
				return false, errHeadTooLarge
			}
			lines := string(have[:i+2])
			c.r += i + 4
			return true, b.setTrailer(lines)
		}
		if len(have) > maxTrailer {
			return false, errHeadTooLarge
		}
		if !wait {
			return false, nil
		}
		if err := c.fill(); err != nil {
			return false, eof(err)
		}
	}
}

func (b *body) setTrailer(lines string) error {
	var h head
	h.reset(http.Header{})
	if err := h.parse(lines); err != nil {
		return err
	}
	for name, values := range h.header {
		if neverTrailer[name] {
			continue
		}
		if b.res.Trailer == nil {
			b.res.Trailer = http.Header{}
		}
		b.res.Trailer[name] = values
	}
	return nil
}

// finish gives the connection back, once.
func (b *body) finish(reusable bool) {
	if b.over.CompareAndSwap(false, true) {
		b.c.release(reusable)
	}
}

// Close implements io.Closer. A body that was not read to its end takes its
// connection with it.
func (b *body) Close() error {
	if b.over.CompareAndSwap(false, true) {
		b.c.shut()
	}
	return nil
}

// isGone reports whether an error says that the other side has closed.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
