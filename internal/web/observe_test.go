package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sallyport/internal/audit"
	"sallyport/internal/web"
)

// lines are the events written so far, as what they hold.
func (h *house) lines() []map[string]any {
	h.t.Helper()
	var out []map[string]any
	for line := range strings.Lines(h.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			h.t.Fatalf("%v: %q", err, line)
		}
		out = append(out, m)
	}
	return out
}

func (h *house) lastLine() map[string]any {
	h.t.Helper()
	lines := h.lines()
	return lines[len(lines)-1]
}

func TestLG01LG02OneEventForARequest(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.callback()
	n := len(h.lines())
	b.post("/oauth/token", h.credentials())
	if got := len(h.lines()); got != n+1 {
		t.Fatalf("one request wrote %d events", got-n)
	}
	m := h.lastLine()
	for key, want := range map[string]any{
		"msg": "request", "method": "POST", "route": "/oauth/token", "status": 200.0, "outcome": "ok", "remote": "192.0.2.7",
		"client_id": "job", "subject": "client:job",
	} {
		if m[key] != want {
			t.Errorf("%s = %v, want %v", key, m[key], want)
		}
	}
	for _, key := range []string{"time", "request_id", "took_us", "bytes", "events"} {
		if m[key] == nil {
			t.Errorf("%s is missing: %v", key, m)
		}
	}
	seen := h.log.String()
	for _, e := range []audit.Name{audit.LoginSucceeded, audit.CodeIssued, audit.ConsentGiven, audit.TokenIssued} {
		if !regexp.MustCompile(`"events":"[^"]*` + regexp.QuoteMeta(string(e))).MatchString(seen) {
			t.Errorf("LG01 no event %s", e)
		}
	}
	b.submit(b.loginPage("prompt", "login"), "username", "ada", "password", "wrong")
	m = h.lastLine()
	if m["status"] != 401.0 || m["outcome"] != "refused" || m["route"] != "/login" || m["subject"] != h.user.ID || m["events"] != "login.failed" {
		t.Errorf("a failed sign-in is written as %v", m)
	}
	b.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"shop"}, "code": {"x"}, "code_verifier": {verifier}, "redirect_uri": {callback}})
	if m = h.lastLine(); m["error"] != "invalid_grant" || m["outcome"] != "refused" {
		t.Errorf("a refused code is written as %v", m)
	}
}

func TestLG03NothingSecretIsLogged(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	tok := b.tokens()
	login := b.get(authorizeURL("prompt", "login")).Header.Get("Location")
	b.get(login)
	b.post("/oauth/token?client_secret="+h.secret.Reveal(), h.credentials())
	b.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {h.secret.Reveal()}, "client_secret": {"x"}})
	b.post("/oauth/token", url.Values{"grant_type": {h.secret.Reveal()}, "client_id": {"shop"}})
	b.get("/oauth/userinfo?access_token=" + tok["access_token"].(string))
	session := b.cookie("__Host-sallyport")
	b.get("/oauth/logout?id_token_hint=" + tok["id_token"].(string))
	b.get("/oauth/" + tok["access_token"].(string))
	text := h.log.String()
	for name, v := range map[string]string{
		"password": password, "access token": tok["access_token"].(string), "refresh token": tok["refresh_token"].(string),
		"ID token": tok["id_token"].(string), "client secret": h.secret.Reveal(), "verifier": verifier, "session": session,
		"browser cookie": b.cookie("__Host-sallyport-browser"), "flow": strings.TrimPrefix(login, "/login?flow="), "state": `"st"`, "user name": `"ada"`,
	} {
		if v == "" || strings.Contains(text, v) {
			t.Errorf("the log has the %s", name)
		}
	}
}

func TestLG04HostileTextCannotWriteLines(t *testing.T) {
	gateway := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		audit.FromContext(r.Context()).Set(slog.String("operation", "a\r\nb\u2028c\u202ed\x1b[0m"), slog.Any("odd", errors.New("x\ny")))
		audit.FromContext(r.Context()).Add(audit.Event{Name: audit.RequestRefused, Client: "evil\n{\"msg\":\"fake\"}", Reason: strings.Repeat("r", 5000)})
	})
	h := newHouse(t, options{gateway: gateway})
	b := h.browser()
	req := b.request("GET", "/catalog/a%0d%0ab", "", "User-Agent", "x\t\u2028")
	req.Method = "GE%0aT"
	b.do(req)
	if n := strings.Count(h.log.String(), "\n"); n != 1 {
		t.Errorf("one request wrote %d lines:\n%s", n, h.log)
	}
	m := h.lastLine()
	if m["operation"] != "a  b c d [0m" || m["odd"] != "x y" || m["method"] != "other" || m["route"] != "gateway" {
		t.Errorf("event: %v", m)
	}
	if len(h.log.String()) > 2500 {
		t.Errorf("the line has %d bytes", len(h.log.String()))
	}
}

