package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"sallyport/internal/oauth"
)

// jwks is the key set of a client that signs with these keys.
func jwks(keys ...*deviceKey) string {
	set := map[string]any{"keys": []any{}}
	for i, k := range keys {
		jwk := k.jwk()
		jwk["kid"], jwk["use"], jwk["alg"] = fmt.Sprint("k", i), "sig", "ES256"
		set["keys"] = append(set["keys"].([]any), jwk) //nolint:forcetypeassert // see above
	}
	b, _ := json.Marshal(set)
	return string(b)
}

// signing is the client "signing", which signs its requests with the key.
func (r *rig) signing(change ...func(*oauth.Client)) *deviceKey {
	r.t.Helper()
	key := r.newKey()
	r.with(r.signingClient(key, change...))
	return key
}

func (r *rig) signingClient(key *deviceKey, change ...func(*oauth.Client)) oauth.Client {
	c := r.clients()[2]
	c.ID, c.Settings.JWKS = "signing", jwks(key)
	for _, f := range change {
		f(&c)
	}
	return c
}

// object is a request object of the client "signing" with nothing wrong; change
// replaces claims, or removes them with nil. Names with a dot before them are of
// the header.
func (k *deviceKey) object(change ...any) string {
	now := k.rig.clock.now().Unix()
	header := map[string]any{"alg": "ES256", "kid": "k0", "typ": "oauth-authz-req+jwt"}
	claims := map[string]any{"iss": "signing", "aud": issuer, "iat": now, "nbf": now, "exp": now + 300}
	for name, values := range authorizeParams("client_id", "signing", "state", "inner") {
		claims[name] = values[0]
	}
	for i := 0; i < len(change); i += 2 {
		name, to := change[i].(string), claims //nolint:forcetypeassert // tests write names
		if after, has := strings.CutPrefix(name, "."); has {
			name, to = after, header
		}
		if to[name] = change[i+1]; change[i+1] == nil {
			delete(to, name)
		}
	}
	return k.sign(header, claims)
}

func (r *rig) ask(jwt string, more ...string) (*oauth.Authorization, error) {
	p := url.Values{"client_id": {"signing"}, "request": {jwt}, "redirect_uri": {callback}}
	for i := 0; i < len(more); i += 2 {
		p.Set(more[i], more[i+1])
	}
	return r.Authorize(r.t.Context(), p)
}

func TestPR08SignedRequestIsAccepted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.signing()
	for what, jwt := range map[string]string{
		"PR10 its own typ": key.object(), "typ JWT": key.object(".typ", "JWT"), "no typ": key.object(".typ", nil),
		"PR10 issuer among audiences": key.object("aud", []string{"https://other.example", issuer}),
		"no client_id inside":         key.object("client_id", nil),
		"no kid":                      key.object(".kid", nil),
		"max_age as a number":         key.object("max_age", 60),
		"sub that is a person":        key.object("sub", "ada"),
	} {
		a, err := r.ask(jwt)
		if err != nil || a.State != "inner" || a.Challenge != challenge(verifier) {
			t.Errorf("%s: %+v, %v", what, a, err)
			continue
		}
		req := r.pushForm("client_id", "signing", "request", jwt)
		res, err := r.tryPush(oauth.Request{Params: url.Values{"client_id": {"signing"}, "client_secret": req.Params["client_secret"], "request": {jwt}}})
		if err != nil {
			t.Errorf("%s pushed: %v", what, err)
			continue
		}
		if a, err = r.Authorize(t.Context(), url.Values{"client_id": {"signing"}, "request_uri": {res.RequestURI}}); err != nil || a.State != "inner" {
			t.Errorf("%s pushed: %+v, %v", what, a, err)
		}
	}
	if a, err := r.ask(key.object("max_age", 60)); err != nil || a.MaxAge == nil || *a.MaxAge != 60 {
		t.Errorf("max_age: %+v, %v", a, err)
	}
}

// unsigned is an object that says that it is not signed.
func unsigned(claims map[string]any, sig string) string {
	h, _ := json.Marshal(map[string]any{"alg": "none"})
	c, _ := json.Marshal(claims)
	return b64(h) + "." + b64(c) + "." + sig
}

