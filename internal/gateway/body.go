package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// maxRead is the largest body that a step may read whole; what is only passed on
// may be as large as Options.MaxBodyBytes.
const maxRead = 1 << 20

// readBody returns the whole body of the request, which is sent on as it came.
// Only steps after authorize may ask: a stranger's body is not read.
func (c *call) readBody() ([]byte, refusal) {
	if c.read {
		return c.whole, handled
	}
	c.read = true
	if c.r.Body == nil || c.r.Body == http.NoBody {
		return nil, handled
	}
	limit := min(c.api.backend.maxBody, maxRead)
	if c.r.ContentLength > limit {
		return nil, refusal{problem: bodyTooLarge, reason: "body_size"}
	}
	b, err := io.ReadAll(http.MaxBytesReader(c.w.ResponseWriter, c.r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, refusal{problem: bodyTooLarge, reason: "body_size"}
	case err != nil:
		return nil, refusal{problem: invalidRequest, reason: "body_malformed"}
	}
	c.whole = b
	c.r = c.r.WithContext(c.r.Context())
	c.r.Body, c.r.ContentLength, c.r.TransferEncoding = io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
	return b, handled
}

// limitedBody remembers how reading the request body ended, and lets the end of
// the call interrupt it: a transport of HTTP/2 that waits for more of a body does
// not notice that its context is done.
type limitedBody struct {
	io.ReadCloser
	over, bad, done, ended atomic.Bool
	before                 func() // each read; or nil

	mu        sync.Mutex
	interrupt func() // a read that is waiting; nil when the call is over
}

var errEnded = errors.New("the call has ended")

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.before != nil {
		b.before()
	}
	if b.ended.Load() {
		return 0, errEnded
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		var over *http.MaxBytesError
		b.over.Store(errors.As(err, &over))
		b.done.Store(errors.Is(err, io.EOF))
		b.bad.Store(!b.over.Load() && !b.done.Load())
	}
	return n, err
}

// end makes this read and all later ones fail. Safe at any time.
func (b *limitedBody) end() {
	b.ended.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.interrupt != nil {
		b.interrupt()
	}
}

// release is called before the server has its connection back.
func (b *limitedBody) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.interrupt = nil
}
