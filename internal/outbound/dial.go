package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// CipherSuites are those of TLS 1.2, for listeners and connections alike: ECDHE
// with AES-GCM or ChaCha20 and nothing else (RFC 9325 §4.2); Go's own default
// would still take CBC. TLS 1.3 has no others. Do not change it.
var CipherSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

const (
	connectTimeout   = 3 * time.Second // for one address
	handshakeTimeout = 4 * time.Second
	maxAddresses     = 32 // of one name; more are a mistake or an attack
	maxAttempts      = 3  // of them that are dialled
)

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newDialer returns a dialer that judges once more what the system is about to
// connect to.
func newDialer(j judge) dialFunc {
	d := &net.Dialer{
		Timeout: connectTimeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if kind := j.refuses(a.Addr()); err != nil || kind != "" {
				return &Error{Reason: ReasonAddress, detail: kind}
			}
			return nil
		},
	}
	return d.DialContext
}

// open resolves, judges, connects and, for https, shakes hands, all within ctx.
// It is not left to the transport, which lets a dial outlive its request.
func (c *Client) open(ctx context.Context, t *target) (net.Conn, error) {
	to, err := c.addresses(ctx, t)
	if err != nil {
		return nil, err
	}
	conn, err := c.connect(ctx, t, to)
	if err != nil || t.url.Scheme == "http" {
		return conn, err
	}
	return c.handshake(ctx, t, conn)
}

// addresses resolves the host once and judges all that it has. One that is
// refused refuses the name: a mixture is how rebinding looks.
func (c *Client) addresses(ctx context.Context, t *target) ([]netip.AddrPort, error) {
	list, err := c.lookup(ctx, t)
	if err != nil || len(list) == 0 || len(list) > maxAddresses {
		return nil, &Error{Reason: ReasonResolve, Host: t.host()}
	}
	to := make([]netip.AddrPort, 0, len(list))
	for _, a := range list {
		a = a.Unmap()
		if word := c.refusesDial(a, t); word != "" {
			return nil, &Error{Reason: ReasonAddress, Host: t.host(), detail: word}
		}
		to = append(to, netip.AddrPortFrom(a, t.port))
	}
	return to, nil
}

func (c *Client) refusesDial(a netip.Addr, t *target) string {
	kind := c.judge.refuses(a)
	switch {
	case kind != "":
		return kind
	case a.IsLoopback(): // allowed, or it would have been refused
		return ""
	case t.url.Scheme == "http":
		return "http leads off this machine"
	case !c.allowsPort(t.port):
		return "the port is not one of those allowed"
	}
	return ""
}

func (c *Client) lookup(ctx context.Context, t *target) ([]netip.Addr, error) {
	if t.addr.IsValid() {
		return []netip.Addr{t.addr}, nil
	}
	name := t.name
	if strings.Contains(name, ".") {
		name += "." // it is a full name: no search list may lead elsewhere
	}
	return c.resolver.LookupNetIP(ctx, "ip", name)
}

// connect dials judged addresses, one after the other.
func (c *Client) connect(ctx context.Context, t *target, to []netip.AddrPort) (net.Conn, error) {
	for i, a := range to {
		if i == maxAttempts || ctx.Err() != nil {
			break
		}
		if conn, err := c.dial(ctx, "tcp", a.String()); err == nil {
			return conn, nil
		}
	}
	return nil, &Error{Reason: ReasonConnect, Host: t.host()}
}

func (c *Client) handshake(ctx context.Context, t *target, raw net.Conn) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	config := c.tls.Clone()
	if config.ServerName = t.name; t.addr.IsValid() {
		config.ServerName = t.addr.Unmap().String()
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error is the one to tell
		return nil, &Error{Reason: ReasonTLS, Host: t.host(), detail: certificateFault(err)}
	}
	return conn, nil
}
