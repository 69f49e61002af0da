package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// from asks as b does, from another address.
func (h *house) from(address string, form url.Values) *http.Response {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, issuer+"/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = address + ":4711"
	rec := httptest.NewRecorder()
	h.handler.ServeHTTP(rec, r)
	return rec.Result()
}

func TestCL06GuessesFromEverywhereAreSlowedDown(t *testing.T) {
	h := newHouse(t, options{})
	wrong := h.credentials()
	wrong.Set("client_secret", "wrong")
	count := map[int]int{}
	for i := range 1000 {
		count[h.from(fmt.Sprintf("198.51.%d.%d", i/250, i%250), wrong).StatusCode]++
	}
	if count[http.StatusUnauthorized] > 210 || count[http.StatusTooManyRequests] < 790 || count[http.StatusOK] > 0 {
		t.Errorf("a thousand guesses from a thousand addresses: %v", count)
	}
	if res := h.from("203.0.113.9", wrong); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the next: %d", res.StatusCode)
	}
	for _, address := range []string{"203.0.113.9", "198.51.0.1"} { // whoever is right is let through
		if res := h.from(address, h.credentials()); res.StatusCode != http.StatusOK {
			t.Errorf("the client itself at %s: %d", address, res.StatusCode)
		}
	}
	other := h.credentials()
	other.Set("client_id", "rs")
	other.Set("client_secret", "wrong")
	if res := h.from("203.0.113.10", other); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("another client pays for it: %d", res.StatusCode)
	}
	h.clock.advance(time.Hour)
	if err := h.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if res := h.from("203.0.113.9", wrong); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an hour later: %d", res.StatusCode)
	}
}

func TestTK11FailedAuthentications(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	byHeader := b.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}}, h.basic("job")...)
	if wantStatus(t, byHeader, http.StatusUnauthorized); !strings.HasPrefix(byHeader.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("WWW-Authenticate is %q", byHeader.Header.Get("WWW-Authenticate"))
	}
	wrong := h.credentials()
	wrong.Set("client_secret", "wrong")
	byBody := b.post("/oauth/token", wrong)
	if wantStatus(t, byBody, http.StatusUnauthorized); byBody.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("WWW-Authenticate is %q where no header was used", byBody.Header.Get("WWW-Authenticate"))
	}
	if byHeader.body != byBody.body || byBody.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s and %s, %q", byHeader.body, byBody.body, byBody.Header.Get("Cache-Control"))
	}
}

func TestCL08SecretsInTheURLAreRefusedAndReported(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	for _, name := range []string{"client_secret", "client_assertion"} {
		wantStatus(t, b.post("/oauth/token?"+name+"="+h.secret.Reveal(), h.credentials()), http.StatusBadRequest)
		if !strings.Contains(h.log.String(), `"token.in_url"`) || strings.Contains(h.log.String(), h.secret.Reveal()) {
			t.Errorf("%s: not reported, or with the secret itself", name)
		}
	}
}

// authority is a certificate authority with a certificate for shop.example.com.
func authority(t *testing.T, now time.Time) (pool *x509.CertPool, shop *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(template, parent *x509.Certificate) *x509.Certificate {
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(now.Unix()), now.Add(-time.Hour), now.Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	root = parse(root, root)
	pool = x509.NewCertPool()
	pool.AddCert(root)
	return pool, parse(&x509.Certificate{DNSNames: []string{"shop.example.com"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, root)
}

func TestCL11CertificatesInHeadersProveNobody(t *testing.T) {
	pool, shop := authority(t, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	h := newHouse(t, options{
		mutualTLS: mutual, change: func(o *oauth.Options) { o.ClientCAs = pool },
		clients: []oauth.Client{{ID: "tls", Type: oauth.ServiceClient, Scope: "catalog.read", Settings: oauth.Settings{AuthMethod: "tls_client_auth", TLSDNS: "shop.example.com"}}},
	})
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"tls"}, "scope": {"catalog.read"}}
	if status := h.by(shop, "POST", mutual+"/oauth/token", form); status != http.StatusOK {
		t.Fatalf("the client's certificate in the handshake: %d", status)
	}
	text := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shop.Raw})))
	der := ":" + b64(shop.Raw) + ":"
	for name, value := range map[string]string{
		"X-Client-Cert": text, "X_Client_Cert": text, "X-SSL-Client-Cert": text, "SSL_CLIENT_CERT": text, "Client-Cert": der, "Client-Cert-Chain": der,
		"X-Forwarded-Client-Cert": "Cert=" + text, "X-Amzn-Mtls-Clientcert": text, "X-SSL-Client-S-DN": "CN=shop.example.com", "X-SSL-Client-Verify": "SUCCESS",
	} {
		if status := h.by(nil, "POST", mutual+"/oauth/token", form, name, value); status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, status)
		}
		if r := h.browser().post("/oauth/token", form, name, value); r.StatusCode != http.StatusUnauthorized || r.json(t)["error"] != "invalid_client" {
			t.Errorf("%s at the issuer's own address: status %d %s", name, r.StatusCode, r.body)
		}
	}
}

// jws signs with ES256.
func jws(t *testing.T, key *ecdsa.PrivateKey, header string, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := b64([]byte(header)) + "." + b64(body)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func TestCL23TheChallengeEndpoint(t *testing.T) {
	attester, instance := (&house{t: t}).prover().key, (&house{t: t}).prover().key
	key, err1 := jose.NewKey("a1", jose.ES256, "sig", attester.Public())
	own, err2 := jose.NewKey("", "", "", instance.Public())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	set, err := jose.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, options{
		clients: []oauth.Client{{ID: "phone", Type: oauth.Native, Scope: "openid", RedirectURIs: []string{callback}, Settings: oauth.Settings{AuthMethod: "attest_jwt_client_auth"}}},
		change: func(o *oauth.Options) {
			o.Replay = token.NewReplayTable(0, o.Now)
			o.Attesters = []oauth.Attester{{Issuer: "https://attest.example.com", Keys: set, Clients: []string{"phone"}}}
		},
	})
	b := h.browser()
	res := b.do(b.request(http.MethodPost, "/oauth/challenge", ""))
	first, _ := res.json(t)["attestation_challenge"].(string)
	if wantStatus(t, res, http.StatusOK); res.Header.Get("Cache-Control") != "no-store" || first == "" {
		t.Fatalf("%v %s", res.Header, res.body)
	}
	wantStatus(t, b.get("/oauth/challenge"), http.StatusMethodNotAllowed)
	now := h.clock.now().Unix()
	attestation := jws(t, attester, `{"alg":"ES256","kid":"a1","typ":"oauth-client-attestation+jwt"}`, map[string]any{
		"iss": "https://attest.example.com", "sub": "phone", "exp": now + 3600, "cnf": map[string]any{"jwk": json.RawMessage(own.AppendJWK(nil))},
	})
	ask := func(challenge string) reply {
		pop := jws(t, instance, `{"alg":"ES256","typ":"oauth-client-attestation-pop+jwt"}`, map[string]any{
			"aud": issuer, "iat": now, "jti": b64(secret.Random(16)), "challenge": challenge,
		})
		return b.post("/oauth/revoke", url.Values{"token": {"spat_x"}}, "OAuth-Client-Attestation", attestation, "OAuth-Client-Attestation-PoP", pop)
	}
	good := ask(first)
	next := good.Header.Get("OAuth-Client-Attestation-Challenge")
	if wantStatus(t, good, http.StatusOK); next == "" || next == first {
		t.Errorf("the next challenge is %q", next)
	}
	stale := ask(first)
	if wantStatus(t, stale, http.StatusBadRequest); stale.json(t)["error"] != "use_attestation_challenge" {
		t.Error(stale.body)
	}
	wantStatus(t, ask(stale.Header.Get("OAuth-Client-Attestation-Challenge")), http.StatusOK)
	wantStatus(t, ask(next), http.StatusOK)

	plain := newHouse(t, options{}).browser()
	wantStatus(t, plain.do(plain.request(http.MethodPost, "/oauth/challenge", "")), http.StatusNotFound)
}
