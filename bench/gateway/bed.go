package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// bed is what all variants share: the folder with the certificate, the upstream,
// and the token that all of them are shown.
type bed struct {
	dir, self, bin string
	tls            *tls.Config
	upstream       string // address
	procs          []*process
	gate, quiet    *sallyport // quiet writes no line for a call that passes
}

func newBed(ctx context.Context, bin string) (*bed, error) {
	dir, err := os.MkdirTemp("", "bench-gateway-*")
	if err != nil {
		return nil, err
	}
	b := &bed{dir: dir, bin: bin}
	if b.self, err = os.Executable(); err == nil {
		err = b.setUp(ctx)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bed) setUp(ctx context.Context) error {
	err := os.Chmod(b.dir, 0o755) //nolint:gosec // other servers run as users of their own
	if err != nil {
		return err
	}
	if err := b.certify(); err != nil {
		return err
	}
	if b.upstream, err = freeAddress(); err != nil {
		return err
	}
	up, err := b.launch(ctx, clientCore, "upstream", b.self, "-role", "upstream", "-at", b.upstream)
	if err != nil {
		return err
	}
	if err := waitListening(up, b.upstream); err != nil {
		return err
	}
	if b.gate, err = b.startSallyport(ctx, "sallyport", "all"); err == nil {
		b.quiet, err = b.startSallyport(ctx, "quiet", "refused")
	}
	return err
}

func (b *bed) close() {
	for _, p := range b.procs {
		p.stop()
	}
	_ = os.RemoveAll(b.dir)
}

func (b *bed) launch(ctx context.Context, core, name string, args ...string) (*process, error) {
	p, err := launch(ctx, core, filepath.Join(b.dir, name+".log"), args...)
	if err == nil {
		b.procs = append(b.procs, p)
	}
	return p, err
}

// certify makes the one certificate, of P-256.
func (b *bed) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost", appHost}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	b.tls = &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	return errors.Join(b.write("cert.pem", string(certPEM)), b.write("key.pem", string(keyPEM)), b.write("both.pem", string(certPEM)+string(keyPEM)))
}

func (b *bed) write(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(filepath.Join(b.dir, name)), 0o755); err != nil { //nolint:gosec // as above
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func waitListening(p *process, address string) error {
	for range 500 {
		select {
		case err := <-p.exited:
			p.exited <- err
			return p.failed(errors.New("it ended before it was ready"))
		case <-time.After(20 * time.Millisecond):
		}
		if c, err := net.Dial("tcp", address); err == nil {
			return c.Close()
		}
	}
	return p.failed(errors.New("it does not listen"))
}

// verify asks once with what is to be measured, and once with a damaged token,
// where the variant checks any.
func (b *bed) verify(v *variant) error {
	call, err := v.caller(b)
	if err != nil {
		return err
	}
	for _, try := range []struct {
		request []byte
		status  int
		applies bool
	}{{call(0, 0), 200, true}, {v.get(damaged), 401, v.checks}} {
		if !try.applies {
			continue
		}
		c, err := dial(b.tls, v.address)
		if err != nil {
			return v.proc.failed(err)
		}
		status, _, err := c.call(try.request)
		_ = c.c.Close()
		if err != nil || status != try.status {
			return v.proc.failed(fmt.Errorf("status %d instead of %d, %w", status, try.status, err))
		}
	}
	return nil
}

// get is the request that everybody is sent.
func (v *variant) get(authorization string, fields ...string) []byte {
	host := "localhost"
	if v.host != "" {
		host = v.host
	}
	s := "GET " + v.path + " HTTP/1.1\r\nHost: " + host + ":" + port(v.address) + "\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n"
	if authorization != "" {
		s += "Authorization: " + authorization + "\r\n"
	}
	for _, f := range fields {
		s += f + "\r\n"
	}
	return []byte(s + "\r\n")
}
