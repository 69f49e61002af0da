package blackbox_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/test/rig"
)

const acmeHost, acmeAPI = "auth.sallyport.test", "api.sallyport.test"

const acmeConfig = `issuer: https://%[1]s
listen: %[2]s
metrics_listen: %[3]s
tls: {acme: {directory: "https://127.0.0.1:%[4]d/dir", accept_terms: true, ca_file: acme-ca.pem%[5]s}}
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {a.read: Read}
apis:
  - name: a
    audience: https://api.sallyport.test/a
    path: /a
    upstream: http://127.0.0.1:9
    operations: [{match: "GET /x", scope: a.read}]
`

// authority is Pebble, the ACME server that Let's Encrypt tests clients with, and its
// name server, which says that every host is this machine.
type authority struct {
	t       *testing.T
	dir     string
	port    int
	ops     int
	process *exec.Cmd
}

// program is a process whose output is kept.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}
func (o *output) String() string { o.mu.Lock(); defer o.mu.Unlock(); return o.buf.String() }

func port(address string) int {
	_, p, _ := net.SplitHostPort(address)
	n := 0
	_, _ = fmt.Sscan(p, &n)
	return n
}

func start(t *testing.T, cmd *exec.Cmd) *output {
	t.Helper()
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return out
}

// newAuthority starts one that checks hosts at these ports, and whose certificates live for that long.
func newAuthority(t *testing.T, tlsPort, httpPort int, life time.Duration) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), port: port(rig.FreeAddr(t)), ops: port(rig.FreeAddr(t))}
	a.writePair()
	names := rig.FreeAddr(t)
	start(t, exec.CommandContext(t.Context(), rig.Tool(t, "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"),
		"-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dnsserver", names, "-management", rig.FreeAddr(t), "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""))
	config := map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprint("127.0.0.1:", a.port), "managementListenAddress": fmt.Sprint("127.0.0.1:", a.ops),
		"certificate": filepath.Join(a.dir, "ca.pem"), "privateKey": filepath.Join(a.dir, "ca.key"),
		"httpPort": httpPort, "tlsPort": tlsPort,
		"profiles": map[string]any{"default": map[string]any{"description": "x", "validityPeriod": int(life.Seconds())}},
	}}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(a.dir, "pebble.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	a.process = exec.CommandContext(t.Context(), rig.Tool(t, "github.com/letsencrypt/pebble/v2/cmd/pebble"), "-config", file, "-dnsserver", names)
	a.process.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	out := start(t, a.process)
	for end := time.Now().Add(20 * time.Second); a.issuer() == nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the authority does not answer:\n%s", out)
		}
	}
	return a
}

