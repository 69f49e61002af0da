// Command start measures how long `sallyport serve` takes from being executed
// to answering 200 on /readyz, and how much memory it then holds: once with an
// empty folder, when it makes database and keys, then n times with what is
// there. It builds the binary first. bench/README.md says how to read it.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sallyport/internal/secret"
)

func main() {
	n := flag.Int("n", 10, "how many starts")
	idle := flag.Duration("idle", 2*time.Second, "how long it stands idle before its memory is read")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *n, *idle); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, n int, idle time.Duration) error {
	dir, err := os.MkdirTemp("", "sallyport-start-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "sallyport")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./cmd/sallyport")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	ops, err := configure(dir)
	if err != nil {
		return err
	}
	first, err := start(ctx, binary, dir, ops, idle)
	if err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	var all []sample
	for range n {
		s, err := start(ctx, binary, dir, ops, idle)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	fmt.Printf("%-34s %10s %10s %10s %10s\n", "sallyport serve", "first", "min", "median", "max")
	row := func(name string, of func(sample) float64) {
		values := make([]float64, len(all))
		for i, s := range all {
			values[i] = of(s)
		}
		slices.Sort(values)
		fmt.Printf("%-34s %10.1f %10.1f %10.1f %10.1f\n", name, of(first), values[0], values[len(values)/2], values[len(values)-1])
	}
	row("start to ready, ms", func(s sample) float64 { return float64(s.ready.Microseconds()) / 1e3 })
	row("CPU until ready, ms", func(s sample) float64 { return float64(s.cpu.Microseconds()) / 1e3 })
	row("RSS idle, MiB", func(s sample) float64 { return float64(s.rssKiB) / 1024 })
	row("of that file-backed (binary), MiB", func(s sample) float64 { return float64(s.fileKiB) / 1024 })
	return nil
}

// configure writes what serve needs and returns the address of /readyz.
func configure(dir string) (string, error) {
	public, err := freePort()
	if err != nil {
		return "", err
	}
	ops, err := freePort()
	if err != nil {
		return "", err
	}
	key := filepath.Join(dir, "master.key")
	if err := os.WriteFile(key, []byte(secret.NewHandle(secret.MasterKey).Reveal()+"\n"), 0o600); err != nil {
		return "", err
	}
	config := fmt.Sprintf(`issuer: https://%[1]s
listen: "%[1]s"
metrics_listen: "%[2]s"
tls: {self_signed: true}
store: sqlite:sallyport.db
master_key_file: master.key
apis:
  - name: catalog
    audience: https://api.example.com/catalog
    path: /catalog
    upstream: http://127.0.0.1:9
    operations:
      - {match: "GET /items/{id}", scope: catalog.read}
clients:
  - {client_id: shop-app, type: native, redirect_uris: ["com.example.shop:/callback"], scope: "openid catalog.read"}
`, public, ops)
	return ops, os.WriteFile(filepath.Join(dir, "sallyport.yaml"), []byte(config), 0o600)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

type sample struct {
	ready, cpu      time.Duration
	rssKiB, fileKiB int
}

func start(ctx context.Context, binary, dir, ops string, idle time.Duration) (sample, error) {
	var s sample
	cmd := exec.CommandContext(ctx, binary, "serve", "-c", filepath.Join(dir, "sallyport.yaml"))
	cmd.Dir = dir
	var log strings.Builder
	cmd.Stderr = &log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return s, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	if err := waitReady(ctx, "http://"+ops+"/readyz", exited); err != nil {
		_ = cmd.Process.Kill()
		return s, fmt.Errorf("%w\n%s", err, log.String())
	}
	s.ready = time.Since(began)
	var err error
	if s.cpu, err = cpu(cmd.Process.Pid); err != nil {
		return s, err
	}
	time.Sleep(idle)
	if s.rssKiB, s.fileKiB, err = rss(cmd.Process.Pid); err != nil {
		return s, err
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return s, err
	}
	if err := <-exited; err != nil {
		return s, fmt.Errorf("stop: %w\n%s", err, log.String())
	}
	return s, nil
}

// waitReady asks each millisecond, on a new connection until one is accepted.
func waitReady(ctx context.Context, url string, exited <-chan error) error {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for range 30_000 {
		select {
		case err := <-exited:
			return errors.Join(errors.New("it ended before it was ready"), err)
		case <-time.After(time.Millisecond):
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.New("not ready in 30 s")
}

// cpu has the resolution of the kernel's clock tick, 10 ms, in stat; schedstat
// counts nanoseconds, of the threads that are alive.
func cpu(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return time.Duration(sum), nil
}

func rss(pid int) (all, file int, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "VmRSS:":
			all = n
		case "RssFile:":
			file = n
		}
	}
	return all, file, nil
}
