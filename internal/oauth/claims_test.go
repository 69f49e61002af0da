package oauth_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

func (r *rig) userinfo(res *oauth.TokenResponse) map[string]any {
	r.t.Helper()
	answer, err := r.UserInfo(r.t.Context(), oauth.Request{Authorization: []string{"Bearer " + res.AccessToken.Reveal()}})
	if err != nil {
		r.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(answer.Body, &m); err != nil {
		r.t.Fatal(err)
	}
	return m
}

func TestID06ClaimsByScopeAndByName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, c := range map[string]struct {
		scope, claims string
		info, id      string // claims about the person, by name
	}{
		"scopes alone say nothing in the ID token": {"openid profile email", "", "email email_verified name preferred_username", ""},
		"by name in userinfo":                      {"openid", `{"userinfo":{"name":{"essential":true},"email":null}}`, "email name", ""},
		"by name in the ID token":                  {"openid", `{"id_token":{"email":{"essential":true},"email_verified":null}}`, "", "email email_verified"},
		"by both":                                  {"openid email", `{"id_token":{"name":null}}`, "email email_verified", "name"},
		"what nobody knows is no error":            {"openid", `{"userinfo":{"given_name":null,"http://example.com/x":{"essential":true}},"other":{"name":null}}`, "", ""},
		"null members":                             {"openid", `{"userinfo":null,"id_token":null}`, "", ""},
	} {
		res := r.tokens("scope", c.scope, "claims", c.claims)
		for where, got := range map[string]map[string]any{c.info: r.userinfo(res), c.id: claims(t, res.IDToken.Reveal())} {
			var have []string
			for _, claim := range []string{"email", "email_verified", "name", "preferred_username"} {
				if got[claim] != nil {
					have = append(have, claim)
				}
			}
			if strings.Join(have, " ") != where && c.info != c.id {
				t.Errorf("%s: %v, want %q", name, have, where)
			}
			if c.info == c.id && len(have) > 0 {
				t.Errorf("%s: %v", name, have)
			}
		}
		if info, id := r.userinfo(res), claims(t, res.IDToken.Reveal()); info["sub"] != id["sub"] {
			t.Errorf("ID05 %s: userinfo is about %v, the ID token about %v", name, info["sub"], id["sub"])
		}
	}
}

func TestID06ClaimsThatAreNotTheClients(t *testing.T) {
	t.Parallel()
	r := newPaymentsRig(t) // payer has no scope for claims
	res, err := r.redeem(r.code("client_id", "payer", "scope", "openid", "claims", `{"userinfo":{"email":null},"id_token":{"email":null}}`), "client_id", "payer")
	if err != nil {
		t.Fatal(err)
	}
	if info, id := r.userinfo(res), claims(t, res.IDToken.Reveal()); info["email"] != nil || id["email"] != nil {
		t.Errorf("a client without the scope email gets %v and %v", info, id)
	}
	for name, text := range map[string]string{
		"no JSON": `{"userinfo":`, "an array": `[]`, "a text for members": `{"userinfo":"name"}`, "a text for a claim": `{"userinfo":{"name":"x"}}`, "a claim twice": `{"id_token":{"acr":null,"acr":{"essential":true}}}`,
		"too long": `{"userinfo":{"x":{"value":"` + strings.Repeat("x", 5000) + `"}}}`, "deep": `{"userinfo":{"x":` + strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20) + `}}`,
		"acr of another kind": `{"id_token":{"acr":{"essential":"yes"}}}`, "sub of another kind": `{"id_token":{"sub":{"value":1}}}`,
	} {
		if code, why := authorizeError(t, r, "claims", text); code != oauth.InvalidRequest {
			t.Errorf("%s: %q %s", name, code, why)
		}
	}
	if code, _ := authorizeError(t, r, "scope", "catalog.read", "claims", `{"userinfo":{"name":null}}`); code != oauth.InvalidRequest {
		t.Errorf("without openid: %q", code)
	}
}

