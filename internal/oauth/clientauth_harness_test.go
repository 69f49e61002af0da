package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

const (
	mutual        = "https://mtls.auth.example.com"
	attesterName  = "https://attest.example.com"
	tokenEndpoint = issuer + "/oauth/token"
	jwtBearer     = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// authRig is a rig whose clients prove themselves in every way.
type authRig struct {
	*rig
	key, other  *ecdsa.PrivateKey // of the client pkj; of nobody
	rsa         *rsa.PrivateKey
	attester    *ecdsa.PrivateKey
	instance    *ecdsa.PrivateKey // of an app that has been attested
	ca          *authority
	own, stolen *x509.Certificate // of the client self; another of the same key
	replay      token.Replay
	keysAt      func(owner, uri string) (jose.KeySource, error)
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicKey(t testing.TB, kid string, alg jose.Algorithm, key crypto.Signer) *jose.Key {
	t.Helper()
	k, err := jose.NewKey(kid, alg, "sig", key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keySet(keys ...*jose.Key) string {
	text := []byte(`{"keys":[`)
	for i, k := range keys {
		if i > 0 {
			text = append(text, ',')
		}
		text = k.AppendJWK(text)
	}
	return string(append(text, "]}"...))
}

func newAuthRig(t *testing.T, changes ...func(*oauth.Options)) *authRig {
	t.Helper()
	a := &authRig{
		rig: newRig(t), key: ecKey(t), other: ecKey(t), attester: ecKey(t), instance: ecKey(t),
	}
	var err error
	if a.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	a.ca = newAuthority(t, a.clock.now(), "clients")
	a.own, a.stolen = a.ca.selfSigned(a.key, "own"), a.ca.selfSigned(a.key, "own")
	a.replay = token.NewReplayTable(0, a.clock.now)
	attesters, err := jose.NewKeySet(publicKey(t, "a1", jose.ES256, a.attester))
	if err != nil {
		t.Fatal(err)
	}
	a.Service = a.node(a.feed, append([]func(*oauth.Options){func(o *oauth.Options) {
		o.Replay, o.MutualTLS, o.Clients, o.ClientCAs = a.replay, mutual, append(o.Clients, a.authClients()...), a.ca.pool()
		o.Attesters = []oauth.Attester{{Issuer: attesterName, Keys: attesters, Clients: []string{"phone", "phone-dpop", "phone-code"}}}
		o.KeysAt = func(owner, uri string) (jose.KeySource, error) { return a.keysAt(owner, uri) }
	}}, changes...)...)
	return a
}

func (a *authRig) authClients() []oauth.Client {
	keys := keySet(publicKey(a.t, "k1", jose.ES256, a.key), publicKey(a.t, "r1", jose.RS256, a.rsa), publicKey(a.t, "p1", jose.PS256, a.rsa))
	service := func(id string, s oauth.Settings) oauth.Client {
		return oauth.Client{ID: id, Type: oauth.ServiceClient, Scope: "catalog.read", Settings: s}
	}
	all := "openid catalog.read catalog.write"
	phone := func(id, method, redirect string) oauth.Client {
		return oauth.Client{ID: id, Type: oauth.Native, Scope: all, RedirectURIs: []string{redirect}, Settings: oauth.Settings{AuthMethod: method}}
	}
	return []oauth.Client{
		service("pkj", oauth.Settings{AuthMethod: "private_key_jwt", JWKS: keys}),
		service("pkj-old", oauth.Settings{AuthMethod: "private_key_jwt", JWKS: keys, AuthAudience: "token_endpoint"}),
		service("pkj-es", oauth.Settings{AuthMethod: "private_key_jwt", JWKS: keys, AuthAlg: jose.ES256}),
		service("pkj-far", oauth.Settings{AuthMethod: "private_key_jwt", JWKSURI: "https://shop.example.com/jwks.json"}),
		{
			ID: "pkj-fapi", Type: oauth.ServiceClient, Scope: "catalog.read", CertificateBound: true,
			Settings: oauth.Settings{AuthMethod: "private_key_jwt", JWKS: keys, Profile: oauth.ProfileFAPI2, AuthAudience: "token_endpoint"},
		},
		service("tls-dn", oauth.Settings{AuthMethod: "tls_client_auth", TLSSubject: "CN=shop,OU=web+L=Bern,O=Example\\, Inc"}),
		service("tls-dns", oauth.Settings{AuthMethod: "tls_client_auth", TLSDNS: "shop.example.com"}),
		service("tls-uri", oauth.Settings{AuthMethod: "tls_client_auth", TLSURI: "https://shop.example.com/id?a=%2f"}),
		service("tls-ip", oauth.Settings{AuthMethod: "tls_client_auth", TLSIP: "192.0.2.7"}),
		service("tls-ip6", oauth.Settings{AuthMethod: "tls_client_auth", TLSIP: "2001:db8::7"}),
		service("tls-mail", oauth.Settings{AuthMethod: "tls_client_auth", TLSEmail: "shop@example.com"}),
		service("tls-two", oauth.Settings{AuthMethod: "tls_client_auth", TLSDNS: "shop.example.com", TLSIP: "192.0.2.7"}),
		service("self", oauth.Settings{AuthMethod: "self_signed_tls_client_auth", JWKS: certifiedKey(a.t, a.key, a.own)}),
		{ID: "basic", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: a.secret.Hash()}}, Settings: oauth.Settings{AuthMethod: "client_secret_basic"}},
		{ID: "post", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: a.secret.Hash()}}, Settings: oauth.Settings{AuthMethod: "client_secret_post"}},
		phone("phone", "attest_jwt_client_auth", callback), phone("phone-dpop", "attest_jwt_client_auth_dpop", callback),
		phone("phone-code", "attest_jwt_client_auth", "com.example.shop:/cb"), phone("phone-alone", "attest_jwt_client_auth", callback),
	}
}

