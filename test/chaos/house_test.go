package chaos_test

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/test/rig"
)

// house is the server and what must be true of it.
type house struct {
	*rig.Server
	t               *testing.T
	steady, fragile *backend
	ops             string // address
	file, text      string // of the configuration in force
	secret          string
	revoked         string
	tokens          atomic.Pointer[tokens]
	compromised     atomic.Pointer[string]
	truths          map[string]*truth
	stream          *stream
}

type tokens struct{ items, pay, fragile, gone string }

func (h *house) token(scope string) rig.Tokens {
	h.t.Helper()
	res, err := h.Post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}, h.ServiceClientID, h.secret)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	_, rest, _ := strings.Cut(string(b), `"access_token":"`)
	value, _, ok := strings.Cut(rest, `"`)
	if !ok {
		h.t.Fatalf("token for %s: %d %s", scope, res.StatusCode, b)
	}
	return rig.Tokens{Status: res.StatusCode, AccessToken: value}
}

// newTokens gets new ones for everything, and the stream that is to live on.
func (h *house) newTokens() {
	h.t.Helper()
	h.tokens.Store(&tokens{
		items: h.token("steady.read").AccessToken, pay: h.token("steady.pay").AccessToken,
		fragile: h.token("fragile.read").AccessToken, gone: h.token("gone.read").AccessToken,
	})
	h.stream = h.openStream(h.tokens.Load().items)
}

// wait waits until something is so, which is soon.
func (h *house) wait(what string, f func() bool) {
	h.t.Helper()
	for limit := time.Now().Add(soon); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			_, log := h.Whole()
			h.t.Fatalf("%s: not within %s\n%s", what, soon, log[max(0, len(log)-3000):])
		}
	}
}

// metric reads one series of /metrics.
func (h *house) metric(series string) int {
	h.t.Helper()
	res, err := http.Get("http://" + h.ops + "/metrics")
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	for sc := bufio.NewScanner(res.Body); sc.Scan(); {
		if value, ok := strings.CutPrefix(sc.Text(), series+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				h.t.Fatal(err)
			}
			return int(n)
		}
	}
	h.t.Fatalf("there is no %s", series)
	return 0
}

const (
	taken   = `sallyport_config_changes_total{result="taken"}`
	refused = `sallyport_config_changes_total{result="refused"}`
)

// offer writes a configuration and waits for what becomes of it.
func (h *house) offer(text, becomes string) {
	h.t.Helper()
	before := h.metric(becomes)
	h.write(h.file, text)
	if err := h.Signal(syscall.SIGHUP); err != nil {
		h.t.Fatal(err)
	}
	h.wait("the configuration is "+becomes, func() bool { return h.metric(becomes) > before })
}

// write puts a file in its place in one step.
func (h *house) write(name, text string) {
	h.t.Helper()
	next := filepath.Join(filepath.Dir(name), ".next")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(next, name); err != nil {
		h.t.Fatal(err)
	}
}

// with is the configuration with some of its text replaced.
func (h *house) with(pairs ...string) string {
	h.t.Helper()
	text := h.text
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			h.t.Fatalf("the configuration has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func (h *house) run(args ...string) {
	h.t.Helper()
	if status, stdout, stderr := rig.Run(h.t, append(args, "-c", h.file)...); status != 0 {
		h.t.Fatalf("sallyport %v: %d\n%s%s", args, status, stdout, stderr)
	}
}

func (h *house) status(method, path, token string) int {
	h.t.Helper()
	req, err := http.NewRequest(method, h.Issuer+path, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set(tag, "probe")
	status, _, err := do(&http.Client{Transport: h.Transport, Timeout: 10 * time.Second}, req)
	if err != nil {
		h.t.Fatal(err)
	}
	return status
}

// stream is one answer that does not end by itself.
type stream struct {
	last  atomic.Int64 // when something came, in Unix milliseconds
	ended chan struct{}
}

func (h *house) openStream(token string) *stream {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), "GET", h.Issuer+"/steady/events", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set(tag, "stream")
	res, err := (&http.Client{Transport: h.Transport}).Do(req)
	if err != nil || res.StatusCode != 200 {
		h.t.Fatalf("open stream: %v %v", err, res)
	}
	s := &stream{ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		defer res.Body.Close()
		for sc := bufio.NewScanner(res.Body); sc.Scan(); {
			s.last.Store(time.Now().UnixMilli())
		}
	}()
	return s
}

// wantAlive: nothing that happened so far was about the stream.
func (s *stream) wantAlive(t *testing.T, after string) {
	t.Helper()
	select {
	case <-s.ended:
		t.Errorf("the stream ended after %s", after)
	default:
		if quiet := time.Since(time.UnixMilli(s.last.Load())); quiet > 3*time.Second {
			t.Errorf("nothing came through the stream for %s after %s", quiet, after)
		}
	}
}

func (s *stream) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}
