package rig

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Ready is the line that `sallyport dev --json` prints when it can be used.
type Ready struct {
	Issuer            string `json:"issuer"`
	CAFile            string `json:"ca_file"`
	Username          string `json:"username"`
	Password          string `json:"password"`
	ClientID          string `json:"client_id"`
	RedirectURI       string `json:"redirect_uri"`
	APIs              []API  `json:"apis"`
	PID               int    `json:"pid"`
	Metrics           string `json:"metrics"` // URL
	App               string `json:"app"`     // URL of the demo web page
	MutualTLS         string `json:"mtls"`    // URL of the listener that asks for client certificates
	ServiceClientID   string `json:"service_client_id"`
	ServiceSecretFile string `json:"service_secret_file"`
	Mails             string `json:"mails"` // folder that mail is written to
}

// API is one guarded API of the demo.
type API struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Tier     string `json:"tier"`
	Audience string `json:"audience"`
}

// Options say how to start. The zero value is a new state folder and a free port.
type Options struct {
	State  string   // folder; empty: a temporary one
	Listen string   // host:port; empty: a free port of 127.0.0.1
	Args   []string // more arguments
}

// Server is a running `sallyport dev`.
type Server struct {
	Ready
	State     string
	Listen    string
	Transport *http.Transport // trusts the CA of this server and no other

	cmd    *exec.Cmd
	stdout *sink
	stderr *sink
	gone   chan struct{} // closed when the process has ended
	record *Record
}

// startLimit is how long a start may take on a busy machine. The promise to
// people, under two seconds, is for a machine that does nothing else.
const startLimit = 30 * time.Second

// build makes the binary as make build does, or takes the one that make has
// just built.
var build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("SALLYPORT_BIN"); bin != "" {
		_, err := os.Stat(bin)
		return bin, err
	}
	dir, err := os.MkdirTemp("", "sallyport-bin-")
	if err != nil {
		return "", err
	}
	_, file, _, _ := runtime.Caller(0)
	bin := filepath.Join(dir, "sallyport")
	cmd := exec.Command("go", "build", "-trimpath", "-o", bin, "./cmd/sallyport")
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

// Main runs the tests of a package and removes what was built for them.
func Main(m *testing.M) {
	status := m.Run()
	if bin, err := build(); err == nil && os.Getenv("SALLYPORT_BIN") == "" {
		_ = os.RemoveAll(filepath.Dir(bin))
	}
	if tools.dir != "" {
		_ = os.RemoveAll(tools.dir)
	}
	os.Exit(status)
}

// Binary returns the path of the program: SALLYPORT_BIN, or else it is built
// once for this test binary.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// FreeAddr returns an address of 127.0.0.1 that nobody listens on right now,
// and of whose next port the same is true. It is below the range from which
// the system takes ports for outgoing connections, so that it also stays free
// while a server is started again.
func FreeAddr(t testing.TB) string {
	t.Helper()
	const lowest, count, tries = 20_000, 12_000, 100
	for range tries {
		port := lowest + rand.IntN(count)
		if free(port) && free(port+1) {
			return addr(port)
		}
	}
	t.Fatal("no free port")
	return ""
}

func addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func free(port int) bool {
	l, err := net.Listen("tcp", addr(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// Start starts the program and returns when it is ready. It is stopped at the
// end of the test if it still runs.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.State == "" {
		o.State = filepath.Join(t.TempDir(), "state")
	}
	if o.Listen == "" {
		o.Listen = FreeAddr(t)
	}
	args := append([]string{"dev", "--json", "--listen", o.Listen, "--state", o.State}, o.Args...)
	s := &Server{
		State: o.State, Listen: o.Listen, cmd: exec.Command(Binary(t), args...),
		stdout: newSink(), stderr: newSink(), gone: make(chan struct{}), record: newRecord(),
	}
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.cmd.Wait(); close(s.gone) }()
	t.Cleanup(s.Kill)
	line, err := s.firstLine()
	if err != nil {
		t.Fatalf("sallyport %s: %v\nstdout: %s\nstderr: %s", strings.Join(args, " "), err, s.stdout, s.stderr)
	}
	if err := json.Unmarshal(line, &s.Ready); err != nil {
		t.Fatalf("the ready line is not JSON: %v: %s", err, line)
	}
	s.Transport = s.transport(t)
	s.record.Add("password", s.Password)
	return s
}

func (s *Server) firstLine() ([]byte, error) {
	limit := time.After(startLimit)
	for {
		if i := bytes.IndexByte(s.stdout.Bytes(), '\n'); i >= 0 {
			return s.stdout.Bytes()[:i], nil
		}
		select {
		case <-s.stdout.grew:
		case <-s.gone:
			return nil, fmt.Errorf("ended before it was ready: %v", s.cmd.ProcessState)
		case <-limit:
			return nil, errors.New("not ready in time")
		}
	}
}

func (s *Server) transport(t testing.TB) *http.Transport {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s has no certificate", s.CAFile)
	}
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// Client returns a client that trusts the server, follows no redirect and
// keeps no cookie. What passes through it goes into the record.
func (s *Server) Client() *http.Client {
	return &http.Client{
		Transport:     &recorder{s.Transport, s.record},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       20 * time.Second,
	}
}

// Stop sends an interrupt, as Ctrl-C does, and returns the exit status.
func (s *Server) Stop(t testing.TB) int {
	t.Helper()
	s.Transport.CloseIdleConnections()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatalf("interrupt: %v\nstderr: %s", err, s.stderr)
	}
	select {
	case <-s.gone:
	case <-time.After(15 * time.Second):
		s.Kill()
		t.Fatalf("did not end within 15 s of an interrupt\nstderr: %s", s.stderr)
	}
	return s.cmd.ProcessState.ExitCode()
}

// Kill sends SIGKILL and waits for the end. It may be called twice.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.gone
	if s.Transport != nil {
		s.Transport.CloseIdleConnections()
	}
}

// Output returns what the program wrote, without the ready line.
func (s *Server) Output() (stdout, stderr string) {
	_, rest, _ := strings.Cut(s.stdout.String(), "\n")
	return rest, s.stderr.String()
}

// Record returns what was handed out and seen through Client and Person.
func (s *Server) Record() *Record { return s.record }

// API returns an API of the demo by name.
func (s *Server) API(t testing.TB, name string) API {
	t.Helper()
	for _, a := range s.APIs {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("the demo has no API %q", name)
	return API{}
}

// ServiceSecret reads the secret of the demo's service client.
func (s *Server) ServiceSecret(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(s.ServiceSecretFile)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSpace(string(b))
	s.record.Add("client secret", text)
	return text
}

// Run runs the program with args until it ends by itself.
func Run(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("sallyport %s did not end\nstdout: %s\nstderr: %s", strings.Join(args, " "), &out, &problems)
	}
	return cmd.ProcessState.ExitCode(), out.String(), problems.String()
}

// sink keeps what a process writes.
type sink struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	grew chan struct{}
}

func newSink() *sink { return &sink{grew: make(chan struct{}, 1)} }

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.grew <- struct{}{}:
	default:
	}
	return s.buf.Write(p)
}

func (s *sink) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.buf.Bytes())
}

func (s *sink) String() string { return string(s.Bytes()) }

// Lines calls f for each line of text.
func Lines(text string, f func(line string)) {
	for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
		f(sc.Text())
	}
}

// ReadBody reads an answer whole and closes it.
func ReadBody(t testing.TB, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
