package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The same policy at each listener that speaks TLS: 1.3 first, 1.2 with ECDHE and an
// AEAD, a hybrid key exchange for who has it, and nothing else.
func TestT146TL01TL02TL10EachListener(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	var cert certificate
	cert.set(pair)
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, devCAFile))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatal(err)
	}
	weak := []uint16{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
	}
	for name, config := range map[string]*tls.Config{"listen": tlsConfigFor(&cert), "mtls_listen": mutualTLSFor(&cert)} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_ = c.SetDeadline(time.Now().Add(5 * time.Second))
					_ = c.(*tls.Conn).Handshake()
				}()
			}
		}()
		dial := func(c *tls.Config) (tls.ConnectionState, error) {
			c.RootCAs, c.ServerName = roots, "localhost"
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", l.Addr().String(), c)
			if err != nil {
				return tls.ConnectionState{}, err
			}
			defer conn.Close()
			return conn.ConnectionState(), nil
		}
		best, err := dial(&tls.Config{MinVersion: tls.VersionTLS10})
		if err != nil || best.Version != tls.VersionTLS13 || best.CurveID != tls.X25519MLKEM768 {
			t.Errorf("%s: a client that can do all gets version %x and key exchange %v, %v", name, best.Version, best.CurveID, err)
		}
		for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			if s, err := dial(&tls.Config{MinVersion: v, MaxVersion: v}); err == nil {
				t.Errorf("%s: version %x is taken", name, s.Version)
			}
		}
		for _, suite := range weak {
			if s, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}); err == nil {
				t.Errorf("%s: %s is taken", name, tls.CipherSuiteName(s.CipherSuite))
			}
		}
		for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256} {
			if s, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}); err != nil || s.CipherSuite != suite {
				t.Errorf("%s: %s is refused: %v", name, tls.CipherSuiteName(suite), err)
			}
		}
	}
}
