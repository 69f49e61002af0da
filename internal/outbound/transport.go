package outbound

import (
	"context"
	"net"
	"net/http"
	"time"
)

// NewTransport returns a transport to one upstream of the operator's choice, whose
// connections are opened as those of a Client are: the name is resolved once, every
// address that it has is judged, and a judged one is dialled. They are kept for further
// requests, by HTTP/2 where the upstream speaks it. No proxy of the environment is asked,
// nothing is unpacked, and redirects are answers like others (it is no client).
// Options.Timeout, MaxBody, PerHost and Total mean nothing here. headTime bounds the wait
// for the head of an answer. Errors of opening are *Error, but for those of TLS.
func NewTransport(o Options, headTime time.Duration) *http.Transport {
	c := NewClient(o)
	config := c.tls.Clone()
	config.NextProtos = nil // http.Transport offers what it speaks
	return &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			// Whether TLS is spoken on it the request's URL says, which the operator wrote.
			t, err := c.parse("https://" + address)
			if err != nil {
				return nil, err
			}
			to, err := c.addresses(ctx, t)
			if err != nil {
				return nil, err
			}
			return c.connect(ctx, t, to)
		},
		TLSClientConfig: config, TLSHandshakeTimeout: handshakeTimeout, ForceAttemptHTTP2: true,
		ResponseHeaderTimeout: headTime, ExpectContinueTimeout: time.Second, IdleConnTimeout: 30 * time.Second,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256,
		MaxResponseHeaderBytes: maxHead, DisableCompression: true,
	}
}
