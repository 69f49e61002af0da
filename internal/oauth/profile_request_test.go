package oauth_test

import (
	"errors"
	"strings"
	"testing"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// like is the client web with another name and settings.
func (r *rig) like(id string, change func(*oauth.Client)) oauth.Client {
	c := r.clients()[2]
	c.ID = id
	change(&c)
	return c
}

func TestAZ05PKCEIsForEverybodyButOldServerClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with(
		r.like("basic", func(c *oauth.Client) { c.Settings.Profile = oauth.ProfileOIDCBasic }),
		r.like("lax", func(c *oauth.Client) { c.Settings.PKCE = "optional" }),
		r.like("lax-app", func(c *oauth.Client) { c.Settings.PKCE, c.Type, c.Secrets = "optional", oauth.Native, nil }),
		r.like("basic-app", func(c *oauth.Client) {
			c.Settings.Profile, c.Type, c.Secrets = oauth.ProfileOIDCBasic, oauth.Browser, nil
		}),
	)
	without := []string{"code_challenge", "", "code_challenge_method", ""}
	for what, c := range map[string]struct {
		client string
		change []string
		ok     bool
	}{
		"basic, neither PKCE nor nonce":        {"basic", append([]string{"nonce", ""}, without...), true},
		"basic, nonce":                         {"basic", without, true},
		"basic, PKCE":                          {"basic", nil, true},
		"basic, plain":                         {"basic", []string{"code_challenge_method", "plain"}, false},
		"basic, method alone":                  {"basic", []string{"code_challenge", ""}, false},
		"optional, nonce":                      {"lax", without, true},
		"optional, neither":                    {"lax", append([]string{"nonce", ""}, without...), false},
		"optional, nonce that nothing returns": {"lax", append([]string{"scope", "catalog.read"}, without...), false},
		"optional, PKCE without nonce":         {"lax", []string{"nonce", ""}, true},
		"default, nonce":                       {"web", without, false},
		"public client, optional":              {"lax-app", without, false},
		"public client, basic":                 {"basic-app", without, false},
	} {
		_, err := r.Authorize(t.Context(), authorizeParams(append([]string{"client_id", c.client}, c.change...)...))
		if ok := err == nil; ok != c.ok {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTK05NoVerifierWithoutChallengeAndTheReverse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with(r.like("basic", func(c *oauth.Client) { c.Settings.Profile = oauth.ProfileOIDCBasic }))
	without := r.code("client_id", "basic", "code_challenge", "", "code_challenge_method", "")
	with := r.code("client_id", "basic")
	secret := []string{"client_id", "basic", "client_secret", r.secret.Reveal()}
	_, err := r.redeem(without, secret...)
	wantCode(t, err, "invalid_grant") // a verifier that no challenge asked for
	_, err = r.redeem(with, append([]string{"code_verifier", ""}, secret...)...)
	wantCode(t, err, "invalid_grant") // RFC 7636 §4.6
	_, err = r.redeem(with, append([]string{"code_verifier", strings.Repeat("x", 43)}, secret...)...)
	wantCode(t, err, "invalid_grant")
	_, err = r.redeem(without, append([]string{"code_verifier", "", "redirect_uri", ""}, secret...)...)
	wantCode(t, err, "invalid_grant") // RFC 6749 §4.1.3: nothing else tells whose code it is
	if _, err := r.redeem(without, append([]string{"code_verifier", ""}, secret...)...); err != nil {
		t.Error("without either:", err)
	}
	if _, err := r.redeem(with, append([]string{"redirect_uri", ""}, secret...)...); err != nil { // OAuth 2.1 §4.1.3
		t.Error("with both:", err)
	}
	// What the client may leave out is asked again when the code is redeemed.
	code := r.code("client_id", "basic", "code_challenge", "", "code_challenge_method", "")
	r.with(r.like("basic", func(*oauth.Client) {}))
	_, err = r.redeem(code, append([]string{"code_verifier", ""}, secret...)...)
	wantCode(t, err, "invalid_grant")
}

func TestPR05FAPIRequestsArePushed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with(r.like("bank", fapi))
	_, err := r.Authorize(t.Context(), authorizeParams("client_id", "bank", "scope", "openid pay"))
	q := wantBack(t, "PR05 AZ10 request in the address", err, "invalid_request")
	if q.Get("iss") != issuer {
		t.Error(q)
	}
}

// FAPI 2.0 Message Signing §5.3, §5.4: requests and responses are signed.
func TestMessageSigningResponsesAreSigned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with(r.like("bank", func(c *oauth.Client) { fapi(c); c.Settings.Profile = oauth.ProfileFAPI2Sign }))
	for _, mode := range []string{"", "query", "form_post", "jwt"} {
		_, err := r.Authorize(t.Context(), authorizeParams("client_id", "bank", "response_mode", mode))
		var back *oauth.RedirectError
		if !errors.As(err, &back) {
			t.Errorf("%q: %v", mode, err)
			continue
		}
		params, _ := received(t, back.Outcome)
		if c := r.jarm(params.Get("response"), "bank", token.SignIDToken, jose.ES256); claim(c, "error") == "" {
			t.Errorf("%q: %s", mode, c.JSON())
		}
	}
}

