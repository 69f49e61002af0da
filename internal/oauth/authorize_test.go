package oauth_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

func TestAZ01RedirectURIComparedByExactString(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, bad := range []string{
		callback + "/", callback + "?x=1", callback + "#f", callback + "#", "https://APP.example.com/cb", "https://app.example.com/CB",
		"https://app.example.com/%63b", "https://app.example.com/x/../cb", "https://app.example.com/./cb", "https://app.example.com//cb",
		"https://app.example.com@evil.example/cb", "https://evil.example/cb", "https://x.app.example.com/cb", "https://app.example.com:443/cb",
		"http://app.example.com/cb", "https://app.example.com\\@evil.example/cb", "https:/app.example.com/cb", "https://app.example.com/cb\t",
		" " + callback, "https://аpp.example.com/cb", "javascript:alert(1)", "//app.example.com/cb", "com.example.shop:/cb/", "com.example.shop://cb",
		strings.Repeat("a", 5000),
	} {
		_, err := r.Authorize(t.Context(), authorizeParams("redirect_uri", bad))
		var page *oauth.PageError
		if !errors.As(err, &page) {
			t.Errorf("AZ03: redirect_uri %q: %v, want a page and no redirect", bad, err)
		}
	}
	for _, good := range []string{callback, "com.example.shop:/cb"} {
		if _, err := r.Authorize(t.Context(), authorizeParams("redirect_uri", good)); err != nil {
			t.Errorf("redirect_uri %q: %v", good, err)
		}
	}
}

