package rig

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// MailServer is a mail server that is not ours: test/node/smtp.mjs.
type MailServer struct {
	Port   string
	CAFile string // of its certificate, for localhost and 127.0.0.1

	mu   sync.Mutex
	got  []Mail
	grew chan struct{}
}

// Mail is a mail as it came.
type Mail struct {
	From, To, Raw string
	TLS           bool
	User          string // who had authenticated
}

// MailSettings say how the server behaves. The zero value offers STARTTLS and
// takes mail from everybody.
type MailSettings struct {
	Implicit   bool   // TLS from the first byte
	Plain      bool   // no TLS at all
	User, Pass string // needed, if set
	Refuse     string // how many mails are put off first
}

// StartMail starts a mail server that ends with the test.
func StartMail(t testing.TB, o MailSettings) *MailServer {
	t.Helper()
	m := &MailServer{grew: make(chan struct{}, 1)}
	dir := t.TempDir()
	m.CAFile = filepath.Join(dir, "cert.pem")
	key := filepath.Join(dir, "key.pem")
	selfSigned(t, m.CAFile, key)
	settings := map[string]string{"cert": m.CAFile, "key": key, "user": o.User, "pass": o.Pass, "refuse": o.Refuse}
	if o.Implicit {
		settings["implicit"] = "yes"
	}
	if o.Plain {
		settings["plain"] = "yes"
	}
	arg, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(NodeDir(), "node_modules", "smtp-server")); err != nil {
		t.Fatalf("npm packages are missing, run test/setup.sh: %v", err)
	}
	cmd := exec.Command("node", "smtp.mjs", string(arg))
	cmd.Dir = NodeDir()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	var first struct {
		Port string `json:"port"`
	}
	line, err := lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &first) != nil || first.Port == "" {
		t.Fatalf("the mail server does not start: %v %s %s", err, line, &stderr)
	}
	m.Port = first.Port
	done := make(chan struct{})
	go func() { defer close(done); m.read(lines) }()
	t.Cleanup(func() { _ = stdin.Close(); <-done; _ = cmd.Wait() })
	return m
}

func (m *MailServer) read(lines *bufio.Reader) {
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var x struct {
			From string `json:"from"`
			To   string `json:"to"`
			TLS  string `json:"tls"`
			User string `json:"user"`
			Raw  string `json:"raw"`
		}
		if json.Unmarshal(line, &x) != nil {
			continue
		}
		m.mu.Lock()
		m.got = append(m.got, Mail{From: x.From, To: x.To, TLS: x.TLS == "true", User: x.User, Raw: x.Raw})
		m.mu.Unlock()
		select {
		case m.grew <- struct{}{}:
		default:
		}
	}
}

// Mails returns what has come until now.
func (m *MailServer) Mails() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Mail(nil), m.got...)
}

// Wait waits until enough says that what has come is enough, for two
// minutes at most: what a server had in hand when it was killed is sent a minute later.
func (m *MailServer) Wait(t testing.TB, enough func([]Mail) bool) []Mail {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		if got := m.Mails(); enough(got) {
			return got
		}
		select {
		case <-m.grew:
		case <-limit:
			t.Fatalf("the mail does not come; until now: %+v", m.Mails())
		}
	}
}

// selfSigned writes a certificate for this machine and its key.
func selfSigned(t testing.TB, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail of a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err1 := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	private, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
