package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

func (r *rig) verified(tok secret.Value, client string, alg jose.Algorithm) *jose.Claims {
	r.t.Helper()
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "ID token", Types: []string{"jwt"}, Algorithms: []jose.Algorithm{alg}, Keys: r.ring.KeySource(token.SignIDToken, token.SignIDTokenRSA),
		Issuer: jose.Exactly(issuer), Audience: jose.Exactly(client), MaxLife: time.Hour, Require: []string{"sub", "sid"}, Now: r.clock.now,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := v.Verify(r.t.Context(), tok.Reveal())
	if err != nil {
		r.t.Fatalf("%s: %v", alg, err)
	}
	return c
}

func atHash(access secret.Value) string {
	sum := sha256.Sum256([]byte(access.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func TestID01WhatAnIDTokenSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens("max_age", "3600")
	r.verified(res.IDToken, "app", jose.ES256)
	got := claims(t, res.IDToken.Reveal())
	for name, want := range map[string]any{
		"iss": issuer, "sub": r.user.ID, "aud": "app", "nonce": "no", "acr": token.ACRPassword, "at_hash": atHash(res.AccessToken),
		"auth_time": float64(r.session.AuthTime.Unix()), "iat": float64(r.clock.now().Unix()), "exp": float64(r.clock.now().Add(5 * time.Minute).Unix()),
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for _, name := range []string{"azp", "c_hash", "scope", "email", "name", "jti"} {
		if got[name] != nil {
			t.Errorf("it says %s: %v", name, got[name])
		}
	}
	if without := claims(t, r.tokens("nonce", "").IDToken.Reveal()); without["nonce"] != nil {
		t.Errorf("a nonce that nobody sent: %v", without["nonce"])
	}
	if none := r.tokens("scope", "catalog.read"); !none.IDToken.IsZero() {
		t.Error("an ID token without openid")
	}
}

// OpenID Connect Core §12.2: an ID token on refresh is of the same sign-in.
func TestID01OnRefreshItIsOfTheSameSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.tokens()
	r.later(3 * time.Minute)
	again, err := r.refresh(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	before, after := claims(t, first.IDToken.Reveal()), claims(t, again.IDToken.Reveal())
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "acr", "sid"} {
		if before[name] != after[name] {
			t.Errorf("%s was %v and is %v", name, before[name], after[name])
		}
	}
	if after["nonce"] != nil || after["iat"] != float64(r.clock.now().Unix()) || after["at_hash"] != atHash(again.AccessToken) {
		t.Errorf("%v", after)
	}
	if narrow, err := r.refresh(again.RefreshToken, "scope", "catalog.read"); err != nil || !narrow.IDToken.IsZero() {
		t.Errorf("without openid: %+v, %v", narrow, err)
	}
}

func TestID01AlgorithmOfTheClient(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Clients = append(o.Clients, oauth.Client{
			ID: "old", Type: oauth.Server, Scope: "openid profile", RedirectURIs: []string{callback}, Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}},
			Settings: oauth.Settings{Profile: oauth.ProfileOIDCBasic, IDTokenSig: jose.RS256, UserInfoSig: jose.RS256},
		})
	})
	res, err := r.redeem(r.code("client_id", "old", "scope", "openid"), "client_id", "old", "client_secret", r.secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	r.verified(res.IDToken, "old", jose.RS256)
	answer, err := r.UserInfo(t.Context(), oauth.Request{Authorization: []string{"Bearer " + res.AccessToken.Reveal()}})
	if err != nil || !answer.JWT || !strings.HasPrefix(string(answer.Body), base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"`))) {
		t.Errorf("userinfo: %.60s, %v", answer.Body, err)
	}
	if _, err := r.Authorize(t.Context(), authorizeParams("client_id", "old", "scope", "openid", "id_token_hint", res.IDToken.Reveal())); err != nil {
		t.Errorf("it is no hint: %v", err)
	}
	keys, err := r.JWKS()
	if err != nil || !strings.Contains(string(keys), `"RS256"`) {
		t.Errorf("the key is not published: %s, %v", keys, err)
	}
	var m struct {
		Algs []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.Unmarshal(r.Metadata(), &m); err != nil || strings.Join(m.Algs, " ") != "ES256 RS256" {
		t.Errorf("metadata says %v, %v", m.Algs, err)
	}
	for name, c := range map[string]struct {
		profile oauth.Profile
		id, ui  jose.Algorithm
		want    string
	}{
		"oauth21 with RS256": {"", jose.RS256, jose.RS256, ""}, "fapi2 with RS256": {oauth.ProfileFAPI2, jose.RS256, "", "id_token_signed_response_alg"},
		"fapi2 with RS256 for userinfo": {oauth.ProfileFAPI2, "", jose.RS256, "userinfo_signed_response_alg"}, "none": {"", "none", "", "id_token_signed_response_alg"}, "HS256": {"", "HS256", "", "id_token_signed_response_alg"},
	} {
		client := oauth.Client{ID: "x", Type: oauth.Server, RedirectURIs: []string{callback}, DPoPBound: true, Settings: oauth.Settings{Profile: c.profile, IDTokenSig: c.id, UserInfoSig: c.ui}}
		if c.profile == oauth.ProfileFAPI2 {
			client.Settings.AuthMethod, client.Settings.JWKSURI = "private_key_jwt", "https://app.example.com/jwks"
		}
		if setting, why := client.Problem(); setting != c.want {
			t.Errorf("%s: %q %s, want %q", name, setting, why, c.want)
		}
	}
}

// Only the code flow exists (ASVS 10.6.1), and an access token is no sign-in.
func TestID07ID11CodeFlowOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, kind := range []string{"token", "id_token", "code id_token", "code token", "id_token token", "code id_token token", "none", "CODE"} {
		if code, _ := authorizeError(t, r, "response_type", kind); code != oauth.UnsupportedResponseType {
			t.Errorf("ID07 response_type=%s: %q", kind, code)
		}
	}
	res := r.tokens()
	if code, _ := authorizeError(t, r, "id_token_hint", res.AccessToken.Reveal()); code == "" {
		t.Error("ID11 an access token is taken for a sign-in")
	}
	if code, _ := authorizeError(t, r, "id_token_hint", res.IDToken.Reveal()); code != "" {
		t.Errorf("an ID token is no hint: %q", code)
	}
}

