package browser_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

const (
	issuerHost  = "auth.example.test"
	siblingHost = "evil.example.test"
)

// T009: a hostile page on a sibling site, which browsers count as the same site, so
// that cookies travel with its requests, changes nothing in the browser of somebody
// who is signed in.
func TestT009EvilSiblingSiteChangesNothing(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("dev ended with %d", code)
	}
	text, err := os.ReadFile(filepath.Join(s.State, "sallyport.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		t.Fatal(err)
	}
	before := s.Issuer
	s.Issuer, s.CAFile = "https://"+issuerHost+":"+port, certificates(t, s.State, issuerHost)
	s.ServeText(t, strings.ReplaceAll(string(text), before, s.Issuer))
	s.RedirectURI = listener(t)
	settings := map[string]string{
		"issuer": s.Issuer, "sibling": "https://" + siblingHost, "username": s.Username, "password": s.Password, "redirect_uri": s.RedirectURI,
		"resolve": "MAP " + issuerHost + " 127.0.0.1",
	}
	s.Node(t, "browser-sibling.mjs", settings, []string{"HOME=" + home(t, s.CAFile), "SALLYPORT_SCREENSHOTS=" + screenshots(t)}, func(map[string]string) any {
		address, _ := s.AuthorizeURL(rig.ReadScope)
		return map[string]string{"address": address}
	})
}

// certificates replaces the ones in a folder by one for host, and returns the file
// of the CA that it is from.
func certificates(t *testing.T, dir, host string) (caFile string) {
	t.Helper()
	make1 := func(serial int64, ca bool, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		if ca {
			c.KeyUsage, c.ExtKeyUsage, parent, by = x509.KeyUsageCertSign, nil, c, key
		} else {
			c.DNSNames = []string{host}
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	ca, caKey := make1(1, true, nil, nil)
	leaf, key := make1(2, false, ca, caKey)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: leaf.Raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: pkcs8}, "ca-of-test.pem": {Type: "CERTIFICATE", Bytes: ca.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "ca-of-test.pem")
}
