package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type sample struct {
	cpuMicros, rate float64
	p50, p99        time.Duration
}

// caller makes the bytes of a request.
type caller func(worker, n int) []byte

// connection is one of a client: TLS 1.3, HTTP/1.1, one request at a time.
type connection struct {
	c *tls.Conn
	r *bufio.Reader
}

func dial(config *tls.Config, address string) (*connection, error) {
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		return nil, err
	}
	if s := c.ConnectionState(); s.Version != tls.VersionTLS13 || s.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		_ = c.Close()
		return nil, fmt.Errorf("TLS %x %s: not what the others have", s.Version, tls.CipherSuiteName(s.CipherSuite))
	}
	return &connection{c, bufio.NewReaderSize(c, 8<<10)}, nil
}

var contentLength = []byte("\r\ncontent-length: ")

// call sends a request and reads the whole answer, which must have a length.
func (c *connection) call(request []byte) (status, size int, err error) {
	if _, err := c.c.Write(request); err != nil {
		return 0, 0, err
	}
	head, err := readHead(c.r)
	if err != nil {
		return 0, 0, err
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, 0, err
	}
	i := bytes.Index(bytes.ToLower(head), contentLength)
	if i < 0 {
		return status, 0, errors.New("answer without a length")
	}
	value, _, _ := strings.Cut(string(head[i+len(contentLength):]), "\r")
	if size, err = strconv.Atoi(value); err != nil {
		return status, 0, err
	}
	_, err = c.r.Discard(size)
	return status, size, err
}

// measure keeps all connections busy for window, after a warm-up. Any answer but
// the upstream's is an error: a benchmark of refusals is none.
func (b *bed) measure(ctx context.Context, v *variant, connections int, window time.Duration, perf string) (sample, error) {
	call, err := v.caller(b)
	if err != nil {
		return sample{}, err
	}
	l := &load{began: make(chan struct{})}
	for i := range connections {
		c, err := dial(b.tls, v.address)
		if err != nil {
			return sample{}, v.proc.failed(err)
		}
		defer c.c.Close()
		l.work(c, func(n int) []byte { return call(i, n) })
	}
	time.Sleep(500 * time.Millisecond)
	before, err := v.proc.cpu()
	if err != nil {
		return sample{}, err
	}
	n, t := l.done.Load(), time.Now()
	close(l.began)
	record := startPerf(ctx, v, perf, window)
	select {
	case <-time.After(window):
	case <-ctx.Done():
	}
	after, err := v.proc.cpu()
	n, took := l.done.Load()-n, time.Since(t)
	l.stop.Store(true)
	l.workers.Wait()
	record()
	if err := errors.Join(err, l.err); err != nil {
		return sample{}, v.proc.failed(err)
	}
	slices.Sort(l.took)
	if len(l.took) == 0 {
		return sample{}, errors.New("nothing was answered")
	}
	at := func(percent int) time.Duration { return l.took[len(l.took)*percent/100] }
	return sample{float64((after - before).Microseconds()) / float64(n), float64(n) / took.Seconds(), at(50), at(99)}, nil
}

// load is the workers of one measurement.
type load struct {
	done    atomic.Int64
	stop    atomic.Bool
	began   chan struct{}
	workers sync.WaitGroup
	mu      sync.Mutex
	took    []time.Duration // since began
	err     error
}

func (l *load) work(c *connection, request func(n int) []byte) {
	l.workers.Go(func() {
		var took []time.Duration
		var failed error
		measured := false
		for n := 0; !l.stop.Load(); n++ {
			if !measured {
				select {
				case <-l.began:
					measured = true
				default:
				}
			}
			out := request(n)
			begin := time.Now()
			status, size, err := c.call(out)
			if err == nil && (status != 200 || size != bodySize) {
				err = fmt.Errorf("status %d with %d bytes", status, size)
			}
			if err != nil && err != io.EOF || err == io.EOF && !l.stop.Load() { //nolint:errorlint // readers return it bare
				failed = err
				break
			}
			l.done.Add(1)
			if measured {
				took = append(took, time.Since(begin))
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.took = append(l.took, took...)
		if l.err == nil {
			l.err = failed
		}
	})
}

// startPerf records where the time of a variant's processes goes.
func startPerf(ctx context.Context, v *variant, file string, window time.Duration) (wait func()) {
	if file == "" {
		return func() {}
	}
	var pids []string
	for _, pid := range v.proc.tree() {
		pids = append(pids, strconv.Itoa(pid))
	}
	cmd := exec.CommandContext(ctx, "perf", "record", "-q", "-F", "999", "-g", "-o", file, "-p", strings.Join(pids, ","), "--", "sleep", fmt.Sprint(window.Seconds()))
	if err := cmd.Start(); err != nil {
		return func() {}
	}
	return func() { _ = cmd.Wait() }
}
