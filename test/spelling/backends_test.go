package spelling_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/test/rig"
)

// ran is a line of a backend's log: what it took a request for.
type ran struct {
	Operation, Method, Target string
	Forged                    string // names of headers in which something of the attacker arrived
	Twice                     bool   // there was not exactly one credential
	Header, User              string // of nginx, which cannot judge
}

// backend is a real server that logs what it runs.
type backend struct {
	name, url string
	log       func() []ran // so far, in order
}

func decode(t testing.TB, line string) ran {
	t.Helper()
	var r ran
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("log of a backend: %v: %q", err, line)
	}
	return r
}

// careless is a header's name for readers that fold everything into "-".
func careless(name string) string {
	b := []byte(strings.ToLower(name))
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			b[i] = '-'
		}
	}
	return string(b)
}

func goBackend(t testing.TB) *backend {
	t.Helper()
	var mu sync.Mutex
	var lines []ran
	log := func(operation string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			line := ran{Operation: operation, Method: r.Method, Target: r.RequestURI}
			if override := r.Header.Get("X-HTTP-Method-Override") + r.URL.Query().Get("_method"); override == http.MethodDelete {
				line.Operation, line.Method = "remove", override
			}
			credentials := 0
			for name, values := range r.Header {
				if careless(name) == "authorization" {
					credentials += len(values)
				}
				if strings.Contains(fmt.Sprint(name, values), "evil") {
					line.Forged += careless(name)
				}
			}
			line.Twice = credentials != 1
			mu.Lock()
			lines = append(lines, line)
			mu.Unlock()
			_, _ = w.Write([]byte(operation))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/admin/keys", log("admin"))
	mux.HandleFunc("/admin/keys/", log("admin"))
	mux.HandleFunc("DELETE /items/{id}", log("remove"))
	mux.HandleFunc("/", log("read"))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &backend{"go", s.URL, func() []ran {
		mu.Lock()
		defer mu.Unlock()
		return append([]ran(nil), lines...)
	}}
}

func nodeBackend(t testing.TB) *backend {
	t.Helper()
	cmd := exec.Command("node", filepath.Join("testdata", "node.mjs"), filepath.Join(rig.NodeDir(), "node_modules"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("node is missing: run test/setup.sh (make setup): %v", err)
	}
	var mu sync.Mutex
	var lines []string
	ready, gone := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(gone)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if _, address, found := strings.Cut(sc.Text(), "listening on "); found {
				ready <- address
				continue
			}
			mu.Lock()
			lines = append(lines, sc.Text())
			mu.Unlock()
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-gone })
	b := &backend{name: "node", log: func() (list []ran) {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range lines {
			list = append(list, decode(t, l))
		}
		return list
	}}
	select {
	case b.url = <-ready:
	case <-gone:
		t.Fatal("node ended: run test/setup.sh (make setup)")
	case <-time.After(30 * time.Second):
		t.Fatal("node did not start")
	}
	return b
}

func nginxBackend(t testing.TB) *backend {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	dir, address := t.TempDir(), rig.FreeAddr(t)
	_, port, _ := net.SplitHostPort(address)
	file := filepath.Join(dir, "nginx.conf")
	text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("DIR"), []byte(dir)), []byte("PORT"), []byte(port))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // not in everybody's path
	}
	cmd := exec.Command(path, "-c", file, "-p", dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("nginx is missing: run test/setup.sh (make setup): %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			break
		} else if time.Now().After(limit) {
			t.Fatalf("nginx does not listen: %v", err)
		}
	}
	return &backend{"nginx", "http://" + address, func() (list []ran) {
		text, err := os.ReadFile(filepath.Join(dir, "ran.log"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			r := decode(t, line)
			if strings.Contains(r.Header+r.User, "evil") {
				r.Forged = r.Header + r.User
			}
			list = append(list, r)
		}
		return list
	}}
}
