package blackbox_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

// identity is a certificate that a program has made for itself.
type identity struct {
	tls.Certificate
	certFile, keyFile string
}

func newIdentity(t *testing.T, key crypto.Signer, until time.Time) identity {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "job"},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	id := identity{
		tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		filepath.Join(dir, "client.pem"), filepath.Join(dir, "client-key.pem"),
	}
	for file, block := range map[string]*pem.Block{id.certFile: {Type: "CERTIFICATE", Bytes: der}, id.keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// program is a service whose tokens are bound to its certificate.
type program struct {
	*rig.Server
	t                *testing.T
	clientID, secret string
}

func addProgram(t *testing.T, s *rig.Server) *program {
	t.Helper()
	status, out, problem := rig.Run(t, "client", "add", "bound-job", "--type", "service", "--scope", "catalog.read",
		"--tls-client-certificate-bound-access-tokens", "--json", "-c", filepath.Join(s.State, "sallyport.yaml"))
	var made struct {
		Secret string `json:"client_secret"`
		Bound  bool   `json:"tls_client_certificate_bound_access_tokens"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || status != 0 || made.Secret == "" || !made.Bound {
		t.Fatalf("client add ends with %d: %s %s", status, out, problem)
	}
	s.Record().Add("client secret", made.Secret)
	return &program{s, t, "bound-job", made.Secret}
}

// client is an HTTP client that shows id, or nothing, if it is asked.
func (p *program) client(id *identity, change ...func(*tls.Config)) *http.Client {
	c := p.Transport.TLSClientConfig.Clone()
	if id != nil {
		c.Certificates = []tls.Certificate{id.Certificate}
	}
	for _, f := range change {
		f(c)
	}
	tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	p.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func (p *program) post(c *http.Client, base string) (int, rig.Tokens, error) {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, base+"/oauth/token",
		strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "scope": {"catalog.read"}}.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(p.clientID, p.secret)
	res, err := c.Do(req)
	if err != nil {
		return 0, rig.Tokens{}, err
	}
	defer res.Body.Close()
	var tok rig.Tokens
	err = json.NewDecoder(res.Body).Decode(&tok)
	p.Record().Add("access token", tok.AccessToken)
	return res.StatusCode, tok, err
}

// call reads an item with a token and returns status and protocol.
func (p *program) call(c *http.Client, base, tok string, header ...string) (int, string) {
	p.t.Helper()
	item, err := url.Parse(p.API(p.t, "catalog").Item("1"))
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, base+item.Path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Proto
}

func TestPP20TokensStayWithTheirCertificate(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	p := addProgram(t, s)
	mine, other := newIdentity(t, ecKey(t), time.Now().Add(time.Hour)), newIdentity(t, ecKey(t), time.Now().Add(time.Hour))
	owner := p.client(&mine)
	status, tok, err := p.post(owner, s.MutualTLS)
	if err != nil || status != http.StatusOK {
		t.Fatalf("token: %d %+v %v", status, tok, err)
	}
	for name, c := range map[string]struct {
		client *http.Client
		base   string
		header []string
		want   int
	}{
		"its certificate":                   {owner, s.MutualTLS, nil, 200},
		"its certificate, a new connection": {p.client(&mine), s.MutualTLS, nil, 200},
		"another certificate":               {p.client(&other), s.MutualTLS, nil, 401},
		"no certificate":                    {p.client(nil), s.MutualTLS, nil, 401},
		"the listener that never asks":      {p.client(&mine), s.Issuer, nil, 401},
		"a certificate in a header":         {p.client(nil), s.MutualTLS, []string{"X-Client-Cert", headerText(mine), "X-Forwarded-Client-Cert", headerText(mine)}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			if got, proto := p.call(c.client, c.base, tok.AccessToken, c.header...); got != c.want || proto != "HTTP/2.0" {
				t.Errorf("status %d over %s, want %d over HTTP/2.0", got, proto, c.want)
			}
		})
	}
	t.Run("J096 and the owner's connection still works", func(t *testing.T) {
		if got, _ := p.call(owner, s.MutualTLS, tok.AccessToken); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
	})
	t.Run("PP20 no token without a certificate", func(t *testing.T) {
		for name, c := range map[string]struct {
			client *http.Client
			base   string
		}{
			"none": {p.client(nil), s.MutualTLS}, "the other listener": {p.client(&mine), s.Issuer},
		} {
			if status, tok, err := p.post(c.client, c.base); err != nil || status != http.StatusBadRequest {
				t.Errorf("%s: %d %+v %v", name, status, tok, err)
			}
		}
	})
	t.Run("curl", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--cacert", s.CAFile, "--cert", mine.certFile, "--key", mine.keyFile,
			"-u", p.clientID+":"+p.secret, "-d", "grant_type=client_credentials", s.MutualTLS+"/oauth/token").CombinedOutput()
		var tok rig.Tokens
		if err != nil || json.Unmarshal(out, &tok) != nil || tok.AccessToken == "" {
			t.Fatalf("curl: %v\n%s", err, out)
		}
		if got, _ := p.call(owner, s.MutualTLS, tok.AccessToken); got != http.StatusOK {
			t.Errorf("what curl got is not bound to the same certificate: status %d", got)
		}
	})
}

func headerText(id identity) string {
	return url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.Certificate.Certificate[0]})))
}

func TestPP21OneListenerAsksAndTheOtherNeverDoes(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	p := addProgram(t, s)
	mine := newIdentity(t, ecKey(t), time.Now().Add(time.Hour))
	for base, want := range map[string]bool{s.Issuer: false, s.MutualTLS: true} {
		asked := false
		c := p.client(nil, func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				return &mine.Certificate, nil
			}
		})
		if _, _, err := p.post(c, base); err != nil || asked != want {
			t.Errorf("%s: asked for a certificate: %t, want %t (%v)", base, asked, want, err)
		}
	}
	// A ticket would let a connection speak for a certificate that it has not shown.
	for base, want := range map[string]bool{s.Issuer: true, s.MutualTLS: false} {
		resumed := false
		cache := tls.NewLRUClientSessionCache(4)
		for range 2 {
			c := p.client(&mine, func(c *tls.Config) {
				c.ClientSessionCache = cache
				c.VerifyConnection = func(s tls.ConnectionState) error { resumed = s.DidResume; return nil }
			})
			if _, _, err := p.post(c, base); err != nil {
				t.Fatal(err)
			}
			c.CloseIdleConnections()
		}
		if resumed != want {
			t.Errorf("%s: the second connection resumed the first: %t, want %t", base, resumed, want)
		}
	}
	in := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		id   identity
		want int // 0: no handshake
	}{
		"RSA of 2048 bits": {newIdentity(t, rsaKey(t, 2048), in), 200},
		"RSA of 1024 bits": {newIdentity(t, rsaKey(t, 1024), in), 0},
		"expired":          {newIdentity(t, ecKey(t), time.Now().Add(-time.Hour)), 400},
	} {
		if status, tok, err := p.post(p.client(&c.id), s.MutualTLS); status != c.want || (err == nil) != (c.want != 0) {
			t.Errorf("%s: %d %+v %v, want %d", name, status, tok, err, c.want)
		}
	}
	if _, _, err := p.post(p.client(&mine, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), s.MutualTLS); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if status, _, err := p.post(p.client(&mine, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), s.MutualTLS); err != nil || status != http.StatusOK {
		t.Errorf("TLS 1.2: %d %v", status, err)
	}
}
