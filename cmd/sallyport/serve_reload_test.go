package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// reloaded is a node in this process whose configuration can be changed.
type reloaded struct {
	t      *testing.T
	n      *node
	file   string
	text   string
	log    *watched
	secret string
}

const reloadConfigText = `issuer: https://localhost
listen: 127.0.0.1:0
metrics_listen: 127.0.0.1:0
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
apis:
  - name: a
    audience: https://localhost/a
    path: /a
    upstream: %s
    operations:
      - {match: "GET /x/{id}", scope: a.read}
clients:
  - {client_id: job, type: service, secret_file: web.secret, scope: a.read}
`

func newReloaded(t *testing.T, upstream http.HandlerFunc) *reloaded {
	t.Helper()
	backend := httptest.NewServer(upstream)
	t.Cleanup(backend.Close)
	dir := folder(t)
	r := &reloaded{t: t, file: filepath.Join(dir, "sallyport.yaml"), text: fmt.Sprintf(reloadConfigText, backend.URL), log: &watched{}}
	if err := os.WriteFile(r.file, []byte(r.text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.secret, err = readSecret(filepath.Join(dir, "web.secret")); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	// sqlite: is relative to the working directory, which tests share.
	c.Store = "sqlite:" + filepath.Join(dir, "sallyport.db")
	r.text = strings.Replace(r.text, "sqlite:sallyport.db", c.Store, 1)
	c.text = []byte(r.text)
	if r.n, err = openNode(t.Context(), c, slog.New(slog.NewJSONHandler(r.log, everything)), time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.n.close)
	return r
}

func (r *reloaded) do(method, path, token string, form url.Values) (int, string) {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), method, path, strings.NewReader(form.Encode()))
	req.Host = "localhost"
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	r.n.public.Handler.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

func (r *reloaded) token() string {
	r.t.Helper()
	status, body := r.do("POST", "/oauth/token", "", url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {r.secret}})
	var res struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &res); err != nil || status != 200 {
		r.t.Fatalf("token: %d %s", status, body)
	}
	return res.AccessToken
}

func (r *reloaded) call(token string) int {
	r.t.Helper()
	status, _ := r.do("GET", "/a/x/1", token, nil)
	return status
}

func (r *reloaded) change(old, text string) {
	r.t.Helper()
	if !strings.Contains(r.text, old) {
		r.t.Fatalf("the configuration has no %q", old)
	}
	r.n.reloads.reload(r.t.Context(), []byte(strings.Replace(r.text, old, text, 1)))
}

func (r *reloaded) metric(name string) float64 {
	r.t.Helper()
	families, err := r.n.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	r.t.Fatalf("there is no metric %s", name)
	return 0
}

func (r *reloaded) readyz() string {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.n.ops.Handler.ServeHTTP(w, httptest.NewRequestWithContext(r.t.Context(), "GET", "/readyz", nil))
	if w.Code != 200 {
		r.t.Errorf("not ready: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// One operation of a running server is moved to tier high: the next call with
// the token from before is sent to step up, and back again it works.
func TestT018ATierCountsWithTheNextCall(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	tok := r.token()
	if status := r.call(tok); status != 200 {
		t.Fatalf("before: %d", status)
	}
	before := r.n.current.Load().version
	r.change("scope: a.read}", "scope: a.read, tier: high}")
	if status := r.call(tok); status != 401 && status != 403 {
		t.Errorf("tier high: an unbound token gets %d\n%s", status, r.log)
	}
	after := r.n.current.Load().version
	if before == after {
		t.Errorf("another policy has the same version %s", after)
	}
	r.change("a.read}", "a.read}")
	if status := r.call(tok); status != 200 || r.n.current.Load().version != before {
		t.Errorf("the first policy again: %d, version %s, want %s", status, r.n.current.Load().version, before)
	}
	// GW27: each decision says by which policy.
	for _, want := range []string{`"status":200`, `"policy":"` + before, `"policy":"` + after} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, r.log)
		}
	}
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, `"msg":"request"`) && !strings.Contains(line, `"policy":`) {
			t.Errorf("a decision without the version of its policy: %s", line)
		}
	}
}

