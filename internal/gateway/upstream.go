package gateway

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"sallyport/internal/http1"
	"sallyport/internal/outbound"
)

// newUpstream returns the transport of an API whose backend needs one of its
// own, or nil.
func newUpstream(o *Options, b *Backend) http.RoundTripper {
	if b.Protocol != H2 && b.Protocol != H2C && b.TLS == nil && b.ConnectTimeout == 0 && b.AnswerTimeout == 0 {
		return nil
	}
	answer := b.AnswerTimeout
	if answer == 0 {
		answer = o.UpstreamTimeout
	}
	dialer := &net.Dialer{Timeout: b.ConnectTimeout, KeepAlive: 30 * time.Second}
	if dialer.Timeout == 0 {
		dialer.Timeout = 5 * time.Second
	}
	conf := upstreamTLS()
	if b.TLS != nil {
		conf = outboundPolicy(b.TLS)
	}
	if b.Protocol != H2 && b.Protocol != H2C {
		return http1.NewTransport(http1.Options{Dial: dialer.DialContext, HeaderTimeout: answer, TLS: conf})
	}
	t := NewTransport(answer)
	t.DialContext, t.TLSClientConfig, t.TLSHandshakeTimeout = dialer.DialContext, conf, dialer.Timeout
	t.Protocols = &http.Protocols{}
	t.Protocols.SetHTTP2(b.Protocol == H2)
	t.Protocols.SetUnencryptedHTTP2(b.Protocol == H2C)
	// A backend that takes connections and answers nothing is noticed.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 10 * time.Second}
	return t
}

// outboundPolicy is c with the rules of every connection that goes out.
func outboundPolicy(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MinVersion, c.CipherSuites = tls.VersionTLS12, outbound.CipherSuites
	return c
}
