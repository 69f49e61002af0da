//go:build unix

// Package redistest gives tests a real redis-server or valkey-server: one of
// their own each, in memory only, on a port of the loopback interface. It
// refuses to skip: without a server the test fails. The server ends with the
// test process, however that ends. Start at New.
package redistest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var errMissing = errors.New("neither valkey-server nor redis-server was found: install the package redis-server (apt-get install redis-server)")

// Server is one running server.
type Server struct {
	Port     int
	Password string

	t    testing.TB
	dir  string
	args []string

	mu    sync.Mutex
	guard *os.File // the server lives as long as this is open
	pid   int
	ended chan struct{}
}

// guardScript runs the server and ends it when standard input closes. The
// kernel closes it for a process that is killed. The first line it prints is
// the server's process ID.
const guardScript = `
"$@" >log 2>&1 </dev/null &
server=$!
echo $server
cat >/dev/null
kill -KILL $server 2>/dev/null
wait $server 2>/dev/null
`

// New starts a server with further settings, as on its command line:
// "--maxmemory", "10mb". It needs its password.
func New(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), Password: rand.Text()}
	bin, err := find()
	if err == nil {
		s.Port, err = freePort()
	}
	if err != nil {
		t.Fatalf("Redis for tests: %v", err)
	}
	s.args = append([]string{
		bin, "--bind", "127.0.0.1", "--port", strconv.Itoa(s.Port), "--save", "", "--appendonly", "no", "--requirepass", s.Password, "--dir", s.dir,
	}, settings...)
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Start starts the server again after Kill, empty, at the same address.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		s.t.Fatalf("Redis for tests: %v\n%s", err, log)
	}
}

func (s *Server) start() error {
	cmd := exec.CommandContext(context.Background(), "/bin/sh", append([]string{"-c", guardScript, "sh"}, s.args...)...) //nolint:gosec // the server
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Setpgid: true}
	stdin, write, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = stdin.Close()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("no process ID: %w", err)
	}
	if s.pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.guard, s.ended = write, ended
	go func() { _ = cmd.Wait(); close(ended) }()
	return s.wait()
}

// wait returns when the server takes connections.
func (s *Server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Host())
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the server does not answer: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Host is host:port.
func (s *Server) Host() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// URL is the address with the password.
func (s *Server) URL() string { return "redis://:" + s.Password + "@" + s.Host() }

// Stop makes the server hang: connections stay open and nothing answers.
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Continue ends Stop.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := syscall.Kill(s.pid, sig); err != nil {
		s.t.Fatalf("Redis for tests: %v: %v", sig, err)
	}
}

// Kill ends the server at once. What it held is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard == nil {
		return
	}
	_ = s.guard.Close()
	<-s.ended
	s.guard = nil
}

func find() (string, error) {
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errMissing
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // of a TCP listener
}