func TestPR08ForgedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, other := r.signing(), r.newKey()
	now := r.clock.now().Unix()
	plain := map[string]any{"iss": "signing", "aud": issuer, "iat": now, "exp": now + 60}
	for name, values := range authorizeParams("client_id", "signing") {
		plain[name] = values[0]
	}
	good := key.object()
	parts := strings.Split(good, ".")
	for what, jwt := range map[string]string{
		"J001 none":                      unsigned(plain, ""),
		"J001 none with a signature":     unsigned(plain, parts[2]),
		"J011 HMAC with the public key":  key.object(".alg", "HS256"),
		"algorithm that is not expected": key.object(".alg", "RS256"),
		"another client's key":           other.object(),
		"key in the header":              other.object(".jwk", other.jwk()),
		"signature cut":                  parts[0] + "." + parts[1] + ".",
		"payload changed":                parts[0] + "." + b64([]byte(`{"iss":"signing"}`)) + "." + parts[2],
		"a NUL character in state":       key.object("state", "a\x00b"),
		"a NUL character in nonce":       key.object("nonce", "\x00"),
		"expired":                        key.object("iat", now-600, "nbf", now-600, "exp", now-1),
		"exp missing":                    key.object("exp", nil),
		"exp a text":                     key.object("exp", "soon"),
		"lives for more than an hour":    key.object("iat", nil, "exp", now+3700),
		"nbf a minute ahead":             key.object("nbf", now+61, "exp", now+200),
		"nbf more than an hour ago":      key.object("nbf", now-3601, "iat", nil),
		"more than an hour from nbf":     key.object("nbf", now-600, "iat", nil, "exp", now+3500),
		"PR10 aud missing":               key.object("aud", nil),
		"PR10 aud of another issuer":     key.object("aud", "https://other.example"),
		"PR10 iss missing":               key.object("iss", nil),
		"PR10 iss of another client":     key.object("iss", "web"),
		"PR10 client assertion":          key.object("sub", "signing"),
		"J090 typ of a client assertion": key.object(".typ", "client-authentication+jwt"),
		"J090 typ of a proof":            key.object(".typ", "dpop+jwt"),
		"J090 typ of an access token":    key.object(".typ", "at+jwt"),
		"PR09 client_id of another":      key.object("client_id", "web"),
		"PR02 request_uri inside":        key.object("request_uri", "https://app.example.com/x"),
		"request inside":                 key.object("request", good),
		"null":                           key.object("state", json.RawMessage("null")),
		"encrypted":                      good + ".x.y",
		"not a JWT":                      "x",
	} {
		_, err := r.ask(jwt, "state", "outer")
		q := wantBack(t, what, err, "invalid_request_object")
		if q.Get("state") != "outer" || q.Get("iss") != issuer {
			t.Errorf("%s: %v", what, q)
		}
		_, err = r.tryPush(oauth.Request{Params: url.Values{"client_id": {"signing"}, "client_secret": {r.secret.Reveal()}, "request": {jwt}}})
		t.Run(what, func(t *testing.T) { wantCode(t, err, "invalid_request_object") })
	}
	if _, err := r.ask(good); err != nil {
		t.Error("the one that was not attacked:", err)
	}
	if _, err := r.Authorize(t.Context(), url.Values{"client_id": {"web"}, "redirect_uri": {callback}, "request": {strings.Replace(good, "", "", 1)}}); err == nil {
		t.Error("an object was accepted for a client without keys")
	}
}

func TestPR09OnlyWhatIsInsideCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.signing()
	a, err := r.ask(key.object("login_hint", nil), "scope", "openid pay", "state", "outer", "nonce", "outer", "prompt", "none",
		"login_hint", "eve", "redirect_uri", "https://evil.example/cb", "code_challenge", challenge("x"), "response_type", "code", "response_mode", "form_post")
	if err != nil {
		t.Fatal(err)
	}
	if a.State != "inner" || a.Scope != "openid catalog.read" || a.Nonce != "no" || a.LoginHint != "" || len(a.Prompt) != 0 || a.RedirectURI != callback || a.Mode != "" {
		t.Errorf("%+v", a)
	}
	_, err = r.ask(key.object("code_challenge", nil, "code_challenge_method", nil), "code_challenge", challenge(verifier), "code_challenge_method", "S256")
	wantBack(t, "a challenge outside", err, "invalid_request")
	_, err = r.ask(key.object("redirect_uri", nil))
	wantPage(t, "a redirect_uri outside", err, "invalid_request")
	_, err = r.ask(key.object(), "response_type", "token")
	wantBack(t, "another response_type outside", err, "invalid_request")
	_, err = r.ask(key.object(), "client_id", "web")
	if err == nil {
		t.Error("another client_id outside")
	}
}

func TestPR08AlgorithmOfTheClientAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.signing(func(c *oauth.Client) { c.Settings.RequestAlg = "PS256" })
	_, err := r.ask(key.object())
	wantBack(t, "ES256 where PS256 is registered", err, "invalid_request_object")
	key = r.signing(func(c *oauth.Client) { c.Settings.RequestAlg = "ES256" })
	if _, err := r.ask(key.object()); err != nil {
		t.Error(err)
	}
}

func TestPR08SignedRequestsCanBeRequired(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.signing(func(c *oauth.Client) { c.Settings.RequireSignedRequest = true })
	_, err := r.Authorize(t.Context(), authorizeParams("client_id", "signing"))
	wantBack(t, "plain request", err, "invalid_request")
	_, err = r.tryPush(r.pushForm("client_id", "signing"))
	wantCode(t, err, "invalid_request")
	if _, err := r.ask(key.object()); err != nil {
		t.Error(err)
	}
}

func TestPR11RequestObjectsByReference(t *testing.T) {
	t.Parallel()
	const where = "https://app.example.com/r.jwt"
	r := newRig(t)
	key := r.newKey()
	client := r.signingClient(key, func(c *oauth.Client) { c.Settings.RequestURIs = []string{where + "#abc"} })
	r.with(client)
	ask := func(uri string) (*oauth.Authorization, error) {
		return r.Authorize(t.Context(), url.Values{"client_id": {"signing"}, "redirect_uri": {callback}, "request_uri": {uri}})
	}
	_, err := ask(where + "#abc")
	wantBack(t, "where nothing is fetched", err, "request_uri_not_supported")
	var asked []string
	body, failure := key.object()+"\n", error(nil)
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Clients = append(o.Clients, client)
		o.FetchRequest = func(_ context.Context, u string) ([]byte, error) {
			asked = append(asked, u)
			return []byte(body), failure
		}
	})
	if a, err := ask(where + "#abc"); err != nil || a.State != "inner" || len(asked) != 1 || asked[0] != where {
		t.Errorf("%+v, %v, asked %v", a, err, asked)
	}
	body = key.object("exp", nil, "nbf", nil, "iat", nil)
	_, err = ask(where + "#abc")
	wantBack(t, "exp missing", err, "invalid_request_object")
	asked = asked[:1]
	for _, uri := range []string{where, where + "?x", "http://127.0.0.1/", "https://169.254.169.254/latest", "file:///etc/passwd", "https://evil.example/r.jwt#abc"} {
		_, err := ask(uri)
		wantBack(t, uri, err, "invalid_request_uri")
	}
	if len(asked) != 1 {
		t.Errorf("asked %v", asked)
	}
	failure = errors.New("redirected to an address inside")
	_, err = ask(where + "#abc")
	wantBack(t, "what the guarded client refuses", err, "invalid_request_uri")
	failure, body = nil, unsigned(map[string]any{"iss": "signing"}, "")
	_, err = ask(where + "#abc")
	wantBack(t, "an unsigned object", err, "invalid_request_object")
}

// The certification of OpenID Connect puts no exp into request objects that are
// fetched; those that are sent need one all the same.
func TestFetchedObjectsOfOldClientsNeedNoExp(t *testing.T) {
	t.Parallel()
	const where = "https://app.example.com/r.jwt"
	r := newRig(t)
	key := r.newKey()
	client := r.signingClient(key, func(c *oauth.Client) {
		c.Settings.RequestURIs, c.Settings.Profile = []string{where}, oauth.ProfileOIDCBasic
	})
	undated := key.object("exp", nil, "nbf", nil, "iat", nil)
	body := undated
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Clients = append(o.Clients, client)
		o.FetchRequest = func(context.Context, string) ([]byte, error) { return []byte(body), nil }
	})
	if _, err := r.Authorize(t.Context(), url.Values{"client_id": {"signing"}, "request_uri": {where}}); err != nil {
		t.Error(err)
	}
	_, err := r.ask(undated)
	wantBack(t, "PR08 exp missing in one that is sent", err, "invalid_request_object")
	body = key.object("exp", r.clock.now().Unix()-1, "iat", nil, "nbf", nil)
	_, err = r.Authorize(t.Context(), url.Values{"client_id": {"signing"}, "redirect_uri": {callback}, "request_uri": {where}})
	wantBack(t, "PR08 expired", err, "invalid_request_object")
}

