package gateway

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"sallyport/internal/http1"
	"sallyport/internal/outbound"
)

// newUpstreams returns the transport to upstreams that speak HTTP/1.1, which is
// all but those that are configured otherwise.
func newUpstreams(timeout time.Duration) *http1.Transport {
	return http1.NewTransport(http1.Options{HeaderTimeout: timeout, TLS: upstreamTLS()})
}

func upstreamTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: outbound.CipherSuites}
}

// NewTransport returns a transport to upstreams that speak HTTP/2: no proxy from the
// environment, bounded waits, TLS 1.2 or later, bodies passed as they are.
// timeout is how long an upstream may take until its answer begins.
func NewTransport(timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        upstreamTLS(),
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
