package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// Resolver finds the addresses of a name; *net.Resolver is one. A name with a
// dot is asked for as a full name, with a dot at its end.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options of a Client. The zero value is the strictest.
type Options struct {
	// AllowLoopback allows this machine, by https and http and on every port.
	// It is for development and tests.
	AllowLoopback bool
	// AllowNetworks are networks of the operator's own that may be asked
	// although they are private (RFC 1918, RFC 4193, RFC 6598). They excuse no
	// other kind, least of all the metadata addresses of clouds.
	AllowNetworks []netip.Prefix
	// Ports that may be asked; 443 and 8443 if there are none.
	Ports []uint16
	// RootCAs that certificates must lead to; the system's if nil.
	RootCAs *x509.CertPool
	// Resolver; the system's if nil.
	Resolver Resolver
	// Timeout of a whole request, from the wait for its turn to the last byte
	// of the body; 10 s if 0. The caller's context may end it before.
	Timeout time.Duration
	// MaxBody is how many bytes the body of an answer may have; 256 KiB if 0.
	MaxBody int64
	// PerHost is how many requests may run at once to one host (4 if 0), Total
	// to all (64 if 0). Others wait, a bounded number of them.
	PerHost, Total int
}

const maxHead = 16 << 10 // bytes of an answer's header

// Client asks addresses that came from data. Safe for concurrent use; it holds
// nothing that has to be closed, since no connection outlives its request.
type Client struct {
	judge    judge
	ports    []uint16
	resolver Resolver
	dial     dialFunc
	tls      *tls.Config
	slots    *slots
	timeout  time.Duration
	maxBody  int64
}

// NewClient returns a client with these options.
func NewClient(o Options) *Client {
	c := &Client{
		judge:    judge{loopback: o.AllowLoopback, networks: o.AllowNetworks},
		ports:    o.Ports,
		resolver: o.Resolver,
		tls: &tls.Config{
			RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12, CipherSuites: CipherSuites, NextProtos: []string{"http/1.1"},
		},
		slots:   newSlots(cmp.Or(o.PerHost, 4), cmp.Or(o.Total, 64)),
		timeout: cmp.Or(o.Timeout, 10*time.Second),
		maxBody: cmp.Or(o.MaxBody, 256<<10),
	}
	if len(c.ports) == 0 {
		c.ports = []uint16{443, 8443}
	}
	if c.resolver == nil {
		c.resolver = net.DefaultResolver
	}
	c.dial = newDialer(c.judge)
	return c
}

// over returns a transport for one request on a connection that is open. It
// speaks HTTP/1.1 alone: HTTP/2 gains nothing for one request, and a hostile
// server has fewer ways to be expensive. It is used without an http.Client, so
// there are no redirects, cookies or referers, and no header that travels on
// to another host; nor does it ask the environment for a proxy, which would
// resolve the name again.
func over(conn net.Conn) *http.Transport {
	one := new(http.Protocols)
	one.SetHTTP1(true)
	var used atomic.Bool
	dial := func(context.Context, string, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, net.ErrClosed // a second one would not have been judged
		}
		return conn, nil
	}
	return &http.Transport{
		DialContext: dial, DialTLSContext: dial,
		Protocols:              one,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHead,
	}
}
