package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

var tools struct {
	mu   sync.Mutex
	dir  string
	path map[string]string
}

// Tool builds a program of tools.mod, once for all tests of a package, and returns
// where it is.
func Tool(t testing.TB, pkg string) string {
	t.Helper()
	tools.mu.Lock()
	defer tools.mu.Unlock()
	if bin := tools.path[pkg]; bin != "" {
		return bin
	}
	if tools.dir == "" {
		dir, err := os.MkdirTemp("", "sallyport-tools-")
		if err != nil {
			t.Fatal(err)
		}
		tools.dir, tools.path = dir, map[string]string{}
	}
	_, file, _, _ := runtime.Caller(0)
	bin := filepath.Join(tools.dir, path.Base(pkg))
	cmd := exec.Command("go", "build", "-modfile=tools.mod", "-o", bin, pkg) //nolint:gosec // from tests
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("build %s: %w\n%s", pkg, err, out))
	}
	tools.path[pkg] = bin
	return bin
}
