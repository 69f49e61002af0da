package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sallyport/test/rig"
)

// nestedConfig has an API of each kind of token that is not sealed, and an app
// that wants its answers encrypted.
const nestedConfig = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {catalog.read: See the catalog, reports.read: Read reports}
apis:
  - name: catalog
    audience: %[1]s/catalog
    path: /catalog
    upstream: %[4]s
    token_format: jwt
    operations:
      - {match: "GET /items/{id}", scope: catalog.read}
  - name: reports
    audience: https://reports.example.com
    token_format: nested
    jwks_file: reports.jwks
    scopes: [reports.read]
clients:
  - client_id: %[5]s
    type: native
    redirect_uris: ["%[6]s"]
    scope: openid profile catalog.read reports.read
    jwks_uri: %[7]s
    id_token_encrypted_response_alg: ECDH-ES+A256KW
    id_token_encrypted_response_enc: A256GCM
    userinfo_signed_response_alg: ES256
    userinfo_encrypted_response_alg: ECDH-ES+A256KW
    userinfo_encrypted_response_enc: A256GCM
`

// writeJWKS writes the public half of a key as a set and returns the private one.
func writeJWKS(t *testing.T, file string, key jose.JSONWebKey) jose.JSONWebKey {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestT062JavaScriptReadsEncryptedTokens(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(backend.Close)
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(s.State, "client.jwks")
	clientKey := writeJWKS(t, published, jose.JSONWebKey{Key: ec, KeyID: "app-1", Use: "enc"})
	reportsKey := writeJWKS(t, filepath.Join(s.State, "reports.jwks"), jose.JSONWebKey{Key: rsaKey, KeyID: "reports-1", Use: "enc", Algorithm: "RSA-OAEP-256"})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		http.ServeFile(w, r, published)
	}))
	t.Cleanup(app.Close)
	s.ServeText(t, fmt.Sprintf(nestedConfig, s.Issuer, s.Listen, rig.FreeAddr(t), backend.URL, s.ClientID, s.RedirectURI, app.URL+"/jwks.json"))
	s.Node(t, "nested.mjs", map[string]any{
		"issuer": s.Issuer, "client_id": s.ClientID, "redirect_uri": s.RedirectURI, "client_key": clientKey,
		"reports": "https://reports.example.com", "reports_key": reportsKey,
		"catalog": s.Issuer + "/catalog", "item": s.Issuer + "/catalog/items/1",
	}, nil, person(t, s))
}
