package oauth_test

import (
	"net/url"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// bank is a client of FAPI 2.0, with its key and the key that its tokens are
// bound to.
type bank struct {
	*rig
	key, device *deviceKey
}

func newBank(t *testing.T, profile oauth.Profile) *bank {
	t.Helper()
	b := &bank{rig: newRig(t)}
	b.key, b.device = b.newKey(), b.newKey()
	c := b.like("signing", func(c *oauth.Client) {
		fapi(c)
		c.Settings.Profile, c.Settings.JWKSURI, c.Settings.JWKS, c.Secrets = profile, "", jwks(b.key), nil
	})
	if setting, why := c.Problem(); why != "" {
		t.Fatal(setting, why)
	}
	b.Service = b.node(b.feed, func(o *oauth.Options) {
		o.Clients, o.Replay = append(o.Clients, c), token.NewReplayTable(0, b.clock.now)
	})
	return b
}

// assertion proves who the client is (RFC 7523 §2.2).
func (b *bank) assertion() url.Values {
	now := b.clock.now().Unix()
	jwt := b.key.sign(map[string]any{"alg": "ES256", "kid": "k0", "typ": "client-authentication+jwt"}, map[string]any{
		"iss": "signing", "sub": "signing", "aud": issuer, "jti": b64(secret.Random(16)), "iat": now, "exp": now + 60,
	})
	return url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {jwt}, "client_id": {"signing"}}
}

func (b *bank) push(change ...string) (*oauth.PushResponse, error) {
	p := b.assertion()
	for name, values := range authorizeParams(append([]string{"client_id", "signing"}, change...)...) {
		p[name] = values
	}
	return b.tryPush(oauth.Request{Params: p, Method: "POST", URL: parURL})
}

func (b *bank) token(pairs ...string) (*oauth.TokenResponse, error) {
	p := b.assertion()
	for i := 0; i < len(pairs); i += 2 {
		p.Set(pairs[i], pairs[i+1])
	}
	return b.Token(b.t.Context(), with(oauth.Request{Params: p}, b.device.proof()))
}

