package clients_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

const config = `issuer: %[1]s
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
    cors_origins: ["https://localhost:%[5]s"]
    operations:
      - {match: "GET /items/{id}", scope: catalog.read}
clients:
  - {client_id: demo-app, type: native, redirect_uris: ["http://127.0.0.1/callback"], scope: openid catalog.read}
  - {client_id: demo-web, type: server, secret_file: demo-web.secret, redirect_uris: ["https://localhost:%[5]s/callback"], post_logout_redirect_uris: ["https://localhost:%[5]s/"], scope: openid profile catalog.read}
  - {client_id: demo-spa, type: browser, redirect_uris: ["https://localhost:%[5]s/"], post_logout_redirect_uris: ["https://localhost:%[5]s/"], scope: openid catalog.read}
`

// serve starts an issuer for the examples, of which one is served on the port that
// it returns.
func serve(t *testing.T) (s *rig.Server, port string) {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the item") }))
	t.Cleanup(backend.Close)
	s = rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("dev ended with %d", code)
	}
	_, port, _ = strings.Cut(rig.FreeAddr(t), ":")
	return s.ServeText(t, fmt.Sprintf(config, s.Issuer, s.Listen, rig.FreeAddr(t), backend.URL, port)), port
}

// example is a running example, of which the first line with a mark is waited for.
type example struct {
	lines chan string
	wait  func() error
}

func start(t *testing.T, cmd *exec.Cmd) *example {
	t.Helper()
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e := &example{lines: make(chan string, 100), wait: cmd.Wait}
	go func() {
		defer close(e.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			e.lines <- sc.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if t.Failed() {
			t.Logf("stderr: %s", &problems)
		}
	})
	return e
}

// line returns what follows mark in the first line that has it.
func (e *example) line(t *testing.T, mark string) string {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case text, more := <-e.lines:
			if _, after, found := strings.Cut(text, mark); found {
				return after
			}
			if !more {
				t.Fatalf("the example ended before it said %q", mark)
			}
		case <-limit:
			t.Fatalf("the example does not say %q", mark)
		}
	}
}

// built builds an example in Go.
func built(t *testing.T, name string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./examples/clients/"+name)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

func TestNativeExample(t *testing.T) {
	t.Parallel()
	s, _ := serve(t)
	e := start(t, exec.CommandContext(t.Context(), built(t, "native"), "-issuer", s.Issuer, "-ca", s.CAFile, "-call", s.Issuer+"/catalog/items/1"))
	back := s.Person(t).Authorize(t, strings.TrimSpace(e.line(t, "open in your browser:")), "http://127.0.0.1:")
	res, err := http.Get(back.String()) // what the browser does
	if err != nil {
		t.Fatal(err)
	}
	if body := rig.ReadBody(t, res); !strings.Contains(body, "go back to the app") {
		t.Errorf("the browser sees %q", body)
	}
	e.line(t, "signed in as ")
	if got := e.line(t, "200 OK "); got != "the item" {
		t.Errorf("the call gave %q", got)
	}
	e.line(t, "signed out")
	if err := e.wait(); err != nil {
		t.Error(err)
	}
}

func TestCL30ServerExample(t *testing.T) {
	t.Parallel()
	s, port := serve(t)
	dir := filepath.Join("..", "..", "examples", "clients", "server")
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		t.Fatalf("npm packages are missing, run test/setup.sh: %v", err)
	}
	base := "https://localhost:" + port
	cmd := exec.CommandContext(t.Context(), "node", "server.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+s.CAFile, "ISSUER="+s.Issuer, "BASE="+base, "SECRET_FILE="+filepath.Join(s.State, "demo-web.secret"),
		"CERT_FILE="+filepath.Join(s.State, "cert.pem"), "KEY_FILE="+filepath.Join(s.State, "key.pem"))
	start(t, cmd).line(t, "open ")
	person := s.Person(t)
	page := person.Go(t, base+"/login", "")
	page = person.SignIn(t, page, "")
	if page.Has("allow") {
		page = person.Press(t, page, "allow", nil, "")
	}
	if !strings.HasPrefix(page.Body, "signed in as ") {
		t.Fatalf("after signing in: %s: %s", page.URL, page.Body)
	}
	if page = person.Go(t, base+"/call", ""); page.Status != http.StatusOK || page.Body != "the item" {
		t.Errorf("the call: status %d: %s", page.Status, page.Body)
	}
	// An answer that belongs to another browser is refused.
	if page := s.Person(t).Go(t, base+"/callback?code=x&state=y", ""); page.Status != http.StatusBadRequest {
		t.Errorf("a stranger's callback: status %d", page.Status)
	}
	page = person.Go(t, base+"/logout", "")
	if page.Has("confirm") {
		person.Press(t, page, "confirm", nil, "")
	}
	if page = person.Go(t, base+"/", ""); !strings.HasPrefix(page.Body, "not signed in") {
		t.Errorf("after signing out: %s: %s", page.URL, page.Body)
	}
	if page = person.Go(t, base+"/login", ""); !page.Has("login") {
		t.Errorf("the issuer still knows the person: %s", page.URL)
	}
}

func TestBrowserExample(t *testing.T) {
	t.Parallel()
	s, port := serve(t)
	cmd := exec.CommandContext(t.Context(), built(t, "browser"), "-listen", "localhost:"+port, "-issuer", s.Issuer, "-api", s.Issuer+"/catalog/items/1",
		"-cert", filepath.Join(s.State, "cert.pem"), "-key", filepath.Join(s.State, "key.pem"))
	app := strings.TrimSpace(start(t, cmd).line(t, "open "))
	waitFor(t, s, app)
	home := t.TempDir()
	rig.TrustCA(t, home, s.CAFile)
	settings := map[string]string{"app": app, "username": s.Username, "password": s.Password}
	s.Node(t, "browser-example.mjs", settings, []string{"HOME=" + home, "SALLYPORT_SCREENSHOTS=" + t.TempDir()}, nil)
}

func waitFor(t *testing.T, s *rig.Server, address string) {
	t.Helper()
	for range 100 {
		res, err := s.Client().Get(address)
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nothing answers at %s", address)
}
