package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

func clientCertificate(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-24 * time.Hour), NotAfter: until}, &x509.Certificate{}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestPP20CertificateOfThisConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, high, func(o *gateway.Options) { o.MutualTLS = mutualURL })
	front := httptest.NewUnstartedServer(f.handler())
	front.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	front.StartTLS()
	t.Cleanup(front.Close)
	hour := time.Now().Add(time.Hour)
	mine, other, old := clientCertificate(t, hour), clientCertificate(t, hour), clientCertificate(t, time.Now().Add(-time.Minute))
	bound := func(c tls.Certificate) string {
		a := f.access()
		strong(&a)
		a.Confirm = token.Confirmation{Method: token.ConfirmX5T, Digest: token.CertificateDigest(c.Leaf)}
		return f.seal(a)
	}
	spoofed := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: mine.Certificate[0]})))
	for _, tt := range []struct {
		name          string
		certificates  []tls.Certificate
		authorization string
		header        http.Header
		reason        string
	}{
		{"its own", []tls.Certificate{mine}, "Bearer " + bound(mine), nil, ""},
		{"none", nil, "Bearer " + bound(mine), nil, "certificate_missing"},
		{"another", []tls.Certificate{other}, "Bearer " + bound(mine), nil, "certificate_other"},
		{"header spoof without certificate", nil, "Bearer " + bound(mine), http.Header{
			"X-Client-Cert": {spoofed}, "Client-Cert": {spoofed}, "X-Ssl-Client-Cert": {spoofed}, "X-Forwarded-Client-Cert": {"Cert=" + spoofed},
		}, "certificate_missing"},
		{"header spoof with another certificate", []tls.Certificate{other}, "Bearer " + bound(mine), http.Header{"X-Client-Cert": {spoofed}}, "certificate_other"},
		{"one that has expired", []tls.Certificate{old}, "Bearer " + bound(old), nil, "certificate_expired"},
		{"J096 as DPoP", []tls.Certificate{mine}, "DPoP " + bound(mine), nil, "certificate_token_as_dpop"},
		{"FAPI §5.3.4 a token that is not bound, with a certificate", []tls.Certificate{mine}, f.bearer(strong), nil, "token_not_bound"},
		{"its own, again", []tls.Certificate{mine}, "Bearer " + bound(mine), nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.catchUp()
			f.taken()
			transport := front.Client().Transport.(*http.Transport).Clone()
			transport.TLSClientConfig.Certificates = tt.certificates
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), "GET", front.URL+"/catalog/items/1", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != nil {
				req.Header = tt.header
			}
			req.Header.Set("Authorization", tt.authorization)
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, res)
			if tt.reason == "" {
				if calls := f.taken(); got.Status != 200 || len(calls) != 1 {
					t.Errorf("status %d %v", got.Status, f.reasons())
				}
				return
			}
			f.refused(t, got, "invalid_token", "request.refused "+tt.reason)
			if !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), strings.Fields(tt.authorization)[0]+` error="invalid_token"`) {
				t.Errorf("challenge %q", got.Header["Www-Authenticate"])
			}
		})
	}
	t.Run("over a connection without TLS", func(t *testing.T) {
		f.catchUp()
		f.refused(t, f.get("/catalog/items/1", "Bearer "+bound(mine)), "invalid_token", "request.refused certificate_missing")
	})
}
