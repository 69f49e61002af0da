package rig

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Serve starts `sallyport serve` with a configuration beside the one of s, which
// has ended: the same addresses, people and keys. It has no demo backends. The
// record goes on.
func (s *Server) Serve(t testing.TB, config string) *Server {
	t.Helper()
	next := &Server{
		Ready: s.Ready, State: s.State, Listen: s.Listen, cmd: exec.Command(Binary(t), "serve", "-c", config),
		stdout: newSink(), stderr: newSink(), gone: make(chan struct{}), record: s.record,
	}
	next.cmd.Stdout, next.cmd.Stderr = next.stdout, next.stderr
	if err := next.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = next.cmd.Wait(); close(next.gone) }()
	t.Cleanup(next.Kill)
	next.Transport = next.transport(t)
	limit := time.Now().Add(startLimit)
	for !strings.Contains(next.stderr.String(), `"msg":"ready"`) {
		select {
		case <-next.stderr.grew:
		case <-next.gone:
			t.Fatalf("serve ended before it was ready: %s", next.stderr)
		case <-time.After(time.Until(limit)):
			t.Fatalf("serve is not ready in time: %s", next.stderr)
		}
	}
	return next
}

// ServeText is Serve with the text of a configuration, until the end of the
// test, which asks for a clean end.
func (s *Server) ServeText(t testing.TB, text string) *Server {
	t.Helper()
	file := filepath.Join(s.State, "serve.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	next := s.Serve(t, file)
	t.Cleanup(func() {
		if code := next.Stop(t); code != 0 {
			t.Errorf("serve ended with %d\n%s", code, next.stderr)
		}
	})
	return next
}

// Whole is all that the program wrote.
func (s *Server) Whole() (stdout, stderr string) { return s.stdout.String(), s.stderr.String() }

// Cookies returns the cookies that a browser has for the issuer.
func (p *Person) Cookies(t testing.TB) []*http.Cookie {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.server.Issuer+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.client.Jar.Cookies(req.URL)
}

// Signal sends the program a signal.
func (s *Server) Signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }
