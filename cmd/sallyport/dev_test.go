package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func TestDevCertificates(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	read := func() (ca, leaf []byte) {
		t.Helper()
		ca, err1 := os.ReadFile(filepath.Join(dir, devCAFile))
		leaf, err2 := os.ReadFile(filepath.Join(dir, devCertFile))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		return ca, leaf
	}
	make := func(at time.Time) ([]byte, []byte) {
		t.Helper()
		if _, err := devCertificates(dir, at); err != nil {
			t.Fatal(err)
		}
		return read()
	}
	ca, leaf := make(now)
	if ca2, leaf2 := make(now.Add(time.Hour)); !bytes.Equal(ca, ca2) || !bytes.Equal(leaf, leaf2) {
		t.Error("what was good has been replaced")
	}
	if ca2, leaf2 := make(now.Add(leafLife - leafRenew + time.Hour)); !bytes.Equal(ca, ca2) || bytes.Equal(leaf, leaf2) {
		t.Error("near its end the certificate must be renewed, by the same CA")
	}
	if ca2, _ := make(now.Add(caLife - leafLife + time.Hour)); bytes.Equal(ca, ca2) {
		t.Error("a CA that would not outlive its certificate was kept")
	}
}

// Whoever steals the key of the local CA can vouch for nobody else with it.
func TestDevCAIsForThisMachineOnly(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	ca, key, err := makeCA(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	if err := makeLeaf(dir, ca, key, now); err != nil {
		t.Fatal(err)
	}
	leaf, err := tls.LoadX509KeyPair(filepath.Join(dir, devCertFile), filepath.Join(dir, devKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	evil := *leaf.Leaf
	evil.DNSNames, evil.IPAddresses = []string{"bank.example"}, nil
	der, err := x509.CreateCertificate(nil, &evil, ca, leaf.Leaf.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forged.Verify(x509.VerifyOptions{Roots: pool, DNSName: "bank.example"}); err == nil {
		t.Error("the local CA can vouch for bank.example")
	}
}

// running is `sallyport dev` in this process.
type running struct {
	stdout, stderr *watched
	stop           func() int
}

type watched struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

func startDev(t *testing.T, until string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, done := &running{stdout: &watched{}, stderr: &watched{}}, make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"dev", "--listen", "127.0.0.1:0"}, args...), nil, strings.NewReader(""), r.stdout, r.stderr)
	}()
	r.stop = sync.OnceValue(func() int { cancel(); return <-done })
	t.Cleanup(func() { r.stop() })
	for range 1500 {
		if strings.Contains(r.stdout.String(), until) {
			return r
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("dev is not ready: %s", r.stderr)
	return nil
}

// The lines that dev prints are pasted into bash as they are.
func TestDevPrintsLinesThatWork(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "a folder with spaces", "state")
	r := startDev(t, "# it is dead: 401", "--state", state)
	time.Sleep(50 * time.Millisecond) // the rest of the text
	_, lines, found := strings.Cut(r.stdout.String(), "# a token for a program")
	if !found {
		t.Fatal("no lines were printed")
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-c", "set -e\n#"+lines).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, lines, out)
	}
	var statuses []string
	for _, m := range regexp.MustCompile(`(?m)HTTP/2 (\d+)`).FindAllStringSubmatch(string(out), -1) {
		statuses = append(statuses, m[1])
	}
	if got, want := strings.Join(statuses, " "), "200 403 401 200 400 200 401"; got != want {
		t.Errorf("statuses %s, want %s\n%s", got, want, out)
	}
	for _, want := range []string{`"token_type":"sallyport-inner+jwt"`, `"client_id":"demo-service"`, `"active":true`, `error="insufficient_scope"`, `error="invalid_token"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
	if !strings.Contains(string(out), `"key":"***`) || !strings.Contains(string(out), `"authorization":""`) {
		t.Errorf("EG03 the third-party API shows its key, or has the token: %s", out)
	}
	if strings.Contains(string(out), "eyJ") {
		t.Error("the backend shows its token")
	}
	if got := r.stop(); got != exitOK {
		t.Errorf("exit code %d: %s", got, r.stderr)
	}
}

func readyLine(t *testing.T, r *running) devReady {
	t.Helper()
	var ready devReady
	if err := json.Unmarshal([]byte(r.stdout.String()), &ready); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	return ready
}

func trusting(t *testing.T, caFile string, config *tls.Config) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	config.RootCAs = x509.NewCertPool()
	config.RootCAs.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func TestTL02SuitesOfTheListener(t *testing.T) {
	t.Parallel()
	r := startDev(t, "\n", "--json", "--state", filepath.Join(t.TempDir(), "s"))
	ready := readyLine(t, r)
	host := strings.TrimPrefix(ready.Issuer, "https://")
	dial := func(c *tls.Config) error {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", host, c)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	for name, tc := range map[string]struct {
		config *tls.Config
		good   bool
	}{
		"TLS 1.3":                 {&tls.Config{MinVersion: tls.VersionTLS13}, true},
		"TLS 1.2":                 {&tls.Config{MaxVersion: tls.VersionTLS12}, true},
		"TL01 TLS 1.1 is refused": {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		"G18 CBC is refused": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		}}, false},
		"GCM":      {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, true},
		"ChaCha20": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}}, true},
	} {
		if err := dial(tc.config); (err == nil) != tc.good {
			t.Errorf("%s: %v, want it to work: %t", name, err, tc.good)
		}
	}
	if res, err := http.Get("http://" + host + "/oauth/token"); err == nil {
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("TL03 plain HTTP is answered with %d", res.StatusCode)
		}
	}
}

