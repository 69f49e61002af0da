package interop_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"

	"sallyport/test/rig"
)

// mcpConfig has no client: those that come introduce themselves.
const mcpConfig = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
registration: {policy: open, scope: "openid offline_access notes.use"}
client_id_metadata_documents: {policy: on, scope: "openid offline_access notes.use"}
scopes: {notes.use: Use your notes}
apis:
  - name: notes
    audience: %[1]s/mcp
    path: /mcp
    upstream: http://%[4]s/mcp
    operations:
      - {match: "POST /", scope: notes.use}
      - {match: "GET /", scope: notes.use}
      - {match: "DELETE /", scope: notes.use}
`

// A client of the TypeScript MCP SDK that knows nothing but the address of an MCP
// server finds its way to a tool call (MD09, CL12).
func TestMD09AnMCPClientFindsItsWayIn(t *testing.T) {
	const callback = "http://127.0.0.1:4711/callback" // never opened
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	t.Setenv("SSL_CERT_FILE", s.CAFile) // the issuer fetches the document from this machine
	backend, document := rig.FreeAddr(t), rig.FreeAddr(t)
	s = s.ServeText(t, fmt.Sprintf(mcpConfig, s.Issuer, s.Listen, rig.FreeAddr(t), backend))
	p := s.Person(t)
	s.Node(t, "mcp.mjs", map[string]any{
		"issuer": s.Issuer, "server": s.Issuer + "/mcp", "redirect_uri": callback, "backend": port(t, backend),
		"client_id": "https://" + document + "/client.json", "cert": filepath.Join(s.State, "cert.pem"), "key": filepath.Join(s.State, "key.pem"),
	}, nil, func(q map[string]string) any {
		return map[string]string{"landed": p.Authorize(t, q["authorize"], callback).String()}
	})
}

func port(t *testing.T, addr string) int {
	t.Helper()
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return int(ap.Port())
}
