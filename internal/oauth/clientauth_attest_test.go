package oauth_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const attestationHeader = `{"alg":"ES256","kid":"a1","typ":"oauth-client-attestation+jwt"}`

func (a *authRig) attestation(id string, change ...any) string {
	a.t.Helper()
	return signed(a.t, a.attester, attestationHeader, a.attested(id, a.instance, change...))
}

// attested are the claims of an attestation with nothing wrong.
func (a *authRig) attested(id string, instance *ecdsa.PrivateKey, change ...any) map[string]any {
	now := a.clock.now().Unix()
	jwk := json.RawMessage(publicKey(a.t, "", "", instance).AppendJWK(nil))
	m := map[string]any{"iss": attesterName, "sub": id, "iat": now - 3600, "exp": now + 3600, "cnf": map[string]any{"jwk": jwk}}
	for i := 0; i < len(change); i += 2 {
		m[change[i].(string)] = change[i+1]
	}
	return m
}

// pop is a proof with nothing wrong.
func (a *authRig) pop(change ...any) string {
	a.t.Helper()
	return a.popBy(a.instance, change...)
}

func (a *authRig) popBy(key *ecdsa.PrivateKey, change ...any) string {
	a.t.Helper()
	m := map[string]any{
		"aud": issuer, "iat": a.clock.now().Unix(), "jti": secret.NewID(a.clock.now()).String(), "challenge": a.Challenge(),
	}
	for i := 0; i < len(change); i += 2 {
		m[change[i].(string)] = change[i+1]
	}
	return signed(a.t, key, `{"alg":"ES256","typ":"oauth-client-attestation-pop+jwt"}`, m)
}

// vouched adds an attestation and a proof to a request.
func vouched(r oauth.Request, attestation, pop string) oauth.Request {
	r.Attestation, r.AttestationPoP = []string{attestation}, []string{pop}
	if pop == "" {
		r.AttestationPoP = nil
	}
	return r
}

// nothing is a request to revoke what is unknown: it succeeds for whoever proves
// to be the client.
func nothing(pairs ...string) oauth.Request {
	r := asks(append([]string{"token", "spat_x"}, pairs...)...)
	r.URL = issuer + "/oauth/revoke"
	return r
}

func (a *authRig) passes(t *testing.T, r oauth.Request) {
	t.Helper()
	if err := a.Revoke(t.Context(), r); err != nil {
		t.Fatalf("what is not attacked is refused: %v", err)
	}
}

func (a *authRig) fails(t *testing.T, r oauth.Request, code string) *oauth.Error {
	t.Helper()
	err := a.Revoke(t.Context(), r)
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%v, want %s", err, code)
	}
	return e
}

func TestCL21ClientAttestations(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	now := a.clock.now().Unix()
	a.passes(t, vouched(nothing(), a.attestation("phone"), a.pop()))
	a.passes(t, vouched(nothing("client_id", "phone"), a.attestation("phone"), a.pop()))
	a.passes(t, vouched(nothing(), a.attestation("phone", "iat", nil, "nbf", now+10), a.pop("iss", "phone")))

	jwk := string(publicKey(t, "", "", a.instance).AppendJWK(nil))
	private := json.RawMessage(strings.Replace(jwk, `"kty"`, `"d":"AAAA","kty"`, 1))
	typed := func(header string) string { return signed(t, a.attester, header, a.attested("phone", a.instance)) }
	for name, c := range map[string]struct{ attestation, code string }{
		"J092 typ of an assertion":           {typed(`{"alg":"ES256","kid":"a1","typ":"client-authentication+jwt"}`), "invalid_client_attestation"},
		"J092 typ of its proof":              {typed(`{"alg":"ES256","kid":"a1","typ":"oauth-client-attestation-pop+jwt"}`), "invalid_client_attestation"},
		"typ JWT":                            {typed(`{"alg":"ES256","kid":"a1","typ":"JWT"}`), "invalid_client_attestation"},
		"no typ":                             {typed(`{"alg":"ES256","kid":"a1"}`), "invalid_client_attestation"},
		"HS256":                              {typed(`{"alg":"HS256","kid":"a1","typ":"oauth-client-attestation+jwt"}`), "invalid_client_attestation"},
		"RS256":                              {signed(t, a.rsa, `{"alg":"RS256","kid":"a1","typ":"oauth-client-attestation+jwt"}`, a.attested("phone", a.instance)), "invalid_client_attestation"},
		"the key in the header":              {signed(t, a.instance, `{"alg":"ES256","typ":"oauth-client-attestation+jwt","jwk":`+jwk+`}`, a.attested("phone", a.instance)), "invalid_client_attestation"},
		"signed by the instance itself":      {signed(t, a.instance, attestationHeader, a.attested("phone", a.instance)), "invalid_client_attestation"},
		"an attester that nobody knows":      {a.attestation("phone", "iss", "https://other.example"), "invalid_client_attestation"},
		"no iss":                             {a.attestation("phone", "iss", nil), "invalid_client_attestation"},
		"no sub":                             {a.attestation("phone", "sub", nil), "invalid_client_attestation"},
		"a client that it may not vouch for": {a.attestation("phone-alone"), "invalid_client_attestation"},
		"a client that is not there":         {a.attestation("nobody"), "invalid_client_attestation"},
		"a client of another method":         {a.attestation("pkj"), "invalid_client_attestation"},
		"no exp":                             {a.attestation("phone", "exp", nil), "invalid_client_attestation"},
		"exp in a month":                     {a.attestation("phone", "exp", now+30*86400), "invalid_client_attestation"},
		"expired":                            {a.attestation("phone", "exp", now-61), "use_fresh_attestation"},
		"issued in the future":               {a.attestation("phone", "iat", now+61), "invalid_client_attestation"},
		"not yet valid":                      {a.attestation("phone", "nbf", now+61), "invalid_client_attestation"},
		"no cnf":                             {a.attestation("phone", "cnf", nil), "invalid_client_attestation"},
		"cnf without a key":                  {a.attestation("phone", "cnf", map[string]any{"jkt": "x"}), "invalid_client_attestation"},
		"cnf with a private key":             {a.attestation("phone", "cnf", map[string]any{"jwk": private}), "invalid_client_attestation"},
		"cnf with a secret key":              {a.attestation("phone", "cnf", map[string]any{"jwk": json.RawMessage(`{"kty":"oct","k":"AAAA"}`)}), "invalid_client_attestation"},
		"cnf that is text":                   {a.attestation("phone", "cnf", "x"), "invalid_client_attestation"},
		"garbage":                            {"a.b.c", "invalid_client_attestation"},
	} {
		t.Run(name, func(t *testing.T) { a.fails(t, vouched(nothing(), c.attestation, a.pop()), c.code) })
	}
	// Expired says so to whoever holds an attestation, and to nobody else.
	forged := signed(t, a.other, attestationHeader, a.attested("phone", a.instance, "exp", now-61))
	a.fails(t, vouched(nothing(), forged, a.pop()), "invalid_client_attestation")
}