// signed makes a compact JWS. Claims that are nil are left out.
func signed(t testing.TB, key crypto.Signer, header string, claims map[string]any) string {
	t.Helper()
	claims = maps.Clone(claims)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString(body)
	return input + "." + b64.EncodeToString(signature(t, key, header, input))
}

func signature(t testing.TB, key crypto.Signer, header, input string) []byte {
	t.Helper()
	var h struct{ Alg string }
	if err := json.Unmarshal([]byte(header), &h); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(input))
	var sig []byte
	var err error
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, signErr := ecdsa.Sign(rand.Reader, k, digest[:])
		if signErr != nil {
			t.Fatal(signErr)
		}
		sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		if h.Alg == "PS256" {
			sig, err = rsa.SignPSS(rand.Reader, k, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 32})
		} else {
			sig, err = rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

const assertionHeader = `{"alg":"ES256","kid":"k1","typ":"client-authentication+jwt"}`

// claims of an assertion with nothing wrong.
func (a *authRig) claims(id string, change ...any) map[string]any {
	now := a.clock.now().Unix()
	m := map[string]any{
		"iss": id, "sub": id, "aud": issuer, "jti": secret.NewID(a.clock.now()).String(), "iat": now, "exp": now + 60,
	}
	for i := 0; i < len(change); i += 2 {
		m[change[i].(string)] = change[i+1]
	}
	return m
}

func (a *authRig) assertion(id string, change ...any) string {
	a.t.Helper()
	return signed(a.t, a.key, assertionHeader, a.claims(id, change...))
}

// asks is a request to the token endpoint.
func asks(pairs ...string) oauth.Request {
	p := url.Values{"grant_type": {"client_credentials"}, "scope": {"catalog.read"}}
	for i := 0; i < len(pairs); i += 2 {
		p.Set(pairs[i], pairs[i+1])
	}
	return oauth.Request{Params: p, Method: "POST", URL: tokenEndpoint}
}

func withAssertion(assertion string, pairs ...string) oauth.Request {
	return asks(append([]string{"client_assertion_type", jwtBearer, "client_assertion", assertion}, pairs...)...)
}

// try returns what the token endpoint says, and what is noted of a failure.
func (a *authRig) try(r oauth.Request) (*oauth.TokenResponse, string, error) {
	a.t.Helper()
	rec := &audit.Record{}
	res, err := a.Token(audit.WithRecord(a.t.Context(), rec), r)
	reason := ""
	for _, e := range rec.Events() {
		if e.Name == audit.ClientAuthFailed {
			reason = e.Reason
		}
	}
	return res, reason, err
}

// wantRefused expects one of the ways to say that a client is not proven.
func (a *authRig) wantRefused(r oauth.Request, code, reason string) {
	a.t.Helper()
	a.refused(a.t, r, code, reason)
}

func (a *authRig) refused(t *testing.T, r oauth.Request, code, reason string) {
	t.Helper()
	res, why, err := a.try(r)
	var e *oauth.Error
	if res != nil || !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%v, %v; want %s", res, err, code)
	}
	if reason != "" && why != reason {
		t.Errorf("noted as %q, want %q", why, reason)
	}
	if code == "invalid_client" && e.Description != "client authentication failed" {
		t.Errorf("description %q tells more than others", e.Description)
	}
}

func (a *authRig) accepted(t *testing.T, r oauth.Request) *oauth.TokenResponse {
	t.Helper()
	res, why, err := a.try(r)
	if err != nil {
		t.Fatalf("what is not attacked is refused: %v (%s)", err, why)
	}
	return res
}

// authority signs certificates.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	now  time.Time
}

func newAuthority(t testing.TB, now time.Time, name string) *authority {
	t.Helper()
	a := &authority{t: t, key: ecKey(t), now: now}
	a.cert = a.make(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, a.key, nil, a.key)
	return a
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) make(template *x509.Certificate, key crypto.Signer, parent *x509.Certificate, by crypto.Signer) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = a.now.Add(-time.Hour), a.now.Add(24*time.Hour)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// issue signs a certificate for a client.
func (a *authority) issue(change func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	c := &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	change(c)
	return a.make(c, ecKey(a.t), a.cert, a.key)
}

func (a *authority) selfSigned(key crypto.Signer, name string) *x509.Certificate {
	a.t.Helper()
	return a.make(&x509.Certificate{Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature}, key, nil, key)
}

// certifiedKey is a JWK Set with a key and its certificate.
func certifiedKey(t testing.TB, key crypto.Signer, cert *x509.Certificate) string {
	t.Helper()
	jwk := string(publicKey(t, "c1", jose.ES256, key).AppendJWK(nil))
	return fmt.Sprintf(`{"keys":[%s,"x5c":[%q]}]}`, jwk[:len(jwk)-1], base64.StdEncoding.EncodeToString(cert.Raw))
}

func secretOf(text string) secret.Hash { return secret.New(text).Hash() }

// redeemBasic redeems for a client of client_secret_basic.
func (r *rig) redeemBasic(code, id, secret, redirectURI string) (*oauth.TokenResponse, error) {
	req := r.form("grant_type", "authorization_code", "code", code, "code_verifier", verifier, "redirect_uri", redirectURI)
	req.Authorization = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))}
	return r.Token(r.t.Context(), req)
}

// goneKeys are keys that cannot be had.
type goneKeys struct{}

func (goneKeys) Key(context.Context, string, jose.Algorithm) (*jose.Key, error) {
	return nil, jose.ErrKeysUnavailable
}
