//go:build !unix

package http1

// peek cannot look without reading here: no connection is used twice.
func (c *conn) peek(uintptr) bool {
	c.silent = false
	return true
}