func TestCL22ProofsOfInstances(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	now := a.clock.now().Unix()
	att := a.attestation("phone")
	a.passes(t, vouched(nothing(), att, a.pop("iat", now+10)))
	a.passes(t, vouched(nothing(), att, a.pop("iat", now-60)))
	typed := func(header string) string {
		return signed(t, a.instance, header, map[string]any{"aud": issuer, "iat": now, "jti": "typed", "challenge": a.Challenge()})
	}
	for name, pop := range map[string]string{
		"another key":                a.popBy(a.other),
		"the attester's key":         a.popBy(a.attester),
		"aud is an array":            a.pop("aud", []string{issuer}),
		"aud is another server":      a.pop("aud", "https://other.example"),
		"aud is the endpoint":        a.pop("aud", tokenEndpoint),
		"no aud":                     a.pop("aud", nil),
		"no iat":                     a.pop("iat", nil),
		"stale iat":                  a.pop("iat", now-61),
		"iat in the future":          a.pop("iat", now+61),
		"no jti":                     a.pop("jti", nil),
		"a long jti":                 a.pop("jti", strings.Repeat("x", 257)),
		"iss is another client":      a.pop("iss", "app"),
		"expired":                    a.pop("exp", now-1, "iat", now-30),
		"J092 typ of a DPoP proof":   typed(`{"alg":"ES256","typ":"dpop+jwt"}`),
		"J092 typ of an attestation": typed(`{"alg":"ES256","typ":"oauth-client-attestation+jwt"}`),
		"no typ":                     typed(`{"alg":"ES256"}`),
		"garbage":                    "x",
	} {
		t.Run(name, func(t *testing.T) { a.fails(t, vouched(nothing(), att, pop), "invalid_client_attestation") })
	}
	two := func(change func(*oauth.Request)) oauth.Request {
		r := vouched(nothing(), att, a.pop())
		change(&r)
		return r
	}
	for name, r := range map[string]oauth.Request{
		"G11 two attestations":         two(func(r *oauth.Request) { r.Attestation = append(r.Attestation, att) }),
		"G11 two proofs":               two(func(r *oauth.Request) { r.AttestationPoP = append(r.AttestationPoP, a.pop()) }),
		"G11 two attestations, joined": two(func(r *oauth.Request) { r.Attestation[0] += ", " + att }),
		"G11 two proofs, joined":       two(func(r *oauth.Request) { r.AttestationPoP[0] += "," + a.pop() }),
		"a proof without attestation":  two(func(r *oauth.Request) { r.Attestation = nil }),
		"an attestation without proof": two(func(r *oauth.Request) { r.AttestationPoP = nil }),
		"CL26 another client_id":       two(func(r *oauth.Request) { r.Params.Set("client_id", "app") }),
	} {
		t.Run(name, func(t *testing.T) { a.fails(t, r, "invalid_client_attestation") })
	}

	once := vouched(nothing(), att, a.pop("jti", "once"))
	a.passes(t, once)
	a.fails(t, once, "invalid_client_attestation")
	a.fails(t, vouched(nothing(), att, a.pop("jti", "once")), "invalid_client_attestation") // another challenge
	a.fails(t, vouched(nothing(), att, a.pop("jti", "kept", "aud", "x")), "invalid_client_attestation")
	a.passes(t, vouched(nothing(), att, a.pop("jti", "kept"))) // what is refused spends nothing
}

func TestCL23Challenges(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	att := a.attestation("phone")
	tampered := []byte(a.Challenge())
	tampered[3] ^= 1
	foreign := newAuthRig(t)
	for name, pop := range map[string]string{
		"no challenge": a.pop("challenge", nil), "an empty one": a.pop("challenge", ""), "a foreign one": a.pop("challenge", foreign.Challenge()),
		"a changed one": a.pop("challenge", string(tampered)), "a nonce of DPoP": a.pop("challenge", a.proofs.Nonce("issuer")), "a number": a.pop("challenge", 7),
		"one of the gateway": a.pop("challenge", a.proofs.Challenge("gateway")),
	} {
		t.Run(name, func(t *testing.T) {
			e := a.fails(t, vouched(nothing(), att, pop), "use_attestation_challenge")
			a.passes(t, vouched(nothing(), att, a.pop("challenge", e.Challenge))) // the retry works
		})
	}
	used := a.Challenge()
	a.passes(t, vouched(nothing(), att, a.pop("challenge", used)))
	a.fails(t, vouched(nothing(), att, a.pop("challenge", used)), "use_attestation_challenge")
	other := ecKey(t) // nor by another instance
	a.fails(t, vouched(nothing(), signed(t, a.attester, attestationHeader, a.attested("phone", other)), a.popBy(other, "challenge", used)), "use_attestation_challenge")

	old := a.Challenge()
	a.clock.advance(4*time.Minute + 59*time.Second)
	a.passes(t, vouched(nothing(), att, a.pop("challenge", old)))
	old = a.Challenge()
	a.clock.advance(6 * time.Minute)
	a.fails(t, vouched(nothing(), att, a.pop("challenge", old)), "use_attestation_challenge")
	if one, another := a.Challenge(), a.Challenge(); one == another {
		t.Error("two challenges are alike")
	}
}

