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
// requests. No proxy of the environment is asked, nothing is unpacked, and redirects are
// answers like others (it is no client). Options.Timeout, MaxBody, PerHost and Total mean
// nothing here. Errors of opening are *Error.
func NewTransport(o Options) *http.Transport {
	c := NewClient(o)
	opener := func(scheme string) func(ctx context.Context, network, address string) (net.Conn, error) {
		return func(ctx context.Context, _, address string) (net.Conn, error) {
			t, err := c.parse(scheme + "://" + address + "/")
			if err != nil {
				return nil, err
			}
			return c.open(ctx, t)
		}
	}
	return &http.Transport{
		DialContext: opener("http"), DialTLSContext: opener("https"),
		ResponseHeaderTimeout: 30 * time.Second, ExpectContinueTimeout: time.Second, IdleConnTimeout: 30 * time.Second,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256,
		MaxResponseHeaderBytes: maxHead, DisableCompression: true,
	}
}