func (b *bank) open(res *oauth.PushResponse) *oauth.Authorization {
	b.t.Helper()
	a, err := b.Authorize(b.t.Context(), url.Values{"client_id": {"signing"}, "request_uri": {res.RequestURI}})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// FAPI 2.0 Security Profile §5.3.2: pushed, PKCE, bound, iss, no rotation.
func TestFAPISecurityProfile(t *testing.T) {
	t.Parallel()
	b := newBank(t, oauth.ProfileFAPI2)
	for what, change := range map[string][]string{
		"§5.3.2.2-5 PKCE": {"code_challenge", "", "code_challenge_method", ""}, "§5.3.2.2-5 S256": {"code_challenge_method", "plain"},
		"§5.3.2.2-6 redirect_uri": {"redirect_uri", ""}, "request_uri": {"request_uri", "https://app.example.com/x"},
	} {
		_, err := b.push(change...)
		t.Run(what, func(t *testing.T) { wantCode(t, err, "invalid_request") })
	}
	_, err := b.push("response_type", "code id_token")
	wantCode(t, err, "unsupported_response_type")
	res, err := b.push()
	if err != nil {
		t.Fatal(err)
	}
	code := query(t, b.approve(b.open(res)).Location)
	if code.Get("iss") != issuer { // §5.3.2.2-7
		t.Error(code)
	}
	first, err := b.token("grant_type", "authorization_code", "code", code.Get("code"), "code_verifier", verifier, "redirect_uri", callback)
	if err != nil || first.TokenType != "DPoP" {
		t.Fatalf("%+v, %v", first, err)
	}
	// §5.3.2.1-9: the suite presents the refresh token before the last answer again
	// after 30 seconds.
	for range 3 {
		b.later(30 * time.Second)
		again, err := b.token("grant_type", "refresh_token", "refresh_token", first.RefreshToken.Reveal())
		if err != nil || again.RefreshToken.Reveal() != first.RefreshToken.Reveal() {
			t.Errorf("the refresh token was rotated, or is not good twice: %v", err)
		}
	}
	p := b.assertion()
	p.Set("grant_type", "refresh_token")
	p.Set("refresh_token", first.RefreshToken.Reveal())
	_, err = b.Token(t.Context(), with(oauth.Request{Params: p}))
	wantCode(t, err, "invalid_dpop_proof")
	// §5.3.2.1-11: codes live for a minute.
	if res, err = b.push(); err != nil {
		t.Fatal(err)
	}
	late := query(t, b.approve(b.open(res)).Location).Get("code")
	b.later(time.Minute)
	_, err = b.token("grant_type", "authorization_code", "code", late, "code_verifier", verifier)
	wantCode(t, err, "invalid_grant")
}

// FAPI 2.0 Message Signing §5.3, §5.4.
func TestFAPIMessageSigning(t *testing.T) {
	t.Parallel()
	b := newBank(t, oauth.ProfileFAPI2Sign)
	_, err := b.push()
	wantCode(t, err, "invalid_request") // not signed
	pushObject := func(change ...any) (*oauth.PushResponse, error) {
		p := b.assertion()
		p.Set("request", b.key.object(append([]any{"response_mode", "jwt"}, change...)...))
		return b.tryPush(oauth.Request{Params: p, Method: "POST", URL: parURL})
	}
	now := b.clock.now().Unix()
	for what, change := range map[string][]any{
		"§5.3.1-3 nbf missing": {"nbf", nil}, "§5.3.1-3 nbf an hour ago": {"nbf", now - 3700, "iat", nil},
		"§5.3.1-4 exp missing": {"exp", nil}, "§5.3.1-4 exp over an hour": {"iat", nil, "exp", now + 4200},
		"aud": {"aud", "https://other.example"}, "PR10 a client assertion": {"sub", "signing"}, "request_uri inside": {"request_uri", "urn:x"},
	} {
		_, err := pushObject(change...)
		t.Run(what, func(t *testing.T) { wantCode(t, err, "invalid_request_object") })
	}
	_, err = pushObject("redirect_uri", nil)
	wantCode(t, err, "invalid_request")
	_, err = pushObject("response_mode", "query")
	wantCode(t, err, "invalid_request")
	res, err := pushObject("iat", nil)
	if err != nil {
		t.Fatal(err)
	}
	out := b.approve(b.open(res))
	params := query(t, out.Location)
	claims := b.jarm(params.Get("response"), "signing", token.SignIDToken, jose.ES256)
	if len(params) != 1 || claim(claims, "state") != "inner" {
		t.Errorf("%v", params)
	}
	tokens, err := b.token("grant_type", "authorization_code", "code", claim(claims, "code"), "code_verifier", verifier, "redirect_uri", callback)
	if err != nil || tokens.TokenType != "DPoP" {
		t.Errorf("%+v, %v", tokens, err)
	}
	// The request object is no client assertion.
	p := b.assertion()
	p.Set("client_assertion", b.key.object())
	p.Set("grant_type", "refresh_token")
	p.Set("refresh_token", "x")
	_, err = b.Token(t.Context(), with(oauth.Request{Params: p}))
	wantCode(t, err, "invalid_client")
}

// Whatever else is wrong with how it was written down, a client of FAPI gets no
// bearer token by any grant type, and nobody vouches for it.
func TestFAPIClientsGetNoBearerTokenAndProveThemselves(t *testing.T) {
	t.Parallel()
	r := newClusterRig(t)
	key := r.newKey()
	set, err := jose.NewKeySet(publicKey(t, "k1", jose.ES256, r.key))
	if err != nil {
		t.Fatal(err)
	}
	for i, profile := range []oauth.Profile{oauth.ProfileOAuth21, oauth.ProfileFAPI2, oauth.ProfileFAPI2Sign, "unknown"} {
		strict := i > 0
		r.Service = r.node(r.feed, func(o *oauth.Options) {
			o.Replay = token.NewReplayTable(0, r.clock.now)
			o.AssertionIssuers = []oauth.AssertionIssuer{{Issuer: cluster, Keys: set, Subjects: map[string]string{"sa:pod": "bank"}}}
			o.Clients = append(o.Clients, oauth.Client{
				ID: "bank", Type: oauth.ServiceClient, Scope: "catalog.read",
				Settings: oauth.Settings{Profile: profile, AuthMethod: "private_key_jwt", JWKS: jwks(key), GrantTypes: []string{"client_credentials", oauth.GrantJWTBearer}},
			})
		})
		proof := func(pairs ...string) oauth.Request {
			now := r.clock.now().Unix()
			assertion := key.sign(map[string]any{"alg": "ES256", "kid": "k0"}, map[string]any{"iss": "bank", "sub": "bank", "aud": issuer, "jti": b64(secret.Random(16)), "iat": now, "exp": now + 60})
			return with(r.form(append(pairs, "client_assertion_type", jwtBearer, "client_assertion", assertion)...))
		}
		_, err := r.send(proof("grant_type", "client_credentials"))
		if strict {
			wantCode(t, err, "invalid_dpop_proof")
		} else if err != nil {
			t.Errorf("%s: %v", profile, err)
		}
		bound := func(req oauth.Request) oauth.Request { return with(req, r.newKey().proof()) }
		_, err = r.send(bound(r.form("grant_type", oauth.GrantJWTBearer, "assertion", r.assertion(r.key))))
		if strict {
			wantCode(t, err, "invalid_client")
		} else if err != nil {
			t.Errorf("%s: %v", profile, err)
		}
		if _, err := r.send(bound(proof("grant_type", oauth.GrantJWTBearer, "assertion", r.assertion(r.key)))); err != nil {
			t.Errorf("%s with both: %v", profile, err)
		}
	}
}
