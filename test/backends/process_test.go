package backends_test

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/test/attack"
	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// root is the top of the tree, seen from here.
const root = "../.."

func inTree(t testing.TB, elem ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{root}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// must fails loudly if what a language needs has not been installed.
func must(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing: run test/setup.sh (make setup): %v", filepath.Base(path), err)
	}
	return path
}

// example is one backend: how it is started, trusting the CA in a PEM file.
type example struct {
	name  string
	start func(t testing.TB, caFile string) *exec.Cmd
}

var examples = []example{
	{"go", func(t testing.TB, ca string) *exec.Cmd {
		bin, err := goExample()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(bin)
		cmd.Env = []string{"SSL_CERT_FILE=" + ca}
		return cmd
	}},
	{"node", func(t testing.TB, ca string) *exec.Cmd {
		dir := inTree(t, "examples", "backends", "node")
		must(t, filepath.Join(dir, "node_modules", "jose"))
		cmd := exec.Command("node", "server.mjs")
		cmd.Dir, cmd.Env = dir, []string{"NODE_EXTRA_CA_CERTS=" + ca}
		return cmd
	}},
	{"python", func(t testing.TB, ca string) *exec.Cmd {
		cmd := exec.Command(python(t), "server.py")
		cmd.Dir, cmd.Env = inTree(t, "examples", "backends", "python"), []string{"SSL_CERT_FILE=" + ca, "PYTHONDONTWRITEBYTECODE=1"}
		return cmd
	}},
	{"java", func(t testing.TB, ca string) *exec.Cmd {
		jar := must(t, inTree(t, "examples", "backends", "java", "target", "backend.jar"))
		return exec.Command("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djavax.net.ssl.trustStore="+trustStore(t, ca),
			"-Djavax.net.ssl.trustStorePassword="+storePassword, "-jar", jar)
	}},
}

var goExample = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sallyport-example-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "backend")
	cmd := exec.Command("go", "build", "-o", bin, "./examples/backends/go")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

func python(t testing.TB) string {
	return must(t, inTree(t, "test", "backends", ".venv", "bin", "python"))
}

const storePassword = "changeit"

// trustStore is the CA in the form that Java reads.
func trustStore(t testing.TB, ca string) string {
	t.Helper()
	store := filepath.Join(t.TempDir(), "ca.p12")
	out, err := exec.Command("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", ca, "-keystore", store,
		"-storetype", "PKCS12", "-storepass", storePassword).CombinedOutput()
	if err != nil {
		t.Fatalf("keytool: %v\n%s", err, out)
	}
	return store
}

// process is a running example.
type process struct {
	url  string
	gone chan struct{}
	log  *bytes.Buffer
}

// run starts an example and waits until it says where it listens.
func (e example) run(t testing.TB, caFile, port string, env ...string) *process {
	t.Helper()
	cmd := e.start(t, caFile)
	cmd.Env = append(append(cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "PORT="+port), env...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{gone: make(chan struct{}), log: &bytes.Buffer{}}
	cmd.Stderr = p.log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the %s example: %v", e.name, err)
	}
	ready := make(chan string, 1)
	go func() {
		defer close(p.gone)
		for sc := bufio.NewScanner(stdout); sc.Scan(); {
			if _, url, ok := strings.Cut(sc.Text(), "listening on "); ok {
				ready <- url
			}
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-p.gone })
	select {
	case p.url = <-ready:
	case <-p.gone:
		t.Fatalf("the %s example ended: %s", e.name, p.log)
	case <-time.After(30 * time.Second):
		t.Fatalf("the %s example did not start: %s", e.name, p.log)
	}
	return p
}

func (p *process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// issuer is a gateway as far as keys go.
type issuer struct {
	attack.Target
	caFile  string
	fetches atomic.Int64
	down    atomic.Bool
	set     atomic.Pointer[[]byte]
}

func newIssuer(t testing.TB, set func(attack.Target) []byte) *issuer {
	t.Helper()
	i := &issuer{Target: attack.Target{
		Issuer: "https://issuer.example", Audience: "https://issuer.example/catalog", Type: "sallyport-inner+jwt",
		Key: attack.NewKey("EdDSA", "current"), Retired: attack.NewKey("EdDSA", "retired"), Foreign: attack.NewKey("EdDSA", "current"), Now: time.Now(),
	}}
	i.publish(set(i.Target))
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		if i.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write(*i.set.Load())
	}))
	t.Cleanup(s.Close)
	i.JWKSURL = s.URL + "/jwks.json"
	i.caFile = filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(i.caFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *issuer) publish(set []byte) { i.set.Store(&set) }

func (i *issuer) run(t testing.TB, e example) *process {
	t.Helper()
	return e.run(t, i.caFile, "0", i.env()...)
}

func (i *issuer) env() []string {
	return []string{"ISSUER=" + i.Issuer, "AUDIENCE=" + i.Audience, "JWKS_URL=" + i.JWKSURL}
}

// token is a fresh one, by k.
func (i *issuer) token(k attack.Key) string {
	t := i.Target
	t.Key, t.Now = k, time.Now()
	return t.Valid(k.ID)
}