// writePair makes the certificate of the directory itself.
func (a *authority) writePair() {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "directory"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		a.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"ca.pem": {Type: "CERTIFICATE", Bytes: der}, "ca.key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

// issuer is the root that it gives certificates under, or nil.
func (a *authority) issuer() *x509.CertPool {
	text, err := os.ReadFile(filepath.Join(a.dir, "ca.pem"))
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	res, err := c.Get(fmt.Sprintf("https://127.0.0.1:%d/roots/0", a.ops))
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	root, err := io.ReadAll(res.Body)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(root) {
		return nil
	}
	return roots
}

// certified is a server that gets its certificates from an authority.
type certified struct {
	t       *testing.T
	dir     string
	listen  string
	cmd     *exec.Cmd
	log     *output
	metrics string
}

func newCertified(t *testing.T) *certified {
	t.Helper()
	return &certified{t: t, dir: t.TempDir(), listen: rig.FreeAddr(t), metrics: rig.FreeAddr(t)}
}

func (s *certified) serve(a *authority, more string) {
	s.t.Helper()
	ca, err := os.ReadFile(filepath.Join(a.dir, "ca.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	key := filepath.Join(s.dir, "master.key")
	files := map[string]string{"acme-ca.pem": string(ca), "sallyport.yaml": fmt.Sprintf(acmeConfig, acmeHost, s.listen, s.metrics, a.port, more)}
	if _, err := os.Stat(key); err != nil {
		if out, err := exec.CommandContext(s.t.Context(), rig.Binary(s.t), "init", "--dir", s.dir).CombinedOutput(); err != nil {
			s.t.Fatalf("%v: %s", err, out)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.cmd = exec.CommandContext(s.t.Context(), rig.Binary(s.t), "serve", "-c", filepath.Join(s.dir, "sallyport.yaml"))
	s.log = start(s.t, s.cmd)
}

func (s *certified) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
}

// leaf is the certificate that a client is shown who trusts only the authority.
func (s *certified) leaf(roots *x509.CertPool, host string) (*x509.Certificate, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 2 * time.Second}, Config: &tls.Config{RootCAs: roots, ServerName: host}}
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", s.listen)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

func (s *certified) wait(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: not within 30 seconds\n%s", what, s.log)
		}
	}
}

// A server with nothing but a name gets its certificates from a real authority, renews
// them while connections stay, and has them after a restart without it.
func TestTL07CertificatesComeFromAnAuthority(t *testing.T) {
	t.Parallel()
	s := newCertified(t)
	a := newAuthority(t, port(s.listen), 1, 24*time.Second)
	roots := a.issuer()
	s.serve(a, "")
	var first *x509.Certificate
	for _, host := range []string{acmeAPI, acmeHost} {
		s.wait("a certificate for "+host, func() (ok bool) {
			leaf, err := s.leaf(roots, host)
			if err == nil && leaf.VerifyHostname(host) == nil {
				first, ok = leaf, true
			}
			return ok
		})
	}
	kept := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: acmeHost},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.listen)
		},
	}}
	ask := func() string {
		t.Helper()
		res, err := kept.Get("https://" + acmeHost + "/.well-known/openid-configuration")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%d %v", res.StatusCode, err)
		}
		return res.TLS.PeerCertificates[0].SerialNumber.String()
	}
	before := ask()
	s.wait("a renewed certificate", func() bool {
		leaf, err := s.leaf(roots, acmeHost)
		return err == nil && leaf.SerialNumber.Cmp(first.SerialNumber) != 0
	})
	if again := ask(); again != before {
		t.Error("the connection was dropped when the certificate was renewed")
	}
	if _, err := s.leaf(roots, "evil.sallyport.test"); err == nil {
		t.Error("a stranger's name gets a certificate")
	}
	if n := strings.Count(s.log.String(), `"certificate.received"`); n < 2 {
		t.Errorf("%d certificates in the log", n)
	}
	res, err := http.Get("http://" + s.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), "\nsallyport_tls_certificate_ends_seconds 1.") {
		t.Errorf("no metric of the certificate: %v", err)
	}
	s.stop()
	_ = a.process.Process.Kill()
	for _, name := range []string{"sallyport.db", "sallyport.db-wal"} {
		text, err := os.ReadFile(filepath.Join(s.dir, name))
		if err == nil && (bytes.Contains(text, []byte("PRIVATE KEY")) || bytes.Contains(text, first.Raw)) {
			t.Errorf("%s has a key or a certificate in the clear", name)
		}
	}
	s.serve(a, "")
	s.wait("the certificate from the store, without the authority", func() bool {
		_, err := s.leaf(roots, acmeHost)
		return err == nil
	})
	s.stop()
}

// Where the listener is not on port 443, the authority asks on port 80, where nothing
// else is answered and nothing is redirected (TL03).
func TestTL03TL07ChallengesOverPlainHTTP(t *testing.T) {
	t.Parallel()
	s := newCertified(t)
	plain := rig.FreeAddr(t)
	a := newAuthority(t, 1, port(plain), 2*time.Hour)
	s.serve(a, ", challenge_listen: "+plain)
	s.wait("a certificate", func() bool {
		_, err := s.leaf(a.issuer(), acmeHost)
		return err == nil
	})
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/", "/a/x", "/oauth/authorize", "/.well-known/acme-challenge/none"} {
		req, err := http.NewRequest(http.MethodGet, "http://"+plain+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = acmeHost
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("%s over plain HTTP: %d, Location %q", path, res.StatusCode, res.Header.Get("Location"))
		}
	}
	s.stop()
}