func TestLG06LG07J138PanicsAreStopped(t *testing.T) {
	const secretText = "quiet-secret-of-a-request"
	gateway := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/value":
			panic(secretText)
		case "/runtime":
			_ = []int{}[len(r.URL.RawQuery)]
		case "/late":
			w.WriteHeader(200)
			panic(secretText)
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	})
	h := newHouse(t, options{gateway: gateway})
	b := h.browser()
	for _, path := range []string{"/value", "/runtime"} {
		r := b.get(path)
		wantStatus(t, r, 500)
		m := h.lastLine()
		id, _ := m["error_id"].(string)
		if r.json(t)["error"] != "server_error" || id == "" || !strings.Contains(r.body, id) || m["level"] != "ERROR" || m["stack"] == nil {
			t.Errorf("%s: %s, event %v", path, r.body, m)
		}
		if strings.Contains(r.body, "goroutine") || strings.Contains(r.body, "out of range") {
			t.Errorf("LG06 the answer says what is inside: %s", r.body)
		}
	}
	for _, path := range []string{"/late", "/abort"} {
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the server compares it so
					t.Errorf("%s ends with %v, want the connection aborted", path, v)
				}
			}()
			h.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", issuer+path, nil))
		}()
		if len(h.lines()) < 3 {
			t.Errorf("%s wrote no event", path)
		}
	}
	if strings.Contains(h.log.String(), secretText) {
		t.Error("LG03 the log has the value of a panic")
	}
	wantStatus(t, b.get("/login"), 400)
}

func TestMetricsHaveBoundedLabels(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	for _, path := range []string{"/login", "/oauth/nothing", "/a", "/b", "/c", "/oauth/token"} {
		b.get(path)
	}
	b.submit(b.loginPage(), "username", "ada", "password", "wrong")
	rec := httptest.NewRecorder()
	web.Ops(web.OpsOptions{Gatherer: h.registry}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	text := rec.Body.String()
	for _, want := range []string{
		`sallyport_http_requests_total{route="gateway",status="4xx"} 3`, `sallyport_http_requests_total{route="none",status="4xx"} 1`,
		`sallyport_security_events_total{event="login.failed"} 1`, `sallyport_http_request_seconds_count{route="/oauth/token"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(text, "nothing") || strings.Contains(text, "flow") {
		t.Error("a label comes from a request")
	}
}

func TestOps(t *testing.T) {
	var problem error
	ops := web.Ops(web.OpsOptions{Ready: func(context.Context) error { return problem }})
	get := func(method, path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		ops.ServeHTTP(rec, httptest.NewRequest(method, path, nil))
		return rec
	}
	if r := get("GET", "/healthz"); r.Code != 200 {
		t.Errorf("/healthz: %d", r.Code)
	}
	if r := get("GET", "/readyz"); r.Code != 200 {
		t.Errorf("/readyz: %d", r.Code)
	}
	problem = errors.New("dial tcp 10.0.0.1: refused")
	if r := get("GET", "/readyz"); r.Code != 503 || strings.Contains(r.Body.String(), "10.0.0.1") {
		t.Errorf("/readyz when not ready: %d %s", r.Code, r.Body)
	}
	if r := get("GET", "/healthz"); r.Code != 200 {
		t.Errorf("/healthz when not ready: %d", r.Code)
	}
	if r := get("POST", "/healthz"); r.Code != 405 {
		t.Errorf("POST /healthz: %d", r.Code)
	}
}

// An upgraded connection must reach the gateway through the edge.
func TestTheGatewayCanStreamAndUpgrade(t *testing.T) {
	gateway := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.URL.Path == "/flush" {
			_, _ = w.Write([]byte("a"))
			if err := rc.Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
			return
		}
		conn, _, err := rc.Hijack()
		if err != nil {
			t.Errorf("hijack: %v", err)
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: close\r\n\r\n"))
		_ = conn.Close()
	})
	h := newHouse(t, options{gateway: gateway})
	srv := httptest.NewServer(h.handler)
	defer srv.Close()
	for _, path := range []string{"/flush", "/hijack"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = strings.TrimPrefix(issuer, "https://")
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	srv.Close()
	for _, m := range h.lines() {
		if s := m["status"]; s != 200.0 && s != 101.0 {
			t.Errorf("event: %v", m)
		}
	}
}
