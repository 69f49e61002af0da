package http1

import (
	"errors"
	"os"
	"time"
)

// past is a deadline that makes a read return what is there.
var past = time.Unix(1, 0)

// quietTLS reports whether TLS has read nothing beyond the answer. What the
// socket has yet, peek sees when the connection is taken.
func (c *conn) quietTLS() bool {
	if c.nc.SetReadDeadline(past) != nil {
		return false
	}
	n, err := c.nc.Read(c.one[:])
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	return c.nc.SetReadDeadline(time.Time{}) == nil
}
