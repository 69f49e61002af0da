package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sallyport/test/rig"
)

// requestsConfig has a client that may push and sign its requests, and one that
// must.
const requestsConfig = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {catalog.read: See the catalog}
apis:
  - name: catalog
    audience: %[1]s/catalog
    path: /catalog
    upstream: %[4]s
    operations:
      - {match: "GET /items/{id}", scope: catalog.read}
clients:
  - {client_id: web, type: server, secret_file: demo-web.secret, redirect_uris: ["%[5]s"], scope: openid profile catalog.read, jwks_file: web.jwks}
  - client_id: strict
    type: server
    secret_file: demo-web.secret
    redirect_uris: ["%[5]s"]
    scope: openid profile catalog.read
    jwks_file: web.jwks
    require_pushed_authorization_requests: true
    require_signed_request_object: true
`

func TestPR01PR08JavaScriptPushesAndSigns(t *testing.T) {
	const callback = "https://app.example.com/callback" // never opened
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(backend.Close)
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := writeJWKS(t, filepath.Join(s.State, "web.jwks"), jose.JSONWebKey{Key: key, KeyID: "web-1", Use: "sig", Algorithm: "ES256"})
	secret, err := os.ReadFile(filepath.Join(s.State, "demo-web.secret"))
	if err != nil {
		t.Fatal(err)
	}
	s = s.ServeText(t, fmt.Sprintf(requestsConfig, s.Issuer, s.Listen, rig.FreeAddr(t), backend.URL, callback))
	p := s.Person(t)
	s.Node(t, "requests.mjs", map[string]any{
		"issuer": s.Issuer, "client_id": "web", "strict_id": "strict", "client_secret": strings.TrimSpace(string(secret)), "redirect_uri": callback, "client_key": private,
	}, nil, func(q map[string]string) any {
		if address, ok := q["opens"]; ok {
			return map[string]int{"status": p.Go(t, address, callback).Status}
		}
		return map[string]string{"landed": p.Authorize(t, q["authorize"], callback).String()}
	})
}
