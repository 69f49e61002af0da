package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// config has a client for each way to prove itself. Authlib signs for the token
// endpoint, and for an hour.
const config = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
mtls_listen: "%[4]s"
mtls_client_ca_file: client-ca.pem
assertion_lifetime: 1h
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
apis:
  - name: catalog
    audience: %[1]s/catalog
    scopes: [catalog.read]
clients:
  - {client_id: by-key, type: service, scope: catalog.read, token_endpoint_auth_method: private_key_jwt, jwks_file: client.jwks}
  - {client_id: by-old-key, type: service, scope: catalog.read, token_endpoint_auth_method: private_key_jwt, jwks_file: client.jwks, token_endpoint_auth_audience: token_endpoint}
  - {client_id: by-certificate, type: service, scope: catalog.read, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_dns: shop.example.com}
  - client_id: web-by-key
    type: server
    scope: openid catalog.read
    redirect_uris: ["https://shop.example.com/cb"]
    token_endpoint_auth_method: private_key_jwt
    jwks_file: client.jwks
`

const redirectURI = "https://shop.example.com/cb"

// house is a server with these clients, and what they have.
type house struct {
	*rig.Server
	key               jose.JSONWebKey
	keyFile           string
	certFile, certKey string
}

func start(t *testing.T) *house {
	t.Helper()
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	h := &house{keyFile: filepath.Join(s.State, "client.pem"), certFile: filepath.Join(s.State, "shop.pem"), certKey: filepath.Join(s.State, "shop-key.pem")}
	key := newKey(t)
	writeKey(t, h.keyFile, key)
	h.key = jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: "ES256", Use: "sig"}
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{h.key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.State, "client.jwks"), public)
	h.certify(t, s.State)
	h.Server = s.ServeText(t, fmt.Sprintf(config, s.Issuer, s.Listen, rig.FreeAddr(t), rig.FreeAddr(t)))
	return h
}

// certify makes an authority and a certificate of shop.example.com.
func (h *house) certify(t *testing.T, dir string) {
	t.Helper()
	now, root, shop := time.Now(), newKey(t), newKey(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "shop"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		DNSNames: []string{"shop.example.com"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range []struct {
		file     string
		template *x509.Certificate
		public   *ecdsa.PrivateKey
	}{{filepath.Join(dir, "client-ca.pem"), ca, root}, {h.certFile, leaf, shop}} {
		der, err := x509.CreateCertificate(rand.Reader, c.template, ca, c.public.Public(), root)
		if err != nil {
			t.Fatal(err)
		}
		write(t, c.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	writeKey(t, h.certKey, shop)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writeKey(t *testing.T, file string, key *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCL04NodeProvesItselfByAKey(t *testing.T) {
	h := start(t)
	jwk, err := json.Marshal(h.key)
	if err != nil {
		t.Fatal(err)
	}
	p := h.Person(t)
	set := map[string]string{"issuer": h.Issuer, "service_id": "by-key", "web_id": "web-by-key", "redirect_uri": redirectURI, "jwk": string(jwk)}
	h.Node(t, "private-key-jwt.mjs", set, nil, func(q map[string]string) any {
		return map[string]string{"landed": p.Authorize(t, q["authorize"], redirectURI).String()}
	})
}

// tokens runs a program of others that prints a method and a token a line.
func tokens(t *testing.T, name string, args ...string) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out, &problem)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if method, token, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(token, "spat_") {
			found[method] = append(found[method], token)
		}
	}
	return found
}

func TestCL04CL09JavaProvesItselfByKeyAndCertificate(t *testing.T) {
	h := start(t)
	jar := filepath.Join("java", "target", "client.jar")
	if _, err := os.Stat(jar); err != nil {
		t.Fatalf("the Java client is missing, run test/setup.sh: %v", err)
	}
	got := tokens(t, "java", "-jar", jar, h.Issuer, h.CAFile, "by-key", h.keyFile, "by-certificate", h.certFile, h.certKey)
	if len(got["private_key_jwt"]) != 1 || len(got["tls_client_auth"]) != 1 {
		t.Errorf("tokens: %v", got)
	}
	// The certificate is what counts: at the issuer's own address nobody asks for it.
	res, err := h.Post("/oauth/token", map[string][]string{"grant_type": {"client_credentials"}, "client_id": {"by-certificate"}}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if body := rig.ReadBody(t, res); res.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "invalid_client") {
		t.Errorf("without a certificate: %d %s", res.StatusCode, body)
	}
}

func TestCL04PythonProvesItselfByAKey(t *testing.T) {
	h := start(t)
	python := filepath.Join("..", "..", "backends", ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("Python packages are missing, run test/setup.sh: %v", err)
	}
	got := tokens(t, python, filepath.Join("python", "client.py"), h.Issuer, h.CAFile, "by-old-key", h.keyFile)
	if list := got["private_key_jwt"]; len(list) != 2 || list[0] == list[1] {
		t.Errorf("tokens: %v", got)
	}
}
