// Package tlstest holds what connects to others against servers that no connection of
// ours may be made to, and one that it may.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// certificate is one that nobody trusts: what is looked at comes before that.
func certificate(t testing.TB, ec bool) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if ec {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Servers are what connects may meet (T147).
var servers = []struct {
	name   string
	config *tls.Config
	agreed bool // a version and a suite are found
}{
	{"TLS 1.0", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, false},
	{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	{"CBC", &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	}}, false},
	{"RSA key exchange", &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	}}, false},
	{"TLS 1.2 with ECDHE and GCM", &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}, true},
	{"TLS 1.3", &tls.Config{MinVersion: tls.VersionTLS13}, true},
}

// Holds fails t if connect, which is given the address of a server, comes to terms with
// one that speaks an old TLS or a weak suite, or not with a good one. before, if not nil,
// is what the server says and reads before TLS.
func Holds(t *testing.T, connect func(address string), before func(net.Conn) error) {
	t.Helper()
	pairs := []tls.Certificate{certificate(t, true), certificate(t, false)}
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			config := s.config.Clone()
			config.Certificates = pairs
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ended := make(chan error, 64)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_ = c.SetDeadline(time.Now().Add(5 * time.Second))
					go func() {
						defer c.Close()
						if before != nil {
							if err := before(c); err != nil {
								ended <- err
								return
							}
						}
						ended <- tls.Server(c, config).Handshake()
					}()
				}
			}()
			connect(l.Addr().String())
			select {
			case err = <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("it does not connect")
			}
			if agreed := err == nil || strings.Contains(err.Error(), "remote error: tls: "); agreed != s.agreed {
				t.Errorf("the handshake ends with %v; a version and a suite agreed: %t, want %t", err, agreed, s.agreed)
			}
		})
	}
}
