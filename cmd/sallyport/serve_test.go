package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/store/storetest/pgtest"
)

const serveConfig = `issuer: https://localhost
listen: 127.0.0.1:0
metrics_listen: 127.0.0.1:0
tls: {cert_file: cert.pem, key_file: key.pem}
store_file: dsn
master_key_file: master.key
apis:
  - name: a
    audience: https://localhost/a
    path: /a
    upstream: %s
    operations: [{match: "GET /x/{id}", scope: a.read}]
clients:
  - {client_id: job, type: service, secret_file: web.secret, scope: a.read}
`

// deployment is serve on PostgreSQL, as an operator sets it up.
type deployment struct {
	t      *testing.T
	dir    string
	client *http.Client
	base   string
	secret string
	stop   func() int // ends serve and returns its exit code
}

func deploy(t *testing.T, upstream http.Handler) *deployment {
	t.Helper()
	backend := httptest.NewServer(upstream)
	t.Cleanup(backend.Close)
	d := &deployment{t: t, dir: folder(t)}
	for name, text := range map[string]string{"dsn": pgtest.New(t), "sallyport.yaml": fmt.Sprintf(serveConfig, backend.URL)} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := readSecret(filepath.Join(d.dir, "web.secret"))
	if err != nil {
		t.Fatal(err)
	}
	d.secret = text
	return d
}

func (d *deployment) config() string { return filepath.Join(d.dir, "sallyport.yaml") }

// serve starts it and waits until it says that it is ready.
func (d *deployment) serve() {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	out, log, done := &watched{}, &watched{}, make(chan int, 1)
	go func() { done <- run(ctx, []string{"serve", "-c", d.config()}, nil, strings.NewReader(""), out, log) }()
	d.stop = func() int { cancel(); return <-done }
	ready := regexp.MustCompile(`"listen":"(127\.0\.0\.1:\d+)"`)
	for range 1500 {
		if m := ready.FindStringSubmatch(log.String()); m != nil {
			// The issuer is https://localhost, whatever port the test has got.
			d.base = "https://" + m[1]
			d.client = trusting(d.t, filepath.Join(d.dir, devCAFile), &tls.Config{ServerName: "localhost"})
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	d.t.Fatalf("serve is not ready: %s", log)
}

func (d *deployment) do(method, path, token string, form url.Values) (int, string) {
	d.t.Helper()
	req, err := http.NewRequest(method, d.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Host = "localhost"
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := d.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

func (d *deployment) token() string {
	d.t.Helper()
	status, body := d.do("POST", "/oauth/token", "", url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {d.secret}})
	var res struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &res); err != nil || status != 200 {
		d.t.Fatalf("token: %d %s", status, body)
	}
	return res.AccessToken
}

func TestServeOnPostgreSQL(t *testing.T) {
	t.Parallel()
	d := deploy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "seen ", r.URL.Path) }))
	if status, _, problem := execute(t, "", "serve", "-c", d.config()); status != exitFailed || !strings.Contains(problem, "run sallyport migrate") {
		t.Fatalf("serve on an empty database ends with %d and says %q", status, problem)
	}
	for _, args := range [][]string{
		{"migrate"}, {"migrate"}, {"user", "add", "ada", "--generate-password"}, {"user", "list"}, {"client", "add", "other", "--type", "service", "--scope", "a.read"},
	} {
		if status, _, problem := execute(t, "", append(args, "-c", d.config())...); status != exitOK {
			t.Fatalf("%v ends with %d: %s", args, status, problem)
		}
	}
	d.serve()
	tok := d.token()
	if status, body := d.do("GET", "/a/x/1", tok, nil); status != 200 || body != "seen /x/1" {
		t.Errorf("call: %d %s", status, body)
	}
	if status, body := d.do("POST", "/oauth/revoke", "", url.Values{"client_id": {"job"}, "client_secret": {d.secret}, "token": {tok}}); status != 200 {
		t.Errorf("revoke: %d %s", status, body)
	}
	if status, body := d.do("GET", "/a/x/1", tok, nil); status != 401 {
		t.Errorf("call with a revoked token: %d %s", status, body)
	}
	if status := d.stop(); status != exitOK {
		t.Errorf("serve ends with %d", status)
	}
	d.serve() // the revocation and the keys are still there
	if status, body := d.do("GET", "/a/x/1", tok, nil); status != 401 {
		t.Errorf("RV21: after a restart the revoked token gets %d %s", status, body)
	}
	if status := d.stop(); status != exitOK {
		t.Errorf("serve ends with %d", status)
	}
	other, err := os.ReadFile(filepath.Join(d.dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "master.key"), []byte(secret.NewHandle(secret.MasterKey).Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, problem := execute(t, "", "serve", "-c", d.config()); status != exitFailed || !strings.Contains(problem, "master key") || strings.Contains(problem, string(other)) {
		t.Errorf("KY06: another master key: %d %s", status, problem)
	}
}

// A call that is under way when the end comes gets its answer.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	began, answer := make(chan struct{}), make(chan struct{})
	d := deploy(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-answer
		fmt.Fprint(w, "late")
	}))
	if status, _, problem := execute(t, "", "migrate", "-c", d.config()); status != exitOK {
		t.Fatal(problem)
	}
	d.serve()
	tok := d.token()
	type result struct {
		status int
		body   string
	}
	got, ended := make(chan result, 1), make(chan int, 1)
	go func() {
		status, body := d.do("GET", "/a/x/1", tok, nil)
		got <- result{status, body}
	}()
	<-began
	go func() { ended <- d.stop() }()
	select {
	case status := <-ended:
		t.Errorf("serve ends with %d while a call is under way", status)
	case <-time.After(500 * time.Millisecond):
	}
	close(answer)
	if r := <-got; r.status != 200 || r.body != "late" {
		t.Errorf("the call got %d %s", r.status, r.body)
	}
	if status := <-ended; status != exitOK {
		t.Errorf("serve ends with %d", status)
	}
}