func TestRequestSettings(t *testing.T) {
	t.Parallel()
	keys := func(c *oauth.Client) { c.Settings.JWKSURI = "https://app.example.com/keys" }
	for what, c := range map[string]struct {
		change  func(*oauth.Client)
		setting string
	}{
		"signed requests without keys": {func(c *oauth.Client) { c.Settings.RequireSignedRequest = true }, "jwks"},
		"signed requests":              {func(c *oauth.Client) { c.Settings.RequireSignedRequest = true; keys(c) }, ""},
		"alg none":                     {func(c *oauth.Client) { c.Settings.RequestAlg = "none"; keys(c) }, "request_object_signing_alg"},
		"RS256":                        {func(c *oauth.Client) { c.Settings.RequestAlg = "RS256"; keys(c) }, ""},
		"http request_uri":             {func(c *oauth.Client) { c.Settings.RequestURIs = []string{"http://app.example.com/r"} }, "request_uris"},
		"https request_uri":            {func(c *oauth.Client) { c.Settings.RequestURIs = []string{"https://app.example.com/r"} }, ""},
		"responses by PS256":           {func(c *oauth.Client) { c.Settings.ResponseAlg = "PS256" }, "authorization_signed_response_alg"},
		"responses by RS256":           {func(c *oauth.Client) { c.Settings.ResponseAlg = "RS256" }, ""},
		"fapi2 with RS256 requests": {func(c *oauth.Client) {
			fapi(c)
			c.Settings.RequestAlg = "RS256"
		}, "request_object_signing_alg"},
		"fapi2 with RS256 responses": {func(c *oauth.Client) {
			fapi(c)
			c.Settings.ResponseAlg = "RS256"
		}, "authorization_signed_response_alg"},
		"fapi2 with RS256 introspection answers": {func(c *oauth.Client) {
			fapi(c)
			c.Settings.IntrospectionSig = "RS256"
		}, "introspection_signed_response_alg"},
		"RS256 introspection answers":           {func(c *oauth.Client) { c.Settings.IntrospectionSig = "RS256" }, ""},
		"fapi2":                                 {fapi, ""},
		"fapi2 and pkce optional":               {func(c *oauth.Client) { fapi(c); c.Settings.PKCE = "optional" }, "pkce"},
		"pkce optional for a server client":     {func(c *oauth.Client) { c.Settings.PKCE = "optional" }, ""},
		"pkce optional for a native client":     {func(c *oauth.Client) { c.Settings.PKCE, c.Type = "optional", oauth.Native }, "pkce"},
		"oidc-basic for a native client":        {func(c *oauth.Client) { c.Settings.Profile, c.Type = oauth.ProfileOIDCBasic, oauth.Native }, "profile"},
		"message signing without a key to sign": {func(c *oauth.Client) { fapi(c); c.Settings.Profile, c.Settings.JWKSURI = oauth.ProfileFAPI2Sign, "" }, "jwks"},
	} {
		client := oauth.Client{ID: "x", Type: oauth.Server, RedirectURIs: []string{callback}}
		c.change(&client)
		if setting, why := client.Problem(); setting != c.setting {
			t.Errorf("%s: %q %s, want %q", what, setting, why, c.setting)
		}
	}
}

func fapi(c *oauth.Client) {
	c.Settings.Profile, c.Settings.AuthMethod, c.Settings.JWKSURI, c.DPoPBound = oauth.ProfileFAPI2, "private_key_jwt", "https://app.example.com/keys", true
}

func FuzzRequestObject(f *testing.F) {
	f.Add([]byte(`{"scope":"openid","max_age":5,"resource":["a","b"],"claims":{"id_token":{}}}`))
	f.Add([]byte(`{"state":"\u0000","nonce":null,"request":"x"}`))
	f.Add([]byte(`{"authorization_details":[{"type":"payment"}],"resource":[1]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		params, ok := oauth.RequestParams(payload)
		if !ok {
			return
		}
		for _, name := range []string{"iss", "sub", "aud", "exp", "request", "request_uri"} {
			if params.Has(name) {
				t.Errorf("%q gave the parameter %s", payload, name)
			}
		}
		again := map[string]any{}
		if err := json.Unmarshal(payload, &again); err != nil {
			t.Errorf("%q is no object: %v", payload, err)
		}
		if len(params) > len(again) {
			t.Errorf("%q gave %v", payload, params)
		}
	})
}
