package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/web"
)

const mutual = "https://auth.example.com:8444"

// prover makes DPoP proofs (RFC 9449 §4.2).
type prover struct {
	h   *house
	key *ecdsa.PrivateKey
}

func (h *house) prover() *prover {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	return &prover{h, key}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *prover) proof(method, address string, more ...string) string {
	p.h.t.Helper()
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		p.h.t.Fatal(err)
	}
	claims := map[string]any{"jti": b64(secret.Random(16)), "htm": method, "htu": address, "iat": p.h.clock.now().Unix()}
	for i := 0; i < len(more); i += 2 {
		claims[more[i]] = more[i+1]
	}
	header := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}}
	var parts []string
	for _, m := range []map[string]any{header, claims} {
		b, err := json.Marshal(m)
		if err != nil {
			p.h.t.Fatal(err)
		}
		parts = append(parts, b64(b))
	}
	input := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		p.h.t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64(sig)
}

func (h *house) jobForm() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {h.secret.Reveal()}}
}

func TestPP13OneNonceComesWithTheError(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b, p := h.browser(), h.prover()
	r := b.post("/oauth/token", h.jobForm(), "DPoP", p.proof("POST", issuer+"/oauth/token", "nonce", "stale"))
	wantStatus(t, r, http.StatusBadRequest)
	nonces := r.Header.Values("DPoP-Nonce")
	if r.json(t)["error"] != "use_dpop_nonce" || len(nonces) != 1 {
		t.Fatalf("%s with nonces %q", r.body, nonces)
	}
	r = b.post("/oauth/token", h.jobForm(), "DPoP", p.proof("POST", issuer+"/oauth/token", "nonce", nonces[0]))
	wantStatus(t, r, http.StatusOK)
	if len(r.Header.Values("DPoP-Nonce")) != 0 || r.json(t)["token_type"] != "DPoP" {
		t.Errorf("%s, nonces %q", r.body, r.Header.Values("DPoP-Nonce"))
	}
	r = b.post("/oauth/token", h.jobForm(), "DPoP", "x")
	wantStatus(t, r, http.StatusBadRequest)
	if r.json(t)["error"] != "invalid_dpop_proof" || r.Header.Get("DPoP-Nonce") != "" {
		t.Errorf("%s", r.body)
	}
	if !strings.Contains(h.log.String(), "proof.refused") {
		t.Error("the log does not know of it")
	}
}

// The address that a proof must name is that of the configuration.
func TestPP07AddressOfTheProofIsNotTheRequests(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b, p := h.browser(), h.prover()
	const evil = "https://evil.example/oauth/token"
	for name, header := range map[string][]string{
		"X-Forwarded-Host":    {"X-Forwarded-Host", "evil.example"},
		"Forwarded":           {"Forwarded", "host=evil.example;proto=https"},
		"X-Forwarded-Prefix":  {"X-Forwarded-Prefix", "/oauth"},
		"nothing but the htu": nil,
	} {
		r := b.post("/oauth/token", h.jobForm(), append(header, "DPoP", p.proof("POST", evil))...)
		if wantStatus(t, r, http.StatusBadRequest); r.json(t)["error"] != "invalid_dpop_proof" {
			t.Errorf("%s: %s", name, r.body)
		}
		r = b.post("/oauth/token", h.jobForm(), append(header, "DPoP", p.proof("POST", issuer+"/oauth/token"))...)
		if wantStatus(t, r, http.StatusOK); t.Failed() {
			t.Errorf("%s: the right address is refused", name)
		}
	}
	r := b.post("/oauth/token", h.jobForm(), "X-HTTP-Method-Override", "PUT", "DPoP", p.proof("PUT", issuer+"/oauth/token"))
	wantStatus(t, r, http.StatusBadRequest) // PP06
}

