package interop_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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

// serve runs `sallyport serve` on the state of a dev that has been stopped.
func serve(t *testing.T, s *rig.Server, upstream string) {
	t.Helper()
	serveText(t, s, fmt.Sprintf(serveConfig, s.Issuer, s.Listen, rig.FreeAddr(t), upstream))
}

// serveText is serve with another configuration.
func serveText(t *testing.T, s *rig.Server, text string) {
	t.Helper()
	file := filepath.Join(s.State, "serve.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rig.Binary(t), "serve", "-c", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-gone; err != nil {
			t.Errorf("serve ended with %v\n%s", err, &stderr)
		}
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if res, err := s.Client().Get(s.Issuer + "/.well-known/openid-configuration"); err == nil {
			rig.ReadBody(t, res)
			return
		}
	}
	t.Fatal("serve did not become ready")
}

func TestBackendVerifiesInnerTokenWithJose(t *testing.T) {
	got := make(chan http.Header, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Clone() }))
	t.Cleanup(backend.Close)
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	serve(t, s, backend.URL)
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