// Who has agreed to openid has not agreed to show the e-mail address.
func TestID06ClaimsAreConsented(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	step := func(change ...string) oauth.Step {
		t.Helper()
		a, err := r.Authorize(t.Context(), authorizeParams(append([]string{"scope", "openid"}, change...)...))
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Next(t.Context(), a, r.session)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r.tokens("scope", "openid")
	if got := step(); got != oauth.StepApprove {
		t.Fatalf("what was agreed to is step %v", got)
	}
	const ask = `{"id_token":{"email":null}}`
	if got := step("claims", ask); got != oauth.StepConsent {
		t.Errorf("ID06 a claim that was not agreed to is step %v", got)
	}
	a, err := r.Authorize(t.Context(), authorizeParams("scope", "openid", "claims", ask))
	if err != nil {
		t.Fatal(err)
	}
	if v := r.Consent(a); len(v.Scopes) != 2 || v.Scopes[1].Text != "See your e-mail address" {
		t.Errorf("the page shows %+v", v.Scopes)
	}
	r.tokens("scope", "openid", "claims", ask)
	if got := step("claims", ask); got != oauth.StepApprove {
		t.Errorf("once agreed to it is step %v", got)
	}
}

func TestID06SubOfSomebodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ask := func(sub string) string { return `{"id_token":{"sub":{"value":"` + sub + `"}}}` }
	for name, c := range map[string]struct {
		sub, want string
	}{
		"the person who is signed in": {r.user.ID, ""}, "somebody else": {"somebody", oauth.LoginRequired}, "a pairwise subject of nobody": {"p.AAAA", oauth.LoginRequired},
	} {
		a, err := r.Authorize(t.Context(), authorizeParams("claims", ask(c.sub)))
		if err != nil {
			t.Fatal(err)
		}
		step, err := r.Next(t.Context(), a, r.session)
		if c.want == "" && (err != nil || step == oauth.StepLogin) || c.want != "" && step != oauth.StepLogin {
			t.Errorf("%s: step %v, %v", name, step, err)
		}
		a.LoggedIn(r.session.ID) // and now the same person signs in for it
		_, err = r.Next(t.Context(), a, r.session)
		wantRedirect(t, name, err, c.want)
	}
	if code, _ := authorizeError(t, r, "claims", ask("somebody"), "id_token_hint", r.tokens().IDToken.Reveal()); code != oauth.InvalidRequest {
		t.Errorf("a hint and a sub that differ: %q", code)
	}
}

func wantRedirect(t *testing.T, name string, err error, code string) {
	t.Helper()
	var back *oauth.RedirectError
	if code == "" && err != nil || code != "" && (!errors.As(err, &back) || back.Code != code) {
		t.Errorf("%s: %v, want %q", name, err, code)
	}
}

func TestAZ20ClassesOfSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const pwd, mfa = token.ACRPassword, token.ACRMFA
	for name, c := range map[string]struct {
		change []string
		want   string
	}{
		"a class that is reached":                  {[]string{"acr_values", pwd}, ""},
		"one of two":                               {[]string{"acr_values", mfa + " " + pwd}, ""},
		"a class that nobody here knows, a wish":   {[]string{"acr_values", "1 2"}, ""},
		"every class of ours":                      {[]string{"acr_values", token.ACRPhishing}, ""},
		"essential, reached":                       {[]string{"claims", `{"id_token":{"acr":{"essential":true,"values":["` + pwd + `"]}}}`}, ""},
		"essential, any":                           {[]string{"claims", `{"id_token":{"acr":{"essential":true}}}`}, ""},
		"essential, a second factor":               {[]string{"claims", `{"id_token":{"acr":{"essential":true,"values":["` + mfa + `"]}}}`}, ""},
		"essential, unknown by value":              {[]string{"claims", `{"id_token":{"acr":{"essential":true,"value":"urn:mace:incommon:iap:silver"}}}`}, oauth.UnmetAuthentication},
		"essential, unknown":                       {[]string{"claims", `{"id_token":{"acr":{"essential":true,"values":["urn:mace:incommon:iap:silver"]}}}`}, oauth.UnmetAuthentication},
		"essential, unknown and empty":             {[]string{"claims", `{"id_token":{"acr":{"essential":true,"values":[""]}}}`}, oauth.UnmetAuthentication},
		"essential wins over what acr_values says": {[]string{"acr_values", pwd, "claims", `{"id_token":{"acr":{"essential":true,"values":["urn:mace:incommon:iap:silver"]}}}`}, oauth.UnmetAuthentication},
		"voluntary, not reached":                   {[]string{"claims", `{"id_token":{"acr":{"values":["` + mfa + `"]}}}`}, ""},
		"in userinfo it means nothing":             {[]string{"claims", `{"userinfo":{"acr":{"essential":true,"values":["` + mfa + `"]}}}`}, ""},
		"eleven classes":                           {[]string{"acr_values", strings.Repeat("x ", 11)}, oauth.InvalidRequest},
		"a long class":                             {[]string{"acr_values", strings.Repeat("x", 300)}, oauth.InvalidRequest},
	} {
		if code, why := authorizeError(t, r, c.change...); code != c.want {
			t.Errorf("%s: %q %s, want %q", name, code, why, c.want)
		}
	}
}