func TestPP12UserInfoSaysWhichSchemes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b, p := h.browser(), h.prover()
	code := b.callback("client_id", "web").Get("code")
	tok, _ := b.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"web"}, "client_secret": {b.secret.Reveal()},
		"code": {code}, "code_verifier": {verifier}, "redirect_uri": {callback},
	}, "DPoP", p.proof("POST", issuer+"/oauth/token")).json(t)["access_token"].(string)
	const userinfo = issuer + "/oauth/userinfo"
	ath := challenge(tok)
	r := b.get(userinfo, "Authorization", "DPoP "+tok, "DPoP", p.proof("GET", userinfo, "ath", ath))
	wantStatus(t, r, http.StatusOK)
	const bearer, dpop = `Bearer realm="sallyport"`, `DPoP realm="sallyport", algs="`
	for name, c := range map[string]struct {
		header       []string
		first, other string
		code         string
	}{
		"nothing":           {nil, bearer, dpop, ""},
		"as Bearer":         {[]string{"Authorization", "Bearer " + tok}, bearer, dpop, "invalid_token"},
		"no proof":          {[]string{"Authorization", "DPoP " + tok}, dpop, bearer, "invalid_dpop_proof"},
		"a nonce of before": {[]string{"Authorization", "DPoP " + tok, "DPoP", p.proof("GET", userinfo, "ath", ath, "nonce", "x")}, dpop, bearer, "use_dpop_nonce"},
		"another key":       {[]string{"Authorization", "DPoP " + tok, "DPoP", h.prover().proof("GET", userinfo, "ath", ath)}, dpop, bearer, "invalid_token"},
	} {
		r := b.get(userinfo, c.header...)
		wantStatus(t, r, http.StatusUnauthorized)
		got := r.Header.Values("WWW-Authenticate")
		if len(got) != 2 || !strings.HasPrefix(got[0], c.first) || !strings.HasPrefix(got[1], c.other) || strings.Contains(got[1], "error") ||
			strings.Contains(got[0], "error=") != (c.code != "") || !strings.Contains(got[0], c.code) {
			t.Errorf("%s: %q", name, got)
		}
		if has := len(r.Header.Values("DPoP-Nonce")) == 1; has != (c.code == "use_dpop_nonce") {
			t.Errorf("%s: nonces %q", name, r.Header.Values("DPoP-Nonce"))
		}
	}
}

func TestBrowsersMaySendProofsAndReadNonces(t *testing.T) {
	t.Parallel()
	const app = "https://app.example.com"
	h := newHouse(t, options{origins: []string{app}})
	b := h.browser()
	r := b.do(b.request(http.MethodOptions, "/oauth/token", "", "Origin", app, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "dpop"))
	if !strings.Contains(r.Header.Get("Access-Control-Allow-Headers"), "dpop") {
		t.Errorf("preflight allows %q", r.Header.Get("Access-Control-Allow-Headers"))
	}
	r = b.post("/oauth/token", h.jobForm(), "Origin", app, "DPoP", "x")
	if !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "DPoP-Nonce") {
		t.Errorf("exposes %q", r.Header.Get("Access-Control-Expose-Headers"))
	}
}

// certificate is one that a program has made for itself.
func certificate(t *testing.T, from, until time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "job"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// by sends a request to the listener that asks for certificates and returns the
// status.
func (h *house) by(cert *x509.Certificate, method, address string, form url.Values, header ...string) int {
	r := httptest.NewRequestWithContext(h.t.Context(), method, address, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	r.TLS = &tls.ConnectionState{}
	if cert != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{cert}
	}
	rec := httptest.NewRecorder()
	web.MutualTLS(h.handler).ServeHTTP(rec, r)
	return rec.Code
}

func TestPP20CertificateComesFromTheConnectionAlone(t *testing.T) {
	t.Parallel()
	sec := secret.NewHandle(secret.ClientSecret)
	h := newHouse(t, options{mutualTLS: mutual, clients: []oauth.Client{{
		ID: "cert", Type: oauth.ServiceClient, Scope: "catalog.read", CertificateBound: true, Secrets: []oauth.ClientSecret{{Hash: sec.Hash()}},
	}}})
	now := h.clock.now()
	good := certificate(t, now.Add(-time.Hour), now.Add(time.Hour))
	text := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.Raw})))
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"cert"}, "client_secret": {sec.Reveal()}}
	if status := h.by(good, "POST", mutual+"/oauth/token", form); status != http.StatusOK {
		t.Fatalf("with its certificate: status %d", status)
	}
	for _, name := range []string{"X-Client-Cert", "X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Ssl-Client-Cert", "Client-Cert", "X-Amzn-Mtls-Clientcert"} {
		if status := h.by(nil, "POST", mutual+"/oauth/token", form, name, text); status != http.StatusBadRequest {
			t.Errorf("%s alone: status %d", name, status)
		}
	}
	for name, cert := range map[string]*x509.Certificate{
		"expired":       certificate(t, now.Add(-2*time.Hour), now.Add(-time.Hour)),
		"not valid yet": certificate(t, now.Add(time.Hour), now.Add(2*time.Hour)),
	} {
		if status := h.by(cert, "POST", mutual+"/oauth/token", form); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, status)
		}
	}
}