func TestOpsListener(t *testing.T) {
	t.Parallel()
	r := startDev(t, "\n", "--json", "--state", filepath.Join(t.TempDir(), "s"))
	base := strings.TrimSuffix(readyLine(t, r).Metrics, "/metrics")
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "sallyport_revocation_age_seconds"} {
		res, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(body.String(), want) {
			t.Errorf("%s: %d %.200s", path, res.StatusCode, &body)
		}
	}
}

func TestServerLimits(t *testing.T) {
	t.Parallel()
	s := newServer(http.NotFoundHandler(), nil)
	if s.ReadHeaderTimeout != 10*time.Second || s.IdleTimeout != 2*time.Minute || s.MaxHeaderBytes != 32<<10 || s.ErrorLog == nil {
		t.Errorf("limits of the listener: %+v", s)
	}
}

// innerToken signs claims as a gateway would, with one thing changed.
func innerToken(t *testing.T, ring *token.Ring, purpose token.Purpose, typ string, claims map[string]any) string {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := ring.Signer(purpose).Sign(typ, b)
	if err != nil {
		t.Fatal(err)
	}
	return jwt
}

func newTestRing(t *testing.T) *token.Ring {
	t.Helper()
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := token.OpenRing(t.Context(), &forgottenKeys{}, master, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestDemoBackendsTrustNothingButTheInnerToken(t *testing.T) {
	t.Parallel()
	ring, fetched := newTestRing(t), 0
	issuer := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched++
		w.Header().Set("Content-Type", "application/json")
		b, _ := ring.JWKS(token.SignInner)
		_, _ = w.Write(b)
	}))
	t.Cleanup(issuer.Close)
	d, err := newDemoBackends(issuer.URL, map[string]string{"catalog": "https://a.example/catalog", "payments": "https://a.example/payments"}, issuer.Client(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	good := func() map[string]any {
		return map[string]any{"iss": issuer.URL, "aud": "https://a.example/catalog", "sub": "u1", "client_id": "app", "scope": "catalog.read", "jti": "j1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	}
	with := func(k string, v any) map[string]any { m := good(); m[k] = v; return m }
	without := func(k string) map[string]any { m := good(); delete(m, k); return m }
	sign := func(c map[string]any) string { return innerToken(t, ring, token.SignInner, token.TypeInner, c) }
	bearer := func(jwt string) []string { return []string{"Bearer " + jwt} }
	for name, tc := range map[string]struct {
		headers []string
		want    int
	}{
		"a good one":               {bearer(sign(good())), 200},
		"none":                     {nil, 401},
		"two":                      {append(bearer(sign(good())), bearer(sign(good()))...), 401},
		"another scheme":           {[]string{"Basic " + sign(good())}, 401},
		"an access token":          {bearer(secret.NewHandle(secret.AccessToken).Reveal()), 401},
		"another type":             {bearer(innerToken(t, ring, token.SignInner, "at+jwt", good())), 401},
		"an ID token's key":        {bearer(innerToken(t, ring, token.SignIDToken, token.TypeInner, good())), 401},
		"a stranger's key":         {bearer(innerToken(t, newTestRing(t), token.SignInner, token.TypeInner, good())), 401},
		"another issuer":           {bearer(sign(with("iss", "https://evil.example"))), 401},
		"another backend's":        {bearer(sign(with("aud", "https://a.example/payments"))), 401},
		"for more than one":        {bearer(sign(with("aud", []string{"https://a.example/catalog", "x"}))), 401},
		"expired":                  {bearer(sign(with("exp", time.Now().Add(-20*time.Second).Unix()))), 401},
		"without expiry":           {bearer(sign(without("exp"))), 401},
		"without a subject":        {bearer(sign(without("sub"))), 401},
		"with a changed signature": {bearer(sign(good())[:len(sign(good()))-4] + "AAAA"), 401},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/catalog/items/1", nil)
		r.Header["Authorization"] = tc.headers
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%s: status %d, want %d: %s", name, w.Code, tc.want, w.Body)
		}
		if len(tc.headers) == 1 && strings.Contains(w.Body.String(), strings.Fields(tc.headers[0])[1]) {
			t.Errorf("%s: the answer has the token in it", name)
		}
	}
	if fetched != 1 {
		t.Errorf("the keys were fetched %d times within 30 seconds, want once: a stranger's kid must not make it busy", fetched)
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"/plain/path-1.pem", "a b", "it's", "$HOME", "`id`", "", "a\nb", "ä"} {
		out, err := exec.CommandContext(t.Context(), "bash", "-c", "printf %s "+shellQuote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q became %q, %v", s, out, err)
		}
	}
}

func TestDevIsReadySoon(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r := startDev(t, "\n", "--json", "--state", filepath.Join(t.TempDir(), "s"))
	t.Logf("ready after %s on a machine that does other things too", time.Since(began).Round(time.Millisecond))
	if pid := readyLine(t, r).PID; pid != os.Getpid() {
		t.Errorf("pid is %s, want %d", strconv.Itoa(pid), os.Getpid())
	}
}
