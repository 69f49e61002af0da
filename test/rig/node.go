package rig

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// NodeDir is the folder with the scripts and their packages.
func NodeDir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "node")
}

// Node runs a script of test/node that trusts the server's CA. settings is its
// one argument; answer is called for each line that it prints, and what it
// returns, unless nil, goes back as a line.
func (s *Server) Node(t testing.TB, script string, settings any, env []string, answer func(question map[string]string) any) {
	t.Helper()
	RunNode(t, script, settings, append([]string{"NODE_EXTRA_CA_CERTS=" + s.CAFile}, env...), answer)
}

// RunNode is Node for a script that needs no server.
func RunNode(t testing.TB, script string, settings any, env []string, answer func(question map[string]string) any) {
	t.Helper()
	arg, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(NodeDir(), "node_modules")); err != nil {
		t.Fatalf("npm packages are missing, run test/setup.sh: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script, string(arg))
	cmd.Dir = NodeDir()
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	talk(t, stdin, stdout, answer)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("node %s: %v\n%s", script, err, &stderr)
	}
}

func talk(t testing.TB, stdin io.WriteCloser, stdout io.Reader, answer func(map[string]string) any) {
	t.Helper()
	defer stdin.Close()
	for sc := bufio.NewScanner(stdout); sc.Scan(); {
		var q map[string]string
		if err := json.Unmarshal(sc.Bytes(), &q); err != nil {
			t.Logf("%s", sc.Bytes())
			continue
		}
		if what, ok := q["passed"]; ok {
			t.Log(what)
			continue
		}
		if a := answer(q); a != nil {
			if err := json.NewEncoder(stdin).Encode(a); err != nil {
				t.Errorf("answer the script: %v", err)
				return
			}
		}
	}
}