// dpopProof is a proof of DPoP for the revocation endpoint.
func (a *authRig) dpopProof(key *ecdsa.PrivateKey, url string, change ...any) string {
	a.t.Helper()
	m := map[string]any{"htm": "POST", "htu": url, "iat": a.clock.now().Unix(), "jti": secret.NewID(a.clock.now()).String(), "nonce": a.proofs.Nonce("issuer")}
	for i := 0; i < len(change); i += 2 {
		m[change[i].(string)] = change[i+1]
	}
	return signed(a.t, key, `{"alg":"ES256","typ":"dpop+jwt","jwk":`+string(publicKey(a.t, "", "", key).AppendJWK(nil))+`}`, m)
}

func TestCL24TheDPoPProofIsTheProof(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	att, revoke := a.attestation("phone-dpop"), issuer+"/oauth/revoke"
	combined := func(proofs ...string) oauth.Request {
		r := vouched(nothing(), att, "")
		r.DPoP = proofs
		return r
	}
	a.passes(t, combined(a.dpopProof(a.instance, revoke)))
	a.passes(t, combined(a.dpopProof(a.instance, revoke, "nonce", a.Challenge()))) // a challenge is a nonce too
	challenge := a.Challenge()
	a.passes(t, combined(a.dpopProof(a.instance, revoke, "nonce", challenge)))
	a.fails(t, combined(a.dpopProof(a.instance, revoke, "nonce", challenge)), "use_attestation_challenge")
	once := combined(a.dpopProof(a.instance, revoke))
	a.passes(t, once)
	a.fails(t, once, "invalid_client_attestation")
	if e := a.fails(t, combined(a.dpopProof(a.instance, revoke, "nonce", nil)), "use_dpop_nonce"); e.Nonce == "" {
		t.Error("no nonce comes with it")
	}
	a.fails(t, combined(a.dpopProof(a.other, revoke)), "invalid_client_attestation")
	a.fails(t, combined(a.dpopProof(a.instance, tokenEndpoint)), "invalid_dpop_proof")
	a.fails(t, combined(a.dpopProof(a.instance, revoke), a.dpopProof(a.instance, revoke)), "invalid_dpop_proof")
	a.fails(t, combined(), "invalid_client_attestation")
	both := combined(a.dpopProof(a.instance, revoke))
	both.AttestationPoP = []string{a.pop()}
	a.fails(t, both, "invalid_client") // both: it is not the method of the client
	r := vouched(nothing(), a.attestation("phone"), "")
	r.DPoP = []string{a.dpopProof(a.instance, revoke)}
	a.fails(t, r, "invalid_client") // nor is this one
	r = vouched(nothing(), a.attestation("phone"), a.pop())
	r.DPoP = []string{a.dpopProof(a.other, revoke)} // binds a token to a key of its own
	a.passes(t, r)
}

func (a *authRig) redeemAs(key *ecdsa.PrivateKey, code string) (*oauth.TokenResponse, error) {
	a.t.Helper()
	r := a.form("grant_type", "authorization_code", "code", code, "code_verifier", verifier, "redirect_uri", callback)
	return a.Token(a.t.Context(), vouched(r, signed(a.t, a.attester, attestationHeader, a.attested("phone", key)), a.popBy(key)))
}

func (a *authRig) refreshAs(key *ecdsa.PrivateKey, tok secret.Value) (*oauth.TokenResponse, error) {
	a.t.Helper()
	r := a.form("grant_type", "refresh_token", "refresh_token", tok.Reveal())
	return a.Token(a.t.Context(), vouched(r, signed(a.t, a.attester, attestationHeader, a.attested("phone", key)), a.popBy(key)))
}

