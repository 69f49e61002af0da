package chaos_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// hold is how long a change is left in force, so that calls meet it.
const hold = 700 * time.Millisecond

// rotateKeys: what the old keys made stays good.
func (h *house) rotateKeys() {
	h.t.Helper()
	for _, purpose := range []string{"seal_access", "sign_inner", "sign_id", "mac_refresh", "seal_flow"} {
		h.run("key", "rotate", purpose, "--now")
	}
	time.Sleep(hold)
	h.stream.wantAlive(h.t, "a rotation")
}

// compromiseKeys ends every token at once, and all streams; new tokens work.
func (h *house) compromiseKeys() {
	h.t.Helper()
	h.stream.wantAlive(h.t, "all changes")
	all := []string{"item", "pay", "fragile", "gone"}
	for _, k := range append(all, "other scope", "unlisted", "forged") {
		h.truths[k].turn(either)
	}
	old := h.tokens.Load().items
	h.run("key", "compromise", "--purpose", "seal_access")
	start := time.Now()
	h.wait("tokens of a compromised key are refused", func() bool { return h.status("GET", "/steady/items/1", old) == 401 })
	h.wait("streams of a compromised key end", h.stream.hasEnded)
	h.t.Logf("a compromised key counted after %s", time.Since(start).Round(time.Millisecond))
	h.compromised.Store(&old)
	h.newTokens()
	for _, k := range all {
		h.truths[k].turn(open)
	}
	for _, k := range []string{"other scope", "unlisted", "forged"} {
		h.truths[k].turn(shut)
	}
	time.Sleep(hold)
}

// moveTier: an operation in tier high takes no token that is not bound, from the
// moment that /readyz has the new policy, and takes it again afterwards.
func (h *house) moveTier() {
	h.t.Helper()
	h.truths["pay"].turn(either)
	h.offer(h.with("scope: steady.pay}", "scope: steady.pay, tier: high}"), taken)
	h.truths["pay"].turn(shut)
	before := h.steady.executed("pay")
	time.Sleep(hold)
	if n := h.steady.executed("pay") - before; n > 2 { // those that were on their way
		h.t.Errorf("%d payments were executed in tier high", n)
	}
	h.truths["pay"].turn(either)
	h.offer(h.text, taken)
	h.truths["pay"].turn(open)
	h.stream.wantAlive(h.t, "another operation was moved")
}

// removeAPI: an API that is gone is not found, and comes back.
func (h *house) removeAPI() {
	h.t.Helper()
	at, end := strings.Index(h.text, "  - name: gone"), strings.Index(h.text, "clients:")
	h.truths["gone"].turn(either)
	h.offer(strings.NewReplacer(h.text[at:end], "", " gone.read", "", ", gone.read: See it", "").Replace(h.text), taken)
	h.truths["gone"].turn(shut)
	time.Sleep(hold)
	h.truths["gone"].turn(either)
	h.offer(h.text, taken)
	h.truths["gone"].turn(open)
	h.stream.wantAlive(h.t, "another API was removed")
}

// offerBadConfigurations: none of them changes anything.
func (h *house) offerBadConfigurations() {
	h.t.Helper()
	for _, bad := range []string{
		h.text[:len(h.text)/2],
		h.with("clients:", "clients: ["),
		h.with("path: /steady", "path: /oauth"),
		h.with("scope: steady.pay}", "scope: steady.pay, tier: highest}"),
		h.with("issuer: ", "issuer: https://elsewhere.example #"),
		h.with("cert_file: cert.pem", "cert_file: nothing.pem"),
		"",
	} {
		h.offer(bad, refused)
		if h.metric("sallyport_config_stale") != 1 {
			h.t.Error("a refused configuration is not told")
		}
	}
	h.offer(h.text, taken)
	if h.metric("sallyport_config_stale") != 0 {
		h.t.Error("a good configuration was taken, and the refused one is still told")
	}
	h.stream.wantAlive(h.t, "bad configurations")
}

// killBackend: its calls fail and those of others do not; it comes back.
func (h *house) killBackend() { h.killBackendWhile(func() { time.Sleep(hold) }) }

func (h *house) killBackendWhile(f func()) {
	h.t.Helper()
	h.truths["fragile"].turn(dying)
	h.fragile.kill()
	h.truths["fragile"].turn(broken)
	f()
	h.truths["fragile"].turn(dying)
	h.fragile.start()
	h.wait("calls to the backend that is back", func() bool { return h.status("GET", "/fragile/items/1", h.tokens.Load().fragile) == 200 })
	h.truths["fragile"].turn(open)
	h.stream.wantAlive(h.t, "another backend was killed")
}

// replaceCertificate puts a new certificate in the place of the old, first
// without its key: that pair is refused. No connection is lost.
func (h *house) replaceCertificate() {
	h.t.Helper()
	old := h.serial()
	certificate, key, serial := h.newLeaf()
	before := h.metric(refused)
	h.write(filepath.Join(h.State, "cert.pem"), certificate)
	if err := h.Signal(syscall.SIGHUP); err != nil {
		h.t.Fatal(err)
	}
	h.wait("a certificate without its key is refused", func() bool { return h.metric(refused) > before })
	if got := h.serial(); got.Cmp(old) != 0 {
		h.t.Errorf("half of a pair is in force: %x", got)
	}
	h.write(filepath.Join(h.State, "key.pem"), key)
	// Nobody sends a signal: it looks for changes by itself.
	h.wait("the new certificate", func() bool { return h.serial().Cmp(serial) == 0 })
	h.stream.wantAlive(h.t, "the certificate was replaced")
}

// serial is that of the certificate that a new connection gets.
func (h *house) serial() *big.Int {
	h.t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: soon}, "tcp", h.Listen, h.Transport.TLSClientConfig)
	if err != nil {
		h.t.Fatalf("a new connection: %v", err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber
}

// newLeaf makes a certificate by the CA of dev.
func (h *house) newLeaf() (certificate, key string, serial *big.Int) {
	h.t.Helper()
	ca, err := tls.LoadX509KeyPair(filepath.Join(h.State, "ca.pem"), filepath.Join(h.State, "ca-key.pem"))
	if err != nil {
		h.t.Fatal(err)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	serial = new(big.Int).SetInt64(time.Now().UnixNano())
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, ca.Leaf, leaf.Public(), ca.PrivateKey)
	if err != nil {
		h.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(leaf)
	if err != nil {
		h.t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8), serial
}
