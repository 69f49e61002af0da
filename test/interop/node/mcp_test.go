package interop_test

import (
	"bufio"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sallyport/test/rig"
)

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
	s = s.ServeText(t, preset(t, s, backend))
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

// What docs/guide/mcp.md tells people to run does what it says.
func TestMD09TheExamplesOfTheMCPGuideWork(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	backend := rig.FreeAddr(t)
	s = s.ServeText(t, preset(t, s, backend))
	p := s.Person(t)
	run := func(script string, env []string, args ...string) *bufio.Scanner {
		cmd := exec.CommandContext(t.Context(), "node", append([]string{example(t, script)}, args...)...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return bufio.NewScanner(out)
	}
	next := func(lines *bufio.Scanner) string {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("no line: %v", lines.Err())
		}
		return lines.Text()
	}
	next(run("server.mjs", []string{"PORT=" + strconv.Itoa(port(t, backend))}))
	client := run("client.mjs", []string{"NODE_EXTRA_CA_CERTS=" + s.CAFile}, s.Issuer+"/mcp")
	address, ok := strings.CutPrefix(next(client), "Open ")
	if !ok {
		t.Fatalf("%q", address)
	}
	asked, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(p.Authorize(t, address, asked.Query().Get("redirect_uri")).String())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := next(client); !strings.HasPrefix(got, "You are ") || !strings.Contains(got, ", and you came by way of ") {
		t.Errorf("%q", got)
	}
}

// example copies a script to where its packages are.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "mcp", name))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(rig.NodeDir(), ".example-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// preset is what sallyport init --preset mcp writes, with the addresses of s.
func preset(t *testing.T, s *rig.Server, backend string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "cmd", "sallyport", "init_mcp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("https://localhost:8443", s.Issuer, `":8443"`, `"`+s.Listen+`"`, "127.0.0.1:9464", rig.FreeAddr(t), "127.0.0.1:9000", backend).Replace(string(text))
}
