package conformance_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	fapiCallback  = "https://fapi.example.com/callback"
)

// fapi is a relying party of FAPI 2.0: it proves itself by a key or a
// certificate, and binds its tokens to a DPoP key or to the certificate.
type fapi struct {
	rp
	auth   string // private_key_jwt or mtls
	bind   string // dpop or mtls
	signed bool   // Message Signing: requests and responses are signed
	key    *ecdsa.PrivateKey
	proofs *ecdsa.PrivateKey
	cert   *tls.Certificate
	item   string // path of the protected resource
	nonces map[string]string
}

func (c *fapi) with(t testing.TB) *fapi {
	next := *c
	next.t, next.nonces = t, map[string]string{}
	return &next
}

// variants are the four that the plans are run in.
var variants = []struct{ auth, bind string }{{"private_key_jwt", "dpop"}, {"private_key_jwt", "mtls"}, {"mtls", "dpop"}, {"mtls", "mtls"}}

// fapiServer serves two clients for each variant: the suite wants a second one to
// steal from the first.
func fapiServer(t testing.TB, profile, more string) (first, second map[string]*fapi) {
	t.Helper()
	first, second = map[string]*fapi{}, map[string]*fapi{}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"ok":true}`)
	}))
	t.Cleanup(backend.Close)
	ca := newAuthority(t)
	var all []*fapi
	s := serveWith(t, backend.URL, func(s *rig.Server) string {
		write(t, s, "clients-ca.pem", ca.pem)
		text := fmt.Sprintf("mtls_listen: %q\nmtls_client_ca_file: clients-ca.pem\n%sclients:\n", rig.FreeAddr(t), more)
		for _, v := range variants {
			for n, into := range []map[string]*fapi{first, second} {
				c := newFAPI(t, ca, profile, v.auth, v.bind, n+1)
				into[v.auth+" "+v.bind] = c
				all = append(all, c)
				text += c.registration(t, s)
			}
		}
		return text
	})
	for _, c := range all {
		c.s = s
	}
	return first, second
}

func newFAPI(t testing.TB, ca *authority, profile, auth, bind string, n int) *fapi {
	t.Helper()
	id := fmt.Sprintf("%s-%s-%s-%d", profile, strings.ReplaceAll(auth, "_", "-"), bind, n)
	return &fapi{
		rp:   rp{t: t, id: id, method: auth, redirect: fapiCallback + "/" + fmt.Sprint(n), scope: "openid catalog.read", pkce: true, algs: []string{"ES256"}},
		auth: auth, bind: bind, signed: profile == "fapi2-message-signing", key: newKey(t), proofs: newKey(t), cert: ca.issue(t, id+".example.com"),
		item: "/catalog/items/1", nonces: map[string]string{},
	}
}

// registration is the client in the configuration.
func (c *fapi) registration(t testing.TB, s *rig.Server) string {
	t.Helper()
	set, err := json.Marshal(map[string]any{"keys": []any{jwk(t, c.key, map[string]any{"kid": "sig", "use": "sig", "alg": "ES256"})}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, c.id+".jwks.json", set)
	profile := "fapi2"
	if c.signed {
		profile = "fapi2-message-signing"
	}
	text := fmt.Sprintf("  - client_id: %s\n    type: server\n    profile: %s\n    redirect_uris: [%q, %q]\n    scope: openid profile email offline_access catalog.read\n    jwks_file: %s\n",
		c.id, profile, c.redirect, c.redirect+"?dummy1=lorem&dummy2=ipsum", c.id+".jwks.json")
	if c.auth == "mtls" {
		text += fmt.Sprintf("    token_endpoint_auth_method: tls_client_auth\n    tls_client_auth_san_dns: %s.example.com\n", c.id)
	} else {
		text += "    token_endpoint_auth_method: private_key_jwt\n"
	}
	if c.bind == "mtls" {
		return text + "    tls_client_certificate_bound_access_tokens: true\n"
	}
	return text + "    dpop_bound_access_tokens: true\n"
}

func write(t testing.TB, s *rig.Server, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.State, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// client is what the relying party asks with. The certificate goes along only where
// the suite sends it: to the aliases.
func (c *fapi) client(withCertificate bool) *http.Client {
	tr := c.s.Transport.Clone()
	if withCertificate {
		tr.TLSClientConfig.Certificates = []tls.Certificate{*c.cert}
	}
	c.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (c *fapi) usesCertificate() bool { return c.auth == "mtls" || c.bind == "mtls" }

// address of an endpoint: the alias where the client uses its certificate.
func (c *fapi) at(name string) string {
	c.t.Helper()
	if aliases, ok := c.discover()["mtls_endpoint_aliases"].(map[string]any); ok && c.usesCertificate() {
		if address, ok := aliases[name].(string); ok {
			return address
		}
	}
	return c.endpoint(name)
}

// resource is the address of the protected resource.
func (c *fapi) resource() string {
	c.t.Helper()
	u, err := url.Parse(c.at("token_endpoint"))
	if err != nil {
		c.t.Fatal(err)
	}
	return u.Scheme + "://" + u.Host + c.item
}

// assertion proves the client by its key. changes replace claims; nil removes one.
func (c *fapi) assertion(changes map[string]any) string {
	c.t.Helper()
	return sign(c.t, c.key, map[string]any{"kid": "sig"}, c.assertionClaims(changes))
}

func (c *fapi) assertionClaims(changes map[string]any) map[string]any {
	now := time.Now().Unix()
	return changed(map[string]any{"iss": c.id, "sub": c.id, "aud": c.s.Issuer, "iat": now, "exp": now + 60, "jti": rig.Random()}, changes)
}

func changed(claims, changes map[string]any) map[string]any {
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// proof is a DPoP proof.
func (c *fapi) proof(key crypto.Signer, method, address, access string, changes map[string]any) string {
	c.t.Helper()
	claims := map[string]any{"jti": rig.Random(), "htm": method, "htu": address, "iat": time.Now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = b64.EncodeToString(sum[:])
	}
	if u, err := url.Parse(address); err == nil && c.nonces[u.Host] != "" {
		claims["nonce"] = c.nonces[u.Host]
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		c.t.Fatal("not an EC key")
	}
	return sign(c.t, key, map[string]any{"typ": "dpop+jwt", "jwk": jwk(c.t, ec, nil)}, changed(claims, changes))
}

// call is one request to an endpoint, and what is wrong with it on purpose.
type call struct {
	form      url.Values
	assertion string            // instead of a good one
	noAuth    bool              // neither assertion nor client_id
	proofKey  *ecdsa.PrivateKey // instead of the client's own
	noProof   bool
	noCert    bool
	method    string
}

// send posts a form to an endpoint, authenticated and bound as the client is.
func (c *fapi) send(name string, o call) answer {
	c.t.Helper()
	for range 2 {
		a := c.sendOnce(name, o)
		nonce := a.header.Get("DPoP-Nonce")
		u, err := url.Parse(c.at(name))
		if err != nil {
			c.t.Fatal(err)
		}
		if nonce != "" {
			c.nonces[u.Host] = nonce
		}
		if a.text("error") != "use_dpop_nonce" {
			return a
		}
	}
	c.t.Fatal("asked for a nonce twice")
	return answer{}
}

func (c *fapi) sendOnce(name string, o call) answer {
	c.t.Helper()
	address, form := c.at(name), clone(o.form)
	if !o.noAuth {
		if c.auth == "mtls" {
			form.Set("client_id", c.id)
		} else {
			if o.assertion == "" {
				o.assertion = c.assertion(nil)
			}
			form.Set("client_assertion_type", assertionType)
			form.Set("client_assertion", o.assertion)
		}
	}
	if o.method == "" {
		o.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(c.t.Context(), o.method, address, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.bind == "dpop" && name == "token_endpoint" && !o.noProof {
		key := o.proofKey
		if key == nil {
			key = c.proofs
		}
		req.Header.Set("DPoP", c.proof(key, o.method, address, "", nil))
	}
	return do(c.t, c.client(c.usesCertificate() && !o.noCert), req)
}

// push sends the request; with Message Signing as a request object, whose claims
// object can change.
func (c *fapi) push(a asked, object map[string]any) answer {
	c.t.Helper()
	form := a.params
	if c.signed {
		form = url.Values{"client_id": {c.id}, "request": {c.object(a, object)}}
	}
	return c.send("pushed_authorization_request_endpoint", call{form: form})
}

// object is the request as a signed request object.
func (c *fapi) object(a asked, changes map[string]any) string {
	c.t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{"iss": c.id, "aud": c.s.Issuer, "iat": now, "nbf": now, "exp": now + 120, "jti": rig.Random()}
	for name := range a.params {
		claims[name] = a.params.Get(name)
	}
	return sign(c.t, c.key, map[string]any{"kid": "sig", "typ": "oauth-authz-req+jwt"}, changed(claims, changes))
}

// ask makes a request of the profile.
func (c *fapi) ask(changes ...string) asked {
	a := c.request(changes...)
	if c.signed && a.params.Get("response_mode") == "" {
		a.params.Set("response_mode", "jwt")
	}
	return a
}

// pushed pushes a request that must be accepted, and returns where to send the
// person.
func (c *fapi) pushed(a asked, object map[string]any) string {
	c.t.Helper()
	res := c.push(a, object)
	lifetime, _ := res.body["expires_in"].(float64)
	if res.status != http.StatusCreated || !strings.HasPrefix(res.text("request_uri"), "urn:ietf:params:oauth:request_uri:") || lifetime < 5 || lifetime > 600 {
		c.t.Fatalf("pushed authorization request: status %d: %s", res.status, res.raw)
	}
	return c.authorizeAt(res.text("request_uri"))
}

func (c *fapi) authorizeAt(requestURI string) string {
	c.t.Helper()
	return c.endpoint("authorization_endpoint") + "?" + url.Values{"client_id": {c.id}, "request_uri": {requestURI}}.Encode()
}

// response opens what came back to the redirect URI: with Message Signing it is a
// signed response, which is verified by a library that is not ours.
func (c *fapi) response(a asked, back *url.URL) url.Values {
	c.t.Helper()
	if !strings.HasPrefix(back.String(), a.params.Get("redirect_uri")) {
		c.t.Fatalf("came back to %s", back)
	}
	values := back.Query()
	if !c.signed {
		return c.checked(a, values)
	}
	jwt := values.Get("response")
	if jwt == "" || values.Get("code") != "" {
		c.t.Fatalf("the response is not a signed one: %s", back)
	}
	_, claims := c.idToken(jwt)
	out := url.Values{}
	for name, v := range claims {
		if text, ok := v.(string); ok {
			out.Set(name, text)
		}
	}
	return c.checked(a, out)
}

// code walks to a code.
func (c *fapi) code(person *rig.Person, a asked) string {
	c.t.Helper()
	back := c.response(a, person.Authorize(c.t, c.pushed(a, nil), c.redirect))
	if back.Get("code") == "" {
		c.t.Fatalf("no code: %v", back)
	}
	return back.Get("code")
}

func (c *fapi) redeemForm(a asked, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.params.Get("redirect_uri")}, "code_verifier": {a.verifier}}
}

// signIn walks through the whole flow.
func (c *fapi) signIn(person *rig.Person, changes ...string) tokens {
	c.t.Helper()
	a := c.ask(changes...)
	res := c.send("token_endpoint", call{form: c.redeemForm(a, c.code(person, a))})
	if res.status != http.StatusOK {
		c.t.Fatalf("token endpoint: status %d: %s", res.status, res.raw)
	}
	return c.judge(a, res)
}

// use calls the protected resource. header changes what is sent: the scheme and
// the proof's key.
func (c *fapi) use(access, scheme string, key *ecdsa.PrivateKey, changes map[string]any) answer {
	c.t.Helper()
	for range 2 {
		address := c.resource()
		req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			c.t.Fatal(err)
		}
		if c.bind == "dpop" && key != nil {
			req.Header.Set("DPoP", c.proof(key, http.MethodGet, address, access, changes))
		}
		req.Header.Set("Authorization", scheme+" "+access)
		a := do(c.t, c.client(c.bind == "mtls"), req)
		u, err := url.Parse(address)
		if err != nil {
			c.t.Fatal(err)
		}
		nonce := a.header.Get("DPoP-Nonce")
		if nonce == "" || !strings.Contains(strings.Join(a.header.Values("WWW-Authenticate"), " "), "use_dpop_nonce") {
			return a
		}
		c.nonces[u.Host] = nonce
	}
	c.t.Fatal("asked for a nonce twice")
	return answer{}
}

func (c *fapi) scheme() string {
	if c.bind == "dpop" {
		return "DPoP"
	}
	return "Bearer"
}

// proofClaims are those of a good proof for the protected resource.
func (c *fapi) proofClaims(access string) map[string]any {
	c.t.Helper()
	return part(c.t, c.proof(c.proofs, http.MethodGet, c.resource(), access, nil), 1)
}

// present calls the protected resource with these proofs and returns the status.
func (c *fapi) present(access string, proofs ...string) int {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.resource(), http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header["Dpop"] = proofs
	req.Header.Set("Authorization", "DPoP "+access)
	return do(c.t, c.client(false), req).status
}
