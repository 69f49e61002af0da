package interop_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sallyport/test/rig"
)

// serveConfig guards one backend of the test, with the keys that dev has made.
const serveConfig = `issuer: %[1]s
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
    tier: standard
    operations:
      - {match: "GET /items/{id}", scope: catalog.read}
clients:
  - {client_id: demo-service, type: service, secret_file: demo-service.secret, scope: catalog.read}
`

func TestBackendVerifiesInnerTokenWithJose(t *testing.T) {
	got := make(chan http.Header, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Clone() }))
	t.Cleanup(backend.Close)
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	s.ServeText(t, fmt.Sprintf(serveConfig, s.Issuer, s.Listen, rig.FreeAddr(t), backend.URL))
	tok := s.ServiceToken(t, "catalog.read")
	api := s.API(t, "catalog")
	if status, _, body := s.Call(t, http.MethodGet, api.Item("1"), tok.AccessToken); status != http.StatusOK {
		t.Fatalf("GET item: status %d: %s", status, body)
	}
	h := <-got
	inner, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok || len(h.Values("Authorization")) != 1 {
		t.Fatalf("the backend got Authorization %q", h.Values("Authorization"))
	}
	s.Node(t, "inner.mjs", map[string]string{
		"issuer": s.Issuer, "audience": api.Audience, "other": s.API(t, "weather").Audience, "client_id": s.ServiceClientID,
		"inner": inner, "outer": tok.AccessToken,
	}, nil, nil)
}