func TestAZ16ConsentEachTimeWhereTheAppIsNotProven(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for uri, want := range map[string]oauth.Step{
		callback: oauth.StepApprove, "com.example.shop:/cb": oauth.StepConsent, "http://127.0.0.1/cb": oauth.StepConsent, "http://127.0.0.1:4711/cb": oauth.StepConsent,
	} {
		r.code("redirect_uri", uri) // agreed to before
		a, err := r.Authorize(t.Context(), authorizeParams("redirect_uri", uri))
		if err != nil {
			t.Fatal(err)
		}
		if step, err := r.Next(t.Context(), a, r.session); err != nil || step != want {
			t.Errorf("%s: step %v, %v, want %v", uri, step, err, want)
		}
		silent, err := r.Authorize(t.Context(), authorizeParams("redirect_uri", uri, "prompt", "none"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(t.Context(), silent, r.session); (err == nil) != (want == oauth.StepApprove) {
			t.Errorf("%s, silently: %v", uri, err)
		}
	}
}

func TestLifetimesOfAClient(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		own := oauth.Settings{AccessTokenLife: 120, RefreshIdle: 3600, RefreshAbsolute: 7200}
		o.Clients = append(
			o.Clients,
			oauth.Client{ID: "brief", Type: oauth.Native, Scope: "openid catalog.read", RedirectURIs: []string{callback}, Settings: own},
			oauth.Client{ID: "brief-job", Type: oauth.ServiceClient, Scope: "weather.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}}, Settings: own},
		)
	})
	res := r.tokensOf("brief")
	job, err := r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "brief-job", "client_secret", "yes"))
	if err != nil || res.ExpiresInSeconds != 120 || job.ExpiresInSeconds != 120 {
		t.Fatalf("access tokens live %d and %d s, %v", res.ExpiresInSeconds, job.ExpiresInSeconds, err)
	}
	r.later(59 * time.Minute)
	if res, err = r.refresh(res.RefreshToken, "client_id", "brief"); err != nil {
		t.Fatalf("within an hour: %v", err)
	}
	r.later(59 * time.Minute)
	if res, err = r.refresh(res.RefreshToken, "client_id", "brief"); err != nil {
		t.Fatalf("each hour anew: %v", err)
	}
	r.later(3 * time.Minute)
	if _, err = r.refresh(res.RefreshToken, "client_id", "brief"); err == nil {
		t.Error("after two hours the person is still signed in")
	}
	idle := r.tokensOf("brief")
	r.later(61 * time.Minute)
	if _, err = r.refresh(idle.RefreshToken, "client_id", "brief"); err == nil {
		t.Error("unused for more than an hour")
	}
}

