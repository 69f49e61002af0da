package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sallyport/test/rig"
)

// head is the configuration of every plan, with the keys and people that dev has
// made; clients and more follow.
const head = `issuer: %[1]s
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
`

// secretFile writes a client secret that nobody else has.
func secretFile(t testing.TB, s *rig.Server, name string) string {
	t.Helper()
	text := rig.Random()
	if err := os.WriteFile(filepath.Join(s.State, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return text
}

// serve starts an issuer with more of a configuration than head. rest gets a
// server whose state can be written to before it starts.
func serve(t testing.TB, rest func(s *rig.Server) string) *rig.Server {
	t.Helper()
	return serveWith(t, "http://127.0.0.1:9", rest)
}

// serveWith is serve with a backend behind the catalog.
func serveWith(t testing.TB, upstream string, rest func(s *rig.Server) string) *rig.Server {
	t.Helper()
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("dev ended with %d", code)
	}
	text := fmt.Sprintf(head, s.Issuer, s.Listen, rig.FreeAddr(t), upstream) + rest(s)
	return s.ServeText(t, text)
}