// Who is signed in with less than is needed proves more; who cannot is an error for
// the client, and never a token that says less (RFC 9470 §5).
func TestAZ20WeakSessionsStepUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, err := r.Authorize(t.Context(), authorizeParams("acr_values", token.ACRMFA))
	if err != nil {
		t.Fatal(err)
	}
	weak, strong := *r.session, *r.session
	strong.ACR = token.ACRPhishing
	if step, err := r.Next(t.Context(), a, &weak); err != nil || step != oauth.StepStronger {
		t.Errorf("a weak session: step %v, %v", step, err)
	}
	silent, err := r.Authorize(t.Context(), authorizeParams("acr_values", token.ACRMFA, "prompt", "none"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Next(t.Context(), silent, &weak)
	wantRedirect(t, "prompt=none", err, oauth.LoginRequired)
	a.LoggedIn(weak.ID)
	if step, err := r.Next(t.Context(), a, &weak); err != nil || step != oauth.StepStronger {
		t.Errorf("signed in for it, weakly: step %v, %v", step, err)
	}
	wantRedirect(t, "gives up", r.Unmet(t.Context(), a), oauth.UnmetAuthentication)
	if step, err := r.Next(t.Context(), a, &strong); err != nil || step == oauth.StepLogin || step == oauth.StepStronger {
		t.Errorf("strong enough: step %v, %v", step, err)
	}
}

func TestAZ19AZ20WhatTheClientIsRegisteredWith(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Clients = append(
			o.Clients,
			oauth.Client{ID: "fresh", Type: oauth.Native, Scope: "openid", RedirectURIs: []string{callback}, Settings: oauth.Settings{DefaultMaxAge: 60}},
			oauth.Client{ID: "strong", Type: oauth.Native, Scope: "openid", RedirectURIs: []string{callback}, Settings: oauth.Settings{DefaultACR: []string{token.ACRMFA}}},
		)
	})
	step := func(change ...string) oauth.Step {
		t.Helper()
		a, err := r.Authorize(t.Context(), authorizeParams(append([]string{"client_id", "fresh", "scope", "openid"}, change...)...))
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Next(t.Context(), a, r.session)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if step() == oauth.StepLogin {
		t.Error("a fresh sign-in is asked again")
	}
	r.clock.advance(61 * time.Second)
	if step() != oauth.StepLogin {
		t.Error("default_max_age is not heeded")
	}
	if step("max_age", "600") == oauth.StepLogin {
		t.Error("max_age of the request does not win")
	}
	if got := step("client_id", "strong"); got != oauth.StepStronger {
		t.Errorf("default_acr_values: step %v", got)
	}
	if got := step("client_id", "strong", "acr_values", token.ACRPassword); got == oauth.StepStronger {
		t.Errorf("acr_values of the request do not win: step %v", got)
	}
}

