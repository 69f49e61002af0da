package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
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

// limitedBody remembers how reading the request body ended.
type limitedBody struct {
	io.ReadCloser
	over, bad, done atomic.Bool
	before          func() // each read; or nil
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.before != nil {
		b.before()
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
