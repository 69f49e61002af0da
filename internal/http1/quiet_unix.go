//go:build unix

package http1

import "syscall"

// peek reports in c.silent whether the socket is open and has nothing to read.
func (c *conn) peek(fd uintptr) bool {
	_, _, err := syscall.Recvfrom(int(fd), c.one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.silent = err == syscall.EAGAIN || err == syscall.EINTR //nolint:errorlint // an Errno, bare
	return true
}