func TestCL25RefreshTokensBelongToTheInstance(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	thief := ecKey(t) // another instance of the same app, attested too
	res, err := a.redeemAs(a.instance, a.code("client_id", "phone"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.refreshAs(thief, res.RefreshToken)
	wantCode(t, err, "invalid_grant")
	_, err = a.Token(t.Context(), a.form("grant_type", "refresh_token", "client_id", "phone", "refresh_token", res.RefreshToken.Reveal()))
	wantCode(t, err, "invalid_client")
	next, err := a.refreshAs(a.instance, res.RefreshToken) // with another attestation, of the same key
	if err != nil {
		t.Fatalf("the same instance: %v", err)
	}
	a.clock.advance(5 * time.Minute)
	if err := a.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.refreshAs(a.instance, res.RefreshToken); err != nil { // its key is proof that the answer was lost
		t.Errorf("the lost answer is not repeated: %v", err)
	}
	if _, err := a.refreshAs(a.instance, next.RefreshToken); err != nil {
		t.Error(err)
	}
}

// A code that an instance has asked for by a pushed request is its own.
func TestCL25CodesOfPushedRequestsBelongToTheInstance(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	thief := ecKey(t)
	push := func() string {
		r := oauth.Request{Params: authorizeParams("client_id", "phone"), Method: "POST", URL: issuer + "/oauth/par"}
		p, err := a.ReadPush(t.Context(), vouched(r, a.attestation("phone"), a.pop()))
		if err != nil {
			t.Fatal(err)
		}
		res, err := p.Store(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		authorization, err := a.Authorize(t.Context(), map[string][]string{"client_id": {"phone"}, "request_uri": {res.RequestURI}})
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := a.Approve(t.Context(), authorization, a.session)
		if err != nil {
			t.Fatal(err)
		}
		return query(t, outcome.Location).Get("code")
	}
	code := push()
	_, err := a.redeemAs(thief, code)
	wantCode(t, err, "invalid_grant")
	if _, err := a.redeemAs(a.instance, code); err != nil { // and was not spent by the thief
		t.Error(err)
	}
}

// AZ16: another app that catches the code of an attested one cannot redeem it, so
// what the person has agreed to may be remembered.
func TestAZ16ConsentForAttestedAppsIsRemembered(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	for _, c := range []struct {
		client   string
		remember bool
	}{{"phone-code", true}, {"app", false}} {
		params := authorizeParams("client_id", c.client, "redirect_uri", "com.example.shop:/cb")
		authorization, err := a.Authorize(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Approve(t.Context(), authorization, a.session); err != nil {
			t.Fatal(err)
		}
		again, err := a.Authorize(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		step, err := a.Next(t.Context(), again, a.session)
		if err != nil || (step == oauth.StepApprove) != c.remember {
			t.Errorf("%s: step %v, %v", c.client, step, err)
		}
	}
}

// The keys of the attester cannot be had: that is no verdict.
func TestCL21KeysOfAnAttesterThatCannotBeHad(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t, func(o *oauth.Options) { o.Attesters[0].Keys = goneKeys{} })
	a.fails(t, vouched(nothing(), a.attestation("phone"), a.pop()), "temporarily_unavailable")
}

func FuzzClientAttestation(f *testing.F) {
	f.Add(`{"iss":"`+attesterName+`","sub":"phone"}`, `{"jwk":{"kty":"EC"}}`)
	f.Fuzz(func(t *testing.T, payload, other string) {
		b64 := base64.RawURLEncoding.EncodeToString
		r := asks()
		r.Attestation = []string{b64([]byte(attestationHeader)) + "." + b64([]byte(payload)) + "." + b64([]byte(other))}
		r.AttestationPoP = []string{other}
		if id := oauth.ClaimedClient(r); id != "" && !strings.Contains(payload, "sub") {
			t.Fatalf("%q claims to be %q", payload, id)
		}
		r = withAssertion(r.Attestation[0], "client_id", other)
		if id := oauth.ClaimedClient(r); id != "" && other != "" && id != other {
			t.Fatalf("%q claims to be %q beside %q", payload, id, other)
		}
	})
}