func TestAZ02OnlyTheLoopbackPortMayVary(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for uri, ok := range map[string]bool{
		"http://127.0.0.1/cb": true, "http://127.0.0.1:1/cb": true, "http://127.0.0.1:65535/cb": true, "http://[::1]:4711/cb": true, "http://[::1]/cb": true,
		"http://localhost:4711/cb": false, "http://127.0.0.2:4711/cb": false, "http://0.0.0.0:4711/cb": false, "http://127.0.0.1:4711/other": false,
		"https://127.0.0.1:4711/cb": false, "http://127.0.0.1:/cb": false, "http://127.0.0.1:123456/cb": false, "http://127.0.0.1:80@evil.example/cb": false,
		"http://127.0.0.1:80.evil.example/cb": false, "http://127.0.0.1.evil.example/cb": false, "http://127.0.0.1evil/cb": false, "http://127.0.0.1:80/cb#": false,
		"https://app.example.com:8443/cb": false,
	} {
		_, err := r.Authorize(t.Context(), authorizeParams("redirect_uri", uri))
		if (err == nil) != ok {
			t.Errorf("redirect_uri %q: error %v, want accepted=%v", uri, err, ok)
		}
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, c := range map[string]struct {
		change []string
		code   string
	}{
		"AZ04 token":                      {[]string{"response_type", "token"}, "unsupported_response_type"},
		"AZ04 code token":                 {[]string{"response_type", "code token"}, "unsupported_response_type"},
		"AZ04 none":                       {[]string{"response_type", "none"}, "unsupported_response_type"},
		"AZ04 missing":                    {[]string{"response_type", ""}, "invalid_request"},
		"AZ05 no challenge":               {[]string{"code_challenge", ""}, "invalid_request"},
		"AZ05 plain":                      {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"AZ05 method missing":             {[]string{"code_challenge_method", ""}, "invalid_request"},
		"AZ05 method in lower case":       {[]string{"code_challenge_method", "s256"}, "invalid_request"},
		"AZ05 challenge of 42":            {[]string{"code_challenge", strings.Repeat("A", 42)}, "invalid_request"},
		"AZ05 challenge of 44":            {[]string{"code_challenge", strings.Repeat("A", 44)}, "invalid_request"},
		"AZ05 challenge not base64url":    {[]string{"code_challenge", strings.Repeat("A", 42) + "+"}, "invalid_request"},
		"AZ05 challenge not canonical":    {[]string{"code_challenge", strings.Repeat("A", 42) + "B"}, "invalid_request"},
		"AZ19 none and login":             {[]string{"prompt", "none login"}, "invalid_request"},
		"AZ19 unknown prompt":             {[]string{"prompt", "maybe"}, "invalid_request"},
		"AZ19 negative max_age":           {[]string{"max_age", "-1"}, "invalid_request"},
		"AZ19 huge max_age":               {[]string{"max_age", "99999999999999999999"}, "invalid_request"},
		"AZ20 acr that cannot be reached": {[]string{"claims", `{"id_token":{"acr":{"essential":true,"value":"silver"}}}`}, "unmet_authentication_requirements"},
		"AZ21 scope of nobody":            {[]string{"scope", "openid root"}, "invalid_scope"},
		"AZ21 no scope":                   {[]string{"scope", ""}, "invalid_scope"},
		"AZ21 newline in scope":           {[]string{"scope", "openid\ncatalog.read"}, "invalid_scope"},
		"AZ21 10,000 scopes":              {[]string{"scope", strings.Repeat("a ", 9999) + "a"}, "invalid_scope"},
		"request object":                  {[]string{"request", "x"}, "invalid_request_object"},
		"request object by reference":     {[]string{"request_uri", "https://x"}, "request_uri_not_supported"},
		"registration":                    {[]string{"registration", "{}"}, "registration_not_supported"},
		"response_mode fragment":          {[]string{"response_mode", "fragment"}, "invalid_request"},
		"state too long":                  {[]string{"state", strings.Repeat("s", 5000)}, "invalid_request"},
		"nonce too long":                  {[]string{"nonce", strings.Repeat("s", 5000)}, "invalid_request"},
		"login_hint not UTF-8":            {[]string{"login_hint", "\xff"}, "invalid_request"},
	} {
		_, err := r.Authorize(t.Context(), authorizeParams(c.change...))
		var back *oauth.RedirectError
		if !errors.As(err, &back) || back.Code != c.code {
			t.Errorf("%s: %v, want %s sent to the client", name, err, c.code)
			continue
		}
		q := query(t, back.Outcome.Location)
		if !strings.HasPrefix(back.Outcome.Location, callback+"?") || q.Get("error") != c.code {
			t.Errorf("%s: Location %q", name, back.Outcome.Location)
		}
		if q.Get("iss") != issuer {
			t.Errorf("AZ10: %s: iss = %q", name, q.Get("iss"))
		}
		if want := authorizeParams(c.change...).Get("state"); q.Get("state") != want && len(want) < 4096 {
			t.Errorf("AZ14: %s: state = %q", name, q.Get("state"))
		}
	}
}

func TestAZ07RepeatedParametersAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name := range authorizeParams("prompt", "login", "max_age", "5") {
		p := authorizeParams("prompt", "login", "max_age", "5")
		p.Add(name, p.Get(name))
		_, err := r.Authorize(t.Context(), p)
		var page *oauth.PageError
		var back *oauth.RedirectError
		switch {
		case name == "client_id" || name == "redirect_uri":
			if !errors.As(err, &page) {
				t.Errorf("two %s: %v, want a page", name, err)
			}
		case !errors.As(err, &back) || back.Code != "invalid_request":
			t.Errorf("two %s: %v, want invalid_request", name, err)
		}
	}
	p := authorizeParams("foo", "1")
	p.Add("foo", "2")
	if _, err := r.Authorize(t.Context(), p); err != nil {
		t.Errorf("an unknown parameter counts: %v", err)
	}
}

func TestAZ03UnknownClientsGetAPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, id := range []string{"", "nobody", strings.Repeat("x", 10_000), "job", "app\x00"} {
		_, err := r.Authorize(t.Context(), authorizeParams("client_id", id))
		var page *oauth.PageError
		if !errors.As(err, &page) {
			t.Errorf("client_id %.20q: %v, want a page", id, err)
		}
	}
}

func TestAZ14StateSurvives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, state := range []string{strings.Repeat("é", 1000), `"><script>alert(1)</script>`, "a b+c&d=e#f", "\r\nX: y"} {
		a, err := r.Authorize(t.Context(), authorizeParams("state", state))
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := r.Approve(t.Context(), a, r.session)
		if err != nil {
			t.Fatal(err)
		}
		if got := query(t, outcome.Location).Get("state"); got != state {
			t.Errorf("state came back as %q, want %q", got, state)
		}
		if strings.ContainsAny(outcome.Location, "\r\n<> ") {
			t.Errorf("Location %q holds raw text of the request", outcome.Location)
		}
	}
}

func TestAZ06CodeTellsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	code := r.code()
	raw, err := secret.Decode(secret.AuthCode, code)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{challenge(verifier), "app", r.user.ID, callback, "catalog.read"} {
		if strings.Contains(code, hidden) || strings.Contains(string(raw), hidden) {
			t.Errorf("the code shows %q", hidden)
		}
	}
}