// With drain.delay a load balancer hears of the end before the doors close, and
// drain.limit ends what does not end by itself.
func TestServeIsNotReadyBeforeItStopsListening(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	defer close(hold)
	began := make(chan struct{}, 1)
	d := deploy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			began <- struct{}{}
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		fmt.Fprint(w, "here")
	}))
	text := fmt.Sprintf("%sdrain: {delay: 1500ms, limit: 1s}\n", mustRead(t, d.config()))
	text = strings.Replace(text, "metrics_listen: 127.0.0.1:0", "metrics_listen: "+freePort(t), 1)
	if err := os.WriteFile(d.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, problem := execute(t, "", "migrate", "-c", d.config()); status != exitOK {
		t.Fatal(problem)
	}
	d.serve()
	ops := regexp.MustCompile(`metrics_listen: (\S+)`).FindStringSubmatch(text)[1]
	tok, ended, cut := d.token(), make(chan int, 1), make(chan int, 1)
	go func() {
		status, _ := d.do("GET", "/a/x/slow", tok, nil)
		cut <- status
	}()
	<-began
	asked := time.Now()
	go func() { ended <- d.stop() }()
	status := 0
	for status != http.StatusServiceUnavailable && time.Since(asked) < time.Second {
		res, err := http.Get("http://" + ops + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		status = res.StatusCode
	}
	if status != http.StatusServiceUnavailable {
		t.Errorf("/readyz says %d", status)
	}
	if status, body := d.do("GET", "/a/x/1", tok, nil); status != 200 || body != "here" {
		t.Errorf("a call in the delay gets %d %s", status, body)
	}
	if status := <-ended; status != exitOK {
		t.Errorf("serve ends with %d", status)
	}
	if took := time.Since(asked); took < 2500*time.Millisecond {
		t.Errorf("it ended after %s, with a call under way", took)
	}
	if status := <-cut; status == 200 {
		t.Error("the call that does not end was not cut off")
	}
}

func mustRead(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// freePort is an address that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