func TestAZ22ErrorsOfClientsThatNobodyKnowsAreShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, origin := range []oauth.ClientOrigin{oauth.OriginRegistered, oauth.OriginDocument} {
		r.with(r.like("stranger", func(c *oauth.Client) { c.Origin = origin }))
		for what, change := range map[string][]string{
			"invalid_scope": {"scope", "root"}, "unsupported_response_type": {"response_type", "token"}, "invalid_request_object": {"request", "x"},
			"invalid_request": {"code_challenge", ""},
		} {
			_, err := r.Authorize(t.Context(), authorizeParams(append([]string{"client_id", "stranger"}, change...)...))
			wantPage(t, string(origin)+" "+what, err, what)
			_, err = r.Authorize(t.Context(), authorizeParams(append([]string{"client_id", "web"}, change...)...))
			wantBack(t, "client that an administrator knows "+what, err, what)
		}
		// With prompt=none nobody would have signed in (RFC 9700 §4.11.2); once
		// somebody has, the client gets its answers.
		a, err := r.Authorize(t.Context(), authorizeParams("client_id", "stranger", "prompt", "none"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Next(t.Context(), a, nil)
		wantPage(t, "prompt=none", err, "login_required")
		out, err := r.Deny(t.Context(), a)
		if err != nil || query(t, out.Location).Get("error") != "access_denied" {
			t.Errorf("%+v, %v", out, err)
		}
	}
}

func TestAZ28ConstantChallengeIsNoticed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ask := func(change ...string) []audit.Event {
		var rec audit.Record
		if _, err := r.Authorize(audit.WithRecord(t.Context(), &rec), authorizeParams(change...)); err != nil {
			t.Fatal(err)
		}
		return rec.Events()
	}
	fresh := func(i int) []string {
		return []string{"code_challenge", challenge(strings.Repeat("v", 43+i)), "nonce", strings.Repeat("n", 1+i)}
	}
	for i := range 5 {
		if e := ask(append(fresh(i), "client_id", "web")...); len(e) != 0 {
			t.Errorf("fresh values: %v", e)
		}
	}
	for i := range 5 {
		got := ask(append(fresh(i), "code_challenge", challenge(verifier))...)
		if want := i == 2; (len(got) == 1) != want {
			t.Errorf("request %d: %v", i, got)
		} else if want && (got[0].Name != audit.ConstantValue || got[0].Client != "app" || got[0].Reason != "code_challenge") {
			t.Errorf("%+v", got[0])
		}
	}
	for i := range 5 {
		got := ask(append(fresh(i+10), "nonce", "always", "client_id", "other")...)
		if want := i == 2; (len(got) == 1) != want || want && got[0].Reason != "nonce" {
			t.Errorf("request %d: %v", i, got)
		}
	}
}

func TestDefaultMaxAge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with(r.like("strict", func(c *oauth.Client) { c.Settings.DefaultMaxAge = 60 }))
	for given, want := range map[string]int64{"": 60, "5": 5, "600": 600} {
		a, err := r.Authorize(t.Context(), authorizeParams("client_id", "strict", "max_age", given))
		if err != nil || a.MaxAge == nil || *a.MaxAge != want {
			t.Errorf("max_age %q: %+v, %v", given, a, err)
		}
	}
}

func TestParametersThatAreTakenOrIgnored(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, err := r.Authorize(t.Context(), authorizeParams("display", "popup", "ui_locales", "de-DE en", "login_hint", "ada", "foo", "bar", "max_age", "0"))
	if err != nil || a.UILocales != "de-DE en" || a.LoginHint != "ada" || *a.MaxAge != 0 {
		t.Errorf("AZ07 AZ19: %+v, %v", a, err)
	}
	_, err = r.Authorize(t.Context(), authorizeParams("ui_locales", strings.Repeat("x", 300)))
	wantBack(t, "ui_locales too long", err, "invalid_request")
}
