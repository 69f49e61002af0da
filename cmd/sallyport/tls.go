package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"sallyport/internal/certificates"
	"sallyport/internal/outbound"
)

// certificate is that of the listeners. It may be replaced at any time: the next
// handshake has the new one. Safe for concurrent use.
type certificate struct {
	p    atomic.Pointer[tls.Certificate]
	acme *certificates.Manager // nil: they come from files
}

func (c *certificate) set(cert tls.Certificate) { c.p.Store(&cert) }

func (c *certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.acme != nil {
		return c.acme.Get(hello)
	}
	return c.p.Load(), nil
}

func tlsConfigFor(cert *certificate) *tls.Config {
	c := &tls.Config{
		GetCertificate: cert.get,
		MinVersion:     tls.VersionTLS12,
		CipherSuites:   outbound.CipherSuites,
	}
	if cert.acme != nil {
		c.NextProtos = []string{"h2", "http/1.1", certificates.Protocol}
	}
	return c
}

// certificate reads or makes what tls in the configuration says.
func (c *config) certificate(now time.Time) (tls.Certificate, error) {
	if c.TLS.SelfSigned {
		return selfSigned(c.issuerHost(), now)
	}
	cert, err := tls.LoadX509KeyPair(c.file(c.TLS.CertFile), c.file(c.TLS.KeyFile))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	return cert, nil
}

// selfSigned makes a certificate that nobody trusts, for one start.
func selfSigned(host string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	names := []string{"localhost"}
	if host != "localhost" && net.ParseIP(host) == nil {
		names = append(names, host)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: host},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: names, IPAddresses: loopbacks,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

var loopbacks = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}

const (
	headerTimeout  = 10 * time.Second
	readTimeout    = 2 * time.Minute // for a whole request: 10 MiB at 0.7 Mbit/s
	writeTimeout   = 3 * time.Minute // from the request's head to the end of the answer; streams lift it
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
)

// newServer returns a server whose limits hold before any handler runs. The
// gateway lifts those of reading and writing for streams, which have others.
func newServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		DisableGeneralOptionsHandler: true, // OPTIONS * is refused like any other path that is not served
		ErrorLog:                     log.New(&serverLog{logger}, "", 0),
	}
}

// serverLog takes what net/http says of connections. Its text can quote what a
// client sent, so only the kind is kept.
type serverLog struct{ logger *slog.Logger }

func (l *serverLog) Write(b []byte) (int, error) {
	text, kind := string(b), "other"
	switch {
	case strings.HasPrefix(text, "http: TLS handshake error"):
		l.logger.Debug("TLS handshake failed")
		return len(b), nil
	case strings.Contains(text, "panic serving"):
		kind = "panic"
	case strings.Contains(text, "Accept error"):
		kind = "accept"
	case strings.HasPrefix(text, "http2:"):
		kind = "http2"
	}
	l.logger.Warn("connection failed", slog.String("kind", kind))
	return len(b), nil
}
