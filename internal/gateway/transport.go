package gateway

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// CipherSuites are those of TLS 1.2, for listeners and connections to upstreams
// alike: ECDHE with AES-GCM or ChaCha20 and nothing else (RFC 9325 §4.2); Go's
// own default would still take CBC. TLS 1.3 has no others. Do not change it.
var CipherSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// NewTransport returns the transport to upstreams: no proxy from the
// environment, bounded waits, TLS 1.2 or later, bodies passed as they are.
// timeout is how long an upstream may take until its answer begins.
func NewTransport(timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: CipherSuites},
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
	if c := callOf(r.Context()); c != nil {
		r = r.WithContext(c) //nolint:contextcheck // the parent of the one it has
	}
	return t.next.RoundTrip(r)
}

func (t quietTransport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}
