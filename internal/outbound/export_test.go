package outbound

import (
	"context"
	"net"
)

// SetDial replaces what opens connections to addresses that were judged.
func (c *Client) SetDial(f func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.dial = f
}

// NewDialer returns what opens connections for a client with these options.
func NewDialer(o Options) func(ctx context.Context, network, address string) (net.Conn, error) {
	return newDialer(judge{loopback: o.AllowLoopback, networks: o.AllowNetworks})
}
