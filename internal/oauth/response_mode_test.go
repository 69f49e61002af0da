package oauth_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// jarm is what a client reads in a signed response (JARM §2.4).
func (r *rig) jarm(jwt, client string, purpose token.Purpose, alg jose.Algorithm) *jose.Claims {
	r.t.Helper()
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "authorization response", Types: []string{"jwt"}, Algorithms: []jose.Algorithm{alg}, Keys: r.ring.KeySource(purpose),
		Issuer: jose.Exactly(issuer), Audience: jose.Exactly(client), MaxLife: 10 * time.Minute, Now: r.clock.now,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := v.Verify(r.t.Context(), jwt)
	if err != nil {
		r.t.Fatalf("%q: %v", jwt, err)
	}
	return c
}

func claim(c *jose.Claims, name string) string {
	s, _ := c.String(name)
	return s
}

// received is the response as the client gets it, from wherever the mode has it.
func received(t *testing.T, o oauth.Outcome) (params url.Values, form bool) {
	t.Helper()
	if o.Post == nil {
		if !strings.HasPrefix(o.Location, callback+"?") || strings.Contains(o.Location, "#") {
			t.Errorf("Location %q", o.Location)
		}
		return query(t, o.Location), false
	}
	if o.Post.Action != callback || o.Location != "" {
		t.Errorf("%+v", o)
	}
	return o.Post.Params, true
}

func TestAZ10EveryResponseModeNamesTheIssuer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for mode, c := range map[string]struct{ form, signed bool }{
		"": {}, "query": {}, "form_post": {form: true}, "jwt": {signed: true}, "query.jwt": {signed: true}, "form_post.jwt": {form: true, signed: true},
	} {
		a, err := r.Authorize(t.Context(), authorizeParams("response_mode", mode))
		if err != nil {
			t.Errorf("%s: %v", mode, err)
			continue
		}
		refused, err := r.Deny(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		for what, out := range map[string]oauth.Outcome{"code": r.approve(a), "error": refused} {
			params, form := received(t, out)
			if form != c.form || params.Has("response") != c.signed {
				t.Errorf("%s %s: %v", mode, what, params)
			}
			get := params.Get
			if c.signed {
				if len(params) != 1 {
					t.Errorf("%s %s: beside the JWT: %v", mode, what, params)
				}
				claims := r.jarm(params.Get("response"), "app", token.SignIDToken, jose.ES256)
				get = func(name string) string { return claim(claims, name) }
				if claims.ExpiresAt-r.clock.now().Unix() > 600 || claims.Has("sub") {
					t.Errorf("%s %s: %s", mode, what, claims.JSON())
				}
			}
			if get("iss") != issuer || get("state") != "st" || get(what) == "" || what == "error" && get("error_description") == "" {
				t.Errorf("%s %s: %v", mode, what, params)
			}
		}
	}
}

func TestResponseModesThatAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, mode := range []string{"fragment", "fragment.jwt", "web_message", "QUERY", "query jwt"} {
		_, err := r.Authorize(t.Context(), authorizeParams("response_mode", mode))
		q := wantBack(t, mode, err, "invalid_request")
		if q.Get("iss") != issuer {
			t.Errorf("%s: %v", mode, q)
		}
	}
	_, err := r.Authorize(t.Context(), authorizeParams("response_mode", "form_post", "redirect_uri", "com.example.shop:/cb"))
	if q := wantBack(t, "a form to an app", err, "invalid_request"); q.Get("error") != "invalid_request" {
		t.Error("a form to an app: the error is not in the address")
	}
	twice := authorizeParams("response_mode", "form_post", "redirect_uri", "com.example.shop:/cb")
	twice.Add("nonce", "another")
	_, err = r.Authorize(t.Context(), twice)
	if q := wantBack(t, "a form to an app, with another mistake", err, "invalid_request"); q.Get("error") != "invalid_request" {
		t.Error("a form to an app, with another mistake: the error is not in the address")
	}
	if _, err := r.Authorize(t.Context(), authorizeParams("response_mode", "form_post", "redirect_uri", "http://127.0.0.1:4711/cb")); err != nil {
		t.Error(err)
	}
}

// An error goes back in the mode that was asked for, also one that was found
// before anybody signed in.
func TestErrorsComeInTheModeOfTheRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for mode, signed := range map[string]bool{"form_post": false, "form_post.jwt": true, "jwt": true} {
		_, err := r.Authorize(t.Context(), authorizeParams("response_mode", mode, "scope", "root"))
		back, ok := err.(*oauth.RedirectError) //nolint:errorlint // it is not wrapped
		if !ok {
			t.Errorf("%s: %v", mode, err)
			continue
		}
		params, form := received(t, back.Outcome)
		if form != strings.HasPrefix(mode, "form") {
			t.Errorf("%s: %+v", mode, back.Outcome)
		}
		if signed && claim(r.jarm(params.Get("response"), "app", token.SignIDToken, jose.ES256), "error") != "invalid_scope" {
			t.Errorf("%s: %v", mode, params)
		}
	}
}

func TestSignedResponseByTheAlgorithmOfTheClient(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.clients()[2]
	c.ID, c.Settings.ResponseAlg = "old", "RS256"
	r.with(c)
	a, err := r.Authorize(t.Context(), authorizeParams("client_id", "old", "response_mode", "jwt"))
	if err != nil {
		t.Fatal(err)
	}
	params, _ := received(t, r.approve(a))
	if claim(r.jarm(params.Get("response"), "old", token.SignIDTokenRSA, jose.RS256), "code") == "" {
		t.Error(params)
	}
	for name, want := range map[string]string{"response_modes_supported": `["query","form_post","jwt","query.jwt","form_post.jwt"]`, "authorization_signing_alg_values_supported": `["ES256","RS256"]`} {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(r.Metadata(), &m); err != nil || string(m[name]) != want {
			t.Errorf("%s = %s, %v", name, m[name], err)
		}
	}
}

func TestEncryptedResponse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	c := r.clients()[2]
	c.ID, c.Settings.ResponseEncAlg = "sealed", "ECDH-ES"
	jwk := key.jwk()
	jwk["use"], jwk["kid"], jwk["alg"] = "enc", "e", "ECDH-ES"
	set, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	c.Settings.JWKS = string(set)
	r.with(c)
	a, err := r.Authorize(t.Context(), authorizeParams("client_id", "sealed", "response_mode", "jwt"))
	if err != nil {
		t.Fatal(err)
	}
	params, _ := received(t, r.approve(a))
	if strings.Count(params.Get("response"), ".") != 4 {
		t.Errorf("not encrypted: %v", params)
	}
}