func TestPendingSignInTravelsSealed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, err := r.Authorize(t.Context(), authorizeParams("prompt", "login"))
	if err != nil {
		t.Fatal(err)
	}
	flow, err := r.SealAuthorization(a)
	if err != nil {
		t.Fatal(err)
	}
	back, err := r.OpenAuthorization(t.Context(), flow.Reveal())
	if err != nil || back.State != "st" || back.ClientID != "app" {
		t.Fatalf("OpenAuthorization = %+v, %v", back, err)
	}
	var page *oauth.PageError
	for _, bad := range []string{"", "spfl_x", flow.Reveal() + "A", r.code()} {
		if _, err := r.OpenAuthorization(t.Context(), bad); !errors.As(err, &page) {
			t.Errorf("flow %.20q: %v, want a page", bad, err)
		}
	}
	r.clock.advance(31 * time.Minute)
	if _, err := r.OpenAuthorization(t.Context(), flow.Reveal()); !errors.As(err, &page) {
		t.Errorf("AZ24: an old sign-in still counts: %v", err)
	}
}

func TestAZ19PromptAndMaxAge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	agree := func(change ...string) { r.code(append([]string{"client_id", "web"}, change...)...) }
	agree()
	for name, c := range map[string]struct {
		change  []string
		nobody  bool
		age     time.Duration
		step    oauth.Step
		failure string
	}{
		"agreed before":              {step: oauth.StepApprove},
		"nobody signed in":           {nobody: true, step: oauth.StepLogin},
		"none, agreed before":        {change: []string{"prompt", "none"}, step: oauth.StepApprove},
		"none, nobody":               {change: []string{"prompt", "none"}, nobody: true, failure: "login_required"},
		"none, new scope":            {change: []string{"prompt", "none", "scope", "openid catalog.write"}, failure: "consent_required"},
		"new scope":                  {change: []string{"scope", "openid catalog.write"}, step: oauth.StepConsent},
		"login":                      {change: []string{"prompt", "login"}, step: oauth.StepLogin},
		"consent":                    {change: []string{"prompt", "consent"}, step: oauth.StepConsent},
		"max_age reached":            {change: []string{"max_age", "60"}, age: 61 * time.Second, step: oauth.StepLogin},
		"max_age not reached":        {change: []string{"max_age", "60"}, age: 59 * time.Second, step: oauth.StepApprove},
		"max_age 0":                  {change: []string{"max_age", "0"}, age: time.Second, step: oauth.StepLogin},
		"none, max_age reached":      {change: []string{"max_age", "60", "prompt", "none"}, age: 61 * time.Second, failure: "login_required"},
		"AZ16 native, agreed before": {change: []string{"client_id", "app", "redirect_uri", "com.example.shop:/cb"}, step: oauth.StepConsent},
		"AZ16 native, claimed https": {change: []string{"client_id", "app", "prompt", "none"}, failure: "consent_required"},
	} {
		a, err := r.Authorize(t.Context(), authorizeParams(append([]string{"client_id", "web"}, c.change...)...))
		if err != nil {
			t.Fatal(name, err)
		}
		var session *oauth.Session
		if !c.nobody {
			older := *r.session
			older.AuthTime = r.clock.now().Add(-c.age)
			session = &older
		}
		step, err := r.Next(t.Context(), a, session)
		var back *oauth.RedirectError
		if c.failure != "" {
			if !errors.As(err, &back) || back.Code != c.failure {
				t.Errorf("%s: %v, want %s", name, err, c.failure)
			}
			continue
		}
		if err != nil || step != c.step {
			t.Errorf("%s: step %d, %v; want %d", name, step, err, c.step)
		}
	}
	a, err := r.Authorize(t.Context(), authorizeParams("client_id", "web", "prompt", "login"))
	if err != nil {
		t.Fatal(err)
	}
	a.LoggedIn(r.session.ID)
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepApprove {
		t.Errorf("prompt=login after the sign-in that it asked for: %d, %v", step, err)
	}
	foreign := *r.session
	foreign.ID = secret.NewID(r.clock.now())
	if step, err := r.Next(t.Context(), a, &foreign); err != nil || step != oauth.StepLogin {
		t.Errorf("prompt=login satisfied by another session: %d, %v", step, err)
	}
}

func TestAZ17ConsentSaysWhatIsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, err := r.Authorize(t.Context(), authorizeParams("scope", "openid catalog.read pay", "redirect_uri", "com.example.shop:/cb"))
	if err != nil {
		t.Fatal(err)
	}
	v := r.Consent(a)
	if v.ClientName != "Shop" || v.Verified || v.RedirectHost != "com.example.shop" || v.AccessFor != 5*time.Minute || v.RefreshFor != 12*time.Hour {
		t.Errorf("Consent = %+v", v)
	}
	if len(v.Scopes) != 3 || v.Scopes[1].Text != "Look at the catalog" || v.Scopes[1].API != "catalog" || v.Scopes[2].Text == "" {
		t.Errorf("Scopes = %+v", v.Scopes)
	}
}