func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{"userinfo":{"name":null},"id_token":{"acr":{"essential":true,"values":["a"]}}}`, `{"id_token":{"sub":{"value":"x"}}}`, `{}`, `{"userinfo":{"name":{}}}`, `{"userinfo":{"name":[]}}`,
	} {
		f.Add(s)
	}
	var once sync.Once
	var s *oauth.Service
	f.Fuzz(func(t *testing.T, text string) {
		once.Do(func() { s = newRig(t).Service })
		kept, ok := s.ReadClaims(text)
		if ok && kept != "" && !json.Valid([]byte(kept)) {
			t.Errorf("%q leaves %q", text, kept)
		}
	})
}

// A policy of the deployment asks every app's people for a second factor, but lets
// them in where they set one up.
func TestAU06APolicyAsksForASecondFactor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, func(o *oauth.Options) { o.MinACR = token.ACRMFA })
	a, err := r.Authorize(t.Context(), authorizeParams())
	if err != nil {
		t.Fatal(err)
	}
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepStronger {
		t.Errorf("a password: step %v, %v", step, err)
	}
	if step, err := r.Next(t.Context(), r.SignInFor("/account/security", ""), r.session); err != nil || step != oauth.StepApprove {
		t.Errorf("a page of ours: step %v, %v", step, err)
	}
	r.session.ACR = token.ACRMFA
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step == oauth.StepStronger {
		t.Errorf("two factors: step %v, %v", step, err)
	}
}

// A sign-in for one act on a page of ours is asked for whoever is signed in, and
// counts for five minutes.
func TestAU15AU20APurposeIsSignedInForAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.SignInFor("/account/security", "factors")
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepLogin {
		t.Errorf("AU15 a session that was there: step %v, %v", step, err)
	}
	a.LoggedIn(r.session.ID)
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepApprove {
		t.Errorf("signed in for it: step %v, %v", step, err)
	}
	other := *r.session
	other.ID[0]++
	if step, err := r.Next(t.Context(), a, &other); err != nil || step != oauth.StepLogin {
		t.Errorf("AU20 another session: step %v, %v", step, err)
	}
}

// AU14: an API of a higher tier than the sessions of the deployment asks for a
// sign-in of its own limits.
func TestAU14ARiskyAPIAsksForALaterSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Resources = append(o.Resources, oauth.Resource{Name: "vault", Audience: "https://api.example.com/vault", Tier: token.TierHigh, Scopes: []string{"vault.read"}})
		o.Clients = append(o.Clients, oauth.Client{ID: "both", Type: oauth.Native, Scope: "openid catalog.read vault.read", RedirectURIs: []string{callback}})
	})
	for name, c := range map[string]struct {
		scope     string
		idle, age time.Duration
		login     bool
	}{
		"just used":                     {"openid vault.read", 0, time.Hour, false},
		"unused for a quarter":          {"openid vault.read", 15 * time.Minute, time.Hour, true},
		"signed in twelve hours ago":    {"openid vault.read", 0, 12 * time.Hour, true},
		"the same for a lower tier":     {"openid catalog.read", 15 * time.Minute, 12 * time.Hour, false},
		"its own limits, an hour":       {"openid catalog.read", time.Hour, time.Hour, true},
		"its own limits, a day":         {"openid catalog.read", 0, 24 * time.Hour, true},
		"both, and the riskier decides": {"openid catalog.read vault.read", 15 * time.Minute, time.Hour, true},
	} {
		params := authorizeParams("client_id", "both", "scope", c.scope)
		if strings.Contains(c.scope, "catalog.read vault.read") {
			params["resource"] = []string{"https://api.example.com/catalog", "https://api.example.com/vault"}
		}
		a, err := r.Authorize(t.Context(), params)
		if err != nil {
			t.Fatal(name, err)
		}
		session := *r.session
		session.Idle, session.AuthTime = c.idle, r.clock.now().Add(-c.age)
		if own, err := r.Authorize(t.Context(), params); err == nil { // left alone on the next page, after a sign-in for it
			own.LoggedIn(session.ID)
			if step, err := r.Next(t.Context(), own, &session); err != nil || (step == oauth.StepLogin) != c.login {
				t.Errorf("%s, signed in for the request: step %v, %v", name, step, err)
			}
		}
		step, err := r.Next(t.Context(), a, &session)
		if err != nil || (step == oauth.StepLogin) != c.login {
			t.Errorf("%s: step %v, %v", name, step, err)
		}
		session.Idle = 0 // the next page
		if step, err = r.Next(t.Context(), a, &session); err != nil || (step == oauth.StepLogin) != c.login {
			t.Errorf("%s, on the next page: step %v, %v", name, step, err)
		}
	}
}