func TestPP21NoPageIsServedWhereCertificatesAreAskedFor(t *testing.T) {
	t.Parallel()
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := newHouse(t, options{mutualTLS: mutual, gateway: api})
	for address, want := range map[string]int{
		mutual + "/oauth/token":                        http.StatusMethodNotAllowed,
		mutual + "/oauth/userinfo":                     http.StatusUnauthorized,
		mutual + "/oauth/revoke":                       http.StatusMethodNotAllowed,
		mutual + "/oauth/introspect":                   http.StatusMethodNotAllowed,
		mutual + "/oauth/authorize":                    http.StatusNotFound,
		mutual + "/login":                              http.StatusNotFound,
		mutual + "/oauth/logout":                       http.StatusNotFound,
		mutual + "/.well-known/openid-configuration":   http.StatusNotFound,
		mutual + "/catalog/items/1":                    http.StatusTeapot,
		"https://api.example.com:8444/catalog/items/1": http.StatusTeapot,
		"https://evil.example:8444/catalog/items/1":    http.StatusMisdirectedRequest,
		"https://evil.example:8444/oauth/userinfo":     http.StatusMisdirectedRequest,
		"https://auth.example.com/oauth/userinfo":      http.StatusMisdirectedRequest,
	} {
		if status := h.by(nil, "GET", address, nil); status != want {
			t.Errorf("%s: status %d, want %d", address, status, want)
		}
	}
	m := h.browser().get("/.well-known/openid-configuration").json(t)
	aliases, _ := m["mtls_endpoint_aliases"].(map[string]any)
	if m["tls_client_certificate_bound_access_tokens"] != true || aliases["token_endpoint"] != mutual+"/oauth/token" {
		t.Errorf("metadata: %v", aliases)
	}
	for name, address := range aliases {
		if plain, _ := m[name].(string); address != strings.Replace(plain, issuer, mutual, 1) {
			t.Errorf("alias of %s is %v, and the endpoint %q", name, address, plain)
		}
	}
	if b, _ := json.Marshal(m["dpop_signing_alg_values_supported"]); !strings.Contains(string(b), `"ES256"`) || strings.Contains(string(b), "none") {
		t.Errorf("metadata: %s", b)
	}
	m = newHouse(t, options{}).browser().get("/.well-known/openid-configuration").json(t)
	if _, has := m["mtls_endpoint_aliases"]; has {
		t.Error("aliases without a listener")
	}
}

// The proof of a request to the other listener names its address.
func TestPP07ProofNamesTheListener(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{mutualTLS: mutual})
	p := h.prover()
	if status := h.by(nil, "POST", mutual+"/oauth/token", h.jobForm(), "DPoP", p.proof("POST", mutual+"/oauth/token")); status != http.StatusOK {
		t.Errorf("its own address: status %d", status)
	}
	if status := h.by(nil, "POST", mutual+"/oauth/token", h.jobForm(), "DPoP", p.proof("POST", issuer+"/oauth/token")); status != http.StatusBadRequest {
		t.Errorf("the other's: status %d", status)
	}
}