func TestDenyTellsTheClient(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, err := r.Authorize(t.Context(), authorizeParams())
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := r.Deny(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"error": {"access_denied"}, "error_description": {"the person refused"}, "iss": {issuer}, "state": {"st"}}
	if got := query(t, outcome.Location); got.Encode() != want.Encode() {
		t.Errorf("Location %q", outcome.Location)
	}
}

func TestIDTokenHintMeansOnePerson(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res, err := r.redeem(r.code("client_id", "web"), "client_id", "web", "client_secret", r.secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	hint := res.IDToken.Reveal()
	other := *r.session
	other.ID, other.UserID = secret.NewID(r.clock.now()), "somebody"
	a, err := r.Authorize(t.Context(), authorizeParams("client_id", "web", "id_token_hint", hint))
	if err != nil {
		t.Fatal(err)
	}
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepApprove {
		t.Errorf("the person herself: step %d, %v", step, err)
	}
	if step, err := r.Next(t.Context(), a, &other); err != nil || step != oauth.StepLogin {
		t.Errorf("somebody else is signed in: step %d, %v; want a sign-in", step, err)
	}
	a.LoggedIn(other.ID)
	var back *oauth.RedirectError
	if _, err := r.Next(t.Context(), a, &other); !errors.As(err, &back) || back.Code != "login_required" {
		t.Errorf("somebody else has signed in for it: %v, want login_required", err)
	}
	if a, err = r.Authorize(t.Context(), authorizeParams("client_id", "web", "id_token_hint", hint, "prompt", "none")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context(), a, &other); !errors.As(err, &back) || back.Code != "login_required" {
		t.Errorf("prompt=none for somebody else: %v, want login_required", err)
	}
	for _, bad := range []string{"junk", hint[:len(hint)-4] + "AAAA", res.AccessToken.Reveal()} {
		if _, err := r.Authorize(t.Context(), authorizeParams("id_token_hint", bad)); !errors.As(err, &back) || back.Code != "invalid_request" {
			t.Errorf("hint %.10q: %v, want invalid_request", bad, err)
		}
	}
}

// A sign-in satisfies the request that asked for it, not one that waits.
func TestAZ19SignInDoesNotCountForLong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.code("client_id", "web")
	a, err := r.Authorize(t.Context(), authorizeParams("client_id", "web", "max_age", "0"))
	if err != nil {
		t.Fatal(err)
	}
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepLogin {
		t.Errorf("max_age=0 in the second of a sign-in: step %d, %v; want a new one", step, err)
	}
	a.LoggedIn(r.session.ID)
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepApprove {
		t.Errorf("after the sign-in: step %d, %v", step, err)
	}
	r.clock.advance(5 * time.Minute)
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepLogin {
		t.Errorf("five minutes later: step %d, %v; want a sign-in", step, err)
	}
}

// However often one request is approved, it leads to one grant.
func TestAZ23OneRequestOneGrant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, err := r.Authorize(t.Context(), authorizeParams())
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for range 2 {
		outcome, err := r.Approve(t.Context(), a, r.session)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, query(t, outcome.Location).Get("code"))
	}
	res, err := r.redeem(codes[0])
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.redeem(codes[1])
	wantCode(t, err, "invalid_grant")
	if r.active(res.AccessToken) {
		t.Error("a second code of the same request is no replay")
	}
}

func TestRequestsThatFitIntoNoAddressAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for state, ok := range map[string]bool{strings.Repeat("<", 4000): true, strings.Repeat("\x01", 4000): false} {
		a, err := r.Authorize(t.Context(), authorizeParams("state", state))
		if (err == nil) != ok {
			t.Fatalf("state of %d %.3q: %v", len(state), state, err)
		}
		if !ok {
			continue
		}
		flow, err := r.SealAuthorization(a)
		if err != nil || len(flow.Reveal()) > secret.MaxHandle {
			t.Fatalf("handle of %d bytes, %v", len(flow.Reveal()), err)
		}
		if _, err := r.OpenAuthorization(t.Context(), flow.Reveal()); err != nil {
			t.Errorf("the handle does not open: %v", err)
		}
	}
}