// What must not be taken is not: the policy before stays whole, /readyz says so
// and quotes nothing, and the next good one is taken.
func TestGW27ABadPolicyKeepsTheOneBefore(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	tok, version := r.token(), r.n.current.Load().version
	const private = "hunter2-is-private"
	for name, c := range map[string]struct{ old, text, says string }{
		"not YAML":                    {"apis:", "apis: [", "CF00"},
		"unknown field":               {"issuer:", "password: " + private + "\nissuer:", "line 1: password breaks CF00"},
		"a rule broken":               {"path: /a", "path: /oauth", "apis[0].path breaks CF05"},
		"a value in the wrong place":  {"scope: a.read}", "scope: a.read, acr: " + private + "}", "CF00"},
		"a missing file":              {"web.secret", private, "clients[0].secret_file breaks"},
		"another issuer":              {"issuer: https://localhost", "issuer: https://127.0.0.1", "issuer cannot change"},
		"another store":               {"sqlite:", "sqlite:/elsewhere", "store cannot change"},
		"another listener":            {"\nlisten: 127.0.0.1:0", "\nlisten: 127.0.0.1:1", "listen cannot change"},
		"another master key file":     {"master.key", "web.secret", "master_key_file cannot change"},
		"half a line":                 {"a.read}\nclients:\n  - {client_id: job, type: service, secret_file: web.secret, scope: a.read}\n", "a.read}\nclients: []", "half-written"},
		"nothing":                     {r.text, "", "the file is empty"},
		"an operation that says less": {"- {match: \"GET /x/{id}\", scope: a.read}", "- {match: \"GET /x/{id}\"}", "apis[0].operations[0]"},
	} {
		r.change(c.old, c.text)
		if now := r.n.current.Load().version; now != version {
			t.Errorf("%s: policy %s, want %s", name, now, version)
		}
		if status := r.call(tok); status != 200 {
			t.Errorf("%s: a call gets %d", name, status)
		}
		said := r.readyz()
		if !strings.HasPrefix(said, "ready\npolicy "+version) || !strings.Contains(said, "refused") || !strings.Contains(said, c.says) {
			t.Errorf("%s: /readyz lacks %q:\n%s", name, c.says, said)
		}
		if stale := r.metric("sallyport_config_stale"); stale != 1 {
			t.Errorf("%s: the metric of a refused configuration is %v", name, stale)
		}
		if strings.Contains(said, private) {
			t.Errorf("%s: /readyz quotes the file:\n%s", name, said)
		}
	}
	r.change("issuer:", "# another comment\nissuer:")
	if said := r.readyz(); strings.Contains(said, "refused") || r.n.current.Load().version == version {
		t.Errorf("a good one is not taken: %s", said)
	}
	if stale := r.metric("sallyport_config_stale"); stale != 0 {
		t.Errorf("after one was taken the metric of a refused configuration is %v", stale)
	}
}

// Who ends the file with the mark of YAML is safe from a half that would mean
// something else.
func TestGW27AHalfWrittenFileIsNeverTaken(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(http.ResponseWriter, *http.Request) {})
	whole := r.text + "...\n"
	r.n.reloads.reload(t.Context(), []byte(whole))
	version, tok := r.n.current.Load().version, r.token()
	lines := strings.SplitAfter(whole, "\n")
	for i := range lines[:len(lines)-2] {
		r.n.reloads.reload(t.Context(), []byte(strings.Join(lines[:i], "")))
		if now := r.n.current.Load().version; now != version {
			t.Fatalf("the first %d lines were taken", i)
		}
	}
	if status := r.call(tok); status != 200 {
		t.Errorf("a call gets %d", status)
	}
}

// The server finds a change by itself, and another when it is asked; while it
// changes no call fails.
func TestGW27AChangedFileIsTaken(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	write := func(text string) {
		t.Helper()
		if err := replaceFile(r.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.n.reloads.obey(nil)
	var work sync.WaitGroup
	t.Cleanup(work.Wait)
	r.n.reloads.start(t.Context(), &work)
	work.Go(func() { r.n.reloads.follow(t.Context()) })
	wait := func(before string) string {
		t.Helper()
		for range 200 {
			if now := r.n.current.Load().version; now != before {
				return now
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("still policy %s: %s", before, r.readyz())
		return ""
	}
	time.Sleep(lookEvery) // its first look
	first := r.n.current.Load().version
	write("reload: {settle: 1s}\n" + r.text)
	second := wait(first)
	write("reload: {watch: false}\n" + r.text)
	if err := signalSelf(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	wait(second)
	if status := r.call(r.token()); status != 200 {
		t.Errorf("a call gets %d", status)
	}
}

// A reload leaves nothing behind: no hook at the feed, no worker, no timer.
func TestGW27AThousandReloadsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	var work sync.WaitGroup
	t.Cleanup(work.Wait)
	r.n.reloads.start(t.Context(), &work)
	old := r.n.current.Load()
	gone := make(chan struct{})
	runtime.AddCleanup(old, func(c chan struct{}) { close(c) }, gone)
	old = nil
	for i := range 1000 {
		r.n.reloads.reload(t.Context(), []byte(fmt.Sprintf("# %d\n%s", i, r.text)))
	}
	if r.n.reloads.applied != 1000 {
		t.Fatalf("%d of 1000 were taken: %s", r.n.reloads.applied, r.readyz())
	}
	for range 100 {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Error("the first assembly is still held")
}

// signalSelf sends this process a signal.
func signalSelf(s os.Signal) error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	return self.Signal(s)
}
