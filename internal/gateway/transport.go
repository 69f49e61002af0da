package gateway

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"sallyport/internal/outbound"
)

// NewTransport returns the transport to upstreams: no proxy from the
// environment, bounded waits, TLS 1.2 or later, bodies passed as they are.
// timeout is how long an upstream may take until its answer begins.
func NewTransport(timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: outbound.CipherSuites},
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  timeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           4096,
		MaxIdleConnsPerHost:    1024,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

// quietTransport hides from the transport that the proxy would like to hear
// of 1xx answers: passed on, they would bring headers to the client that were
// not stripped.
type quietTransport struct{ next http.RoundTripper }

func (t quietTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	next := t.next
	if c := callOf(r.Context()); c != nil {
		r = r.WithContext(c) //nolint:contextcheck // the parent of the one it has
		next = c.api.transport
	}
	return next.RoundTrip(r)
}

func (t quietTransport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}