func TestLifetimesAboveTheCapsAreRefused(t *testing.T) {
	t.Parallel()
	apis := []oauth.Resource{{Name: "low", Tier: token.TierLow, Scopes: []string{"low"}}, {Name: "standard", Tier: token.TierStandard, Scopes: []string{"standard"}}, {Name: "high", Tier: token.TierHigh, Scopes: []string{"high"}}}
	types := []oauth.DetailsType{{Type: "payment", APIs: []string{"high"}}}
	const day = 24 * 3600
	for name, c := range map[string]struct {
		scope string
		s     oauth.Settings
		want  string
	}{
		"an hour in low":                {"low", oauth.Settings{AccessTokenLife: 3600}, ""},
		"more than an hour":             {"low", oauth.Settings{AccessTokenLife: 3601}, "access_token_lifetime"},
		"ten minutes in standard":       {"openid standard", oauth.Settings{AccessTokenLife: 600}, ""},
		"an hour in standard":           {"standard", oauth.Settings{AccessTokenLife: 3600}, "access_token_lifetime"},
		"an hour in low and standard":   {"low standard", oauth.Settings{AccessTokenLife: 3600}, "access_token_lifetime"},
		"an hour at the issuer alone":   {"openid", oauth.Settings{AccessTokenLife: 3600}, "access_token_lifetime"},
		"an hour of idleness in high":   {"high", oauth.Settings{RefreshIdle: 3600}, "refresh_token_idle_lifetime"},
		"a day in high":                 {"high", oauth.Settings{RefreshAbsolute: day}, "refresh_token_lifetime"},
		"a day in standard":             {"standard", oauth.Settings{RefreshAbsolute: day, RefreshIdle: 3600}, ""},
		"ten minutes, high by details":  {"standard", oauth.Settings{AccessTokenLife: 600, DetailsTypes: []string{"payment"}}, "access_token_lifetime"},
		"two years":                     {"low", oauth.Settings{RefreshAbsolute: 730 * day}, "refresh_token_lifetime"},
		"less than nothing":             {"low", oauth.Settings{AccessTokenLife: -1}, "access_token_lifetime"},
		"idle for longer than it lives": {"low", oauth.Settings{RefreshIdle: 7200, RefreshAbsolute: 3600}, "refresh_token_idle_lifetime"},
		"a type that is not known here": {"low", oauth.Settings{DetailsTypes: []string{"loan"}}, "authorization_details_types"},
	} {
		client := oauth.Client{ID: "x", Type: oauth.Native, Scope: c.scope, RedirectURIs: []string{callback}, Settings: c.s}
		setting, why := client.Problem()
		if setting == "" {
			setting, why = client.Fits(apis, types)
		}
		if setting != c.want {
			t.Errorf("%s: %q %s, want %q", name, setting, why, c.want)
		}
	}
}
