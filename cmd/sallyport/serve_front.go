package main

import (
	"context"
	"net"
	"net/http"

	"sallyport/internal/http1"
)

// front is what answers on a public listener.
type front interface {
	ServeTLS(l net.Listener, certFile, keyFile string) error
	Shutdown(ctx context.Context) error
	Close() error
}

// frontOf puts the reader of plain requests before a server.
func (n *node) frontOf(c *config, s *http.Server) front {
	if !c.Gateway.FastFront {
		return s
	}
	return http1.NewFront(s, n.now)
}
