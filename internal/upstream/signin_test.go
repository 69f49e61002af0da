package upstream_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/upstream"
)

func TestID09GW12APersonIsIssuerAndSubject(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	who, err := h.signIn()
	if err != nil {
		t.Fatal(err)
	}
	want := upstream.Person{Provider: "corp", Issuer: f.server.URL, Subject: "u-1", Name: "Ada", Email: "ada@example.com", EmailVerified: true, SID: "s-1"}
	if who != want {
		t.Errorf("got %+v, want %+v", who, want)
	}
	if len(f.forms) != 1 || f.forms[0].Get("code") != "c-1" || len(f.forms[0].Get("code_verifier")) != 43 || f.forms[0].Get("redirect_uri") != ours+"/login/callback/corp" ||
		f.basic[0] != "us" || f.forms[0].Has("client_secret") {
		t.Errorf("token request %v as %q", f.forms, f.basic)
	}
	f.claims["email"] = "somebody.else@example.com"
	if changed, err := h.signIn(); err != nil || changed.Issuer != who.Issuer || changed.Subject != who.Subject {
		t.Errorf("with another address: %+v, %v", changed, err)
	}
}

func TestTheRequestIsBoundToItsAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newFake(t))
	_, asked := h.begin(upstream.Start{Locales: "de en"})
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "us", "redirect_uri": ours + "/login/callback/corp", "scope": "openid email profile",
		"code_challenge_method": "S256", "ui_locales": "de en", "prompt": "", "max_age": "",
	} {
		if asked.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, asked.Get(name), want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(asked.Get(name)) != 43 {
			t.Errorf("%s = %q", name, asked.Get(name))
		}
	}
	if _, again := h.begin(upstream.Start{}); again.Get("state") == asked.Get("state") || again.Get("nonce") == asked.Get("nonce") {
		t.Error("state or nonce came twice")
	}
}

// Each changes one thing of an answer that is right otherwise.
func TestAnAnswerOfSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	other, _ := h.begin(upstream.Start{Flow: "flow-1"})
	tests := map[string]func(*upstream.Arrival){
		"state missing":                   func(a *upstream.Arrival) { a.Params.Del("state") },
		"state of another sign-in":        func(a *upstream.Arrival) { a.Params.Set("state", other.Params.Get("state")) },
		"state twice":                     func(a *upstream.Arrival) { a.Params.Add("state", a.Params.Get("state")) },
		"ID08 no cookie: login CSRF":      func(a *upstream.Arrival) { a.Cookie = secret.Value{} },
		"cookie of another sign-in":       func(a *upstream.Arrival) { a.Cookie = other.Cookie },
		"T048 cookies of another browser": func(a *upstream.Arrival) { a.Browser = secret.New("that browser") },
		"no browser":                      func(a *upstream.Arrival) { a.Browser = secret.Value{} },
		"another flow":                    func(a *upstream.Arrival) { a.Flow = "flow-2" },
		"too late":                        func(*upstream.Arrival) { h.at = start.Add(upstream.AwayLife) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() { h.at = start }()
			if _, err := h.signIn(change); !errors.Is(err, upstream.ErrState) {
				t.Errorf("got %v, want ErrState", err)
			}
		})
	}
	t.Run("CL29 the answer of another provider", func(t *testing.T) {
		a, _ := h.begin(upstream.Start{})
		if _, _, err := h.Finish(t.Context(), "other", a); !errors.Is(err, upstream.ErrState) || upstream.ReasonOf(err) != "state_provider" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("replayed", func(t *testing.T) {
		a, _ := h.begin(upstream.Start{})
		if _, _, err := h.Finish(t.Context(), "corp", a); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Finish(t.Context(), "corp", a); upstream.ReasonOf(err) != "state_replayed" {
			t.Errorf("got %v", err)
		}
	})
	if n := len(f.forms); n != 1 {
		t.Errorf("%d codes were redeemed, want 1", n)
	}
}

func TestTheIssuerOfAnAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.metadata["authorization_response_iss_parameter_supported"] = true
	h := newHouse(t, f)
	iss := func(values ...string) func(*upstream.Arrival) {
		return func(a *upstream.Arrival) { a.Params["iss"] = values }
	}
	if _, err := h.signIn(iss(f.server.URL)); err != nil {
		t.Errorf("the right iss: %v", err)
	}
	for name, values := range map[string][]string{"missing": nil, "another": {"https://evil.example"}, "with a slash": {f.server.URL + "/"}, "twice": {f.server.URL, f.server.URL}} {
		if _, err := h.signIn(iss(values...)); !errors.Is(err, upstream.ErrRefused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestErrorsOfAProvider(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newFake(t))
	for code, want := range map[string]error{
		"access_denied": upstream.ErrCancelled, "temporarily_unavailable": upstream.ErrUnavailable, "invalid_scope": upstream.ErrRefused, "<script>": upstream.ErrRefused,
	} {
		_, err := h.signIn(func(a *upstream.Arrival) { a.Params.Del("code"); a.Params.Set("error", code) })
		if !errors.Is(err, want) || strings.Contains(err.Error(), "script") {
			t.Errorf("%s: got %v, want %v", code, err, want)
		}
	}
}

// ID03: each claim wrong or missing, beside the token that is right.
func TestID03IDTokensThatAreNotForUs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	now := start.Unix()
	tests := map[string]struct {
		claims map[string]any
		reason string
	}{
		"iss of another":            {map[string]any{"iss": "https://evil.example"}, "id_token_claim_iss"},
		"iss with a slash":          {map[string]any{"iss": f.server.URL + "/"}, "id_token_claim_iss"},
		"iss missing":               {map[string]any{"iss": nil}, "id_token_claim_iss"},
		"T048 aud of another app":   {map[string]any{"aud": "them"}, "id_token_claim_aud"},
		"T050 aud has one more":     {map[string]any{"aud": []string{"us", "them"}}, "id_token_claim_aud"},
		"aud missing":               {map[string]any{"aud": nil}, "id_token_claim_aud"},
		"azp of another app":        {map[string]any{"azp": "them"}, "id_token_claims"},
		"azp is no string":          {map[string]any{"azp": 1}, "id_token_claims"},
		"exp past":                  {map[string]any{"exp": now - 120, "iat": now - 300}, "id_token_expired"},
		"exp missing":               {map[string]any{"exp": nil}, "id_token_claim_exp"},
		"iat in the future":         {map[string]any{"iat": now + 120}, "id_token_claim_iat"},
		"iat missing":               {map[string]any{"iat": nil}, "id_token_claim_iat"},
		"iat long ago":              {map[string]any{"iat": now - 3600}, "id_token_claim_age"},
		"nonce of another sign-in":  {map[string]any{"nonce": "another"}, "id_token_nonce"},
		"nonce missing":             {map[string]any{"nonce": nil}, "id_token_nonce"},
		"sub missing":               {map[string]any{"sub": nil}, "id_token_sub"},
		"sub is a number":           {map[string]any{"sub": 7}, "id_token_claim_sub"},
		"sub too long":              {map[string]any{"sub": strings.Repeat("x", 256)}, "id_token_sub"},
		"ID04 at_hash of another":   {map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "id_token_at_hash"},
		"ID04 at_hash is no string": {map[string]any{"at_hash": 1}, "id_token_at_hash"},
		"sid is no string":          {map[string]any{"sid": 1}, "id_token_sid"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f.claims = test.claims
			if _, err := h.signIn(); !errors.Is(err, upstream.ErrRefused) || upstream.ReasonOf(err) != test.reason {
				t.Errorf("got %v, want %s", err, test.reason)
			}
		})
	}
	for name, claims := range map[string]map[string]any{"as it is": {}, "azp is us": {"azp": "us"}, "no at_hash": {"at_hash": nil}, "aud is a list": {"aud": []string{"us"}}} {
		if f.claims = claims; true {
			if _, err := h.signIn(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestID03IDTokensThatTheProviderHasNotSigned(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	stranger, _ := newKey(t, "k1")
	public, _ := f.key.PublicKey.Bytes()
	tests := map[string]func(map[string]any) string{
		"alg none":                   func(c map[string]any) string { return join(segment(map[string]any{"alg": "none"}), segment(c), "") },
		"HS256 with the public key":  func(c map[string]any) string { return hs256(public, c) },
		"HS256 with our secret":      func(c map[string]any) string { return hs256([]byte("a secret of ours"), c) },
		"the key of a stranger":      func(c map[string]any) string { b, _ := json.Marshal(c); s, _ := stranger.Sign("JWT", b); return s },
		"T046 an access token's typ": func(c map[string]any) string { return f.sign("at+jwt", c) },
		"a logout token":             func(c map[string]any) string { return f.sign("logout+jwt", c) },
		"no token at all":            func(map[string]any) string { return "x" },
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			f.idToken = make
			if _, err := h.signIn(); !errors.Is(err, upstream.ErrRefused) {
				t.Errorf("got %v", err)
			}
		})
	}
	f.idToken, f.answer = nil, map[string]any{"id_token": nil}
	if _, err := h.signIn(); upstream.ReasonOf(err) != "token_form" {
		t.Errorf("T046 an access token alone: %v", err)
	}
}

func hs256(key []byte, claims map[string]any) string {
	input := join(segment(map[string]any{"alg": "HS256", "kid": "k1"}), segment(claims))
	m := hmac.New(sha256.New, key)
	m.Write([]byte(input))
	return join(input, base64.RawURLEncoding.EncodeToString(m.Sum(nil)))
}

func TestGW12WhetherAnAddressIsTheirs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	tests := map[string]struct {
		claims   map[string]any
		email    string
		verified bool
	}{
		"true":                         {map[string]any{}, "ada@example.com", true},
		"false":                        {map[string]any{"email_verified": false}, "ada@example.com", false},
		`the string "false"`:           {map[string]any{"email_verified": "false"}, "ada@example.com", false},
		`the string "true"`:            {map[string]any{"email_verified": "true"}, "ada@example.com", false},
		"one":                          {map[string]any{"email_verified": 1}, "ada@example.com", false},
		"unsaid":                       {map[string]any{"email_verified": nil}, "ada@example.com", false},
		"of a domain that it owns not": {map[string]any{"email": "ada@example.org"}, "ada@example.org", false},
		"of a domain below":            {map[string]any{"email": "ada@evil.example.com"}, "ada@evil.example.com", false},
		"a@x@y":                        {map[string]any{"email": "a@evil.example@example.com"}, "", false},
		"two in one":                   {map[string]any{"email": "ada@example.com,x@example.com"}, "", false},
		"quoted":                       {map[string]any{"email": `"a@b"@example.com`}, "", false},
		"no string":                    {map[string]any{"email": []string{"ada@example.com"}}, "", false},
		"domain in capitals":           {map[string]any{"email": "ada@EXAMPLE.com"}, "ada@EXAMPLE.com", true},
	}
	f.userinfo = map[string]any{"sub": "u-1"}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f.claims = test.claims
			who, err := h.signIn()
			if err != nil || who.Email != test.email || who.EmailVerified != test.verified {
				t.Errorf("got %q, %v, %v", who.Email, who.EmailVerified, err)
			}
		})
	}
}

func TestUserinfoIsOfTheSamePerson(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	f.claims = map[string]any{"email": nil, "email_verified": nil}
	f.userinfo = map[string]any{"sub": "u-1", "email": "ada@example.com", "email_verified": true, "preferred_username": "ada"}
	if who, err := h.signIn(); err != nil || !who.EmailVerified || who.Login != "ada" {
		t.Errorf("got %+v, %v", who, err)
	}
	for name, sub := range map[string]any{"another": "u-2", "missing": nil, "a number": 1} {
		f.userinfo["sub"] = sub
		if _, err := h.signIn(); upstream.ReasonOf(err) != "userinfo_sub" {
			t.Errorf("sub %s: %v", name, err)
		}
	}
}

func TestMD03MetadataOfAnotherIssuerIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(f *fake){
		"another host":   func(f *fake) { f.metadata["issuer"] = "https://evil.example" },
		"a slash more":   func(f *fake) { f.metadata["issuer"] = f.server.URL + "/" },
		"in capitals":    func(f *fake) { f.metadata["issuer"] = strings.ToUpper(f.server.URL) },
		"https for http": func(f *fake) { f.metadata["issuer"] = strings.Replace(f.server.URL, "http:", "https:", 1) },
		"missing":        func(f *fake) { f.metadata["issuer"] = "" },
		"no string":      func(f *fake) { f.metadata["issuer"] = 1 },
		"a private jwks": func(f *fake) { f.metadata["jwks_uri"] = "http://169.254.169.254/jwks" },
		"a plain token":  func(f *fake) { f.metadata["token_endpoint"] = "http://example.com/token" },
		"only HS256":     func(f *fake) { f.metadata["id_token_signing_alg_values_supported"] = []string{"HS256", "none"} },
		"a script":       func(f *fake) { f.metadata["authorization_endpoint"] = "javascript:alert(1)" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			change(f)
			if _, err := newHouse(t, f).Begin(t.Context(), "corp", upstream.Start{Browser: browser}); !errors.Is(err, upstream.ErrRefused) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestANewSignInThereIsNew(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	for name, test := range map[string]struct {
		authTime any
		good     bool
	}{"now": {start.Unix(), true}, "an hour ago": {start.Unix() - 3600, false}, "unsaid": {nil, false}, "in the future": {start.Unix() + 600, false}, "no number": {"now", false}} {
		f.claims = map[string]any{"auth_time": test.authTime}
		a, asked := h.begin(upstream.Start{Fresh: true})
		if asked.Get("prompt") != "login" || asked.Get("max_age") != "0" {
			t.Errorf("asked %v", asked)
		}
		if _, errand, err := h.Finish(t.Context(), "corp", a); (err == nil) != test.good || !errand.Fresh {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTwoFactorsThereCountIfTheyAreBelieved(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f, func(o *upstream.Options) { o.MultiFactor = []string{"mfa", "urn:corp:high"} })
	for name, test := range map[string]struct {
		claims map[string]any
		want   bool
	}{
		"nothing": {map[string]any{}, false}, "amr": {map[string]any{"amr": []string{"pwd", "mfa"}}, true}, "amr pwd": {map[string]any{"amr": []string{"pwd"}}, false},
		"acr": {map[string]any{"acr": "urn:corp:high"}, true}, "amr is a string": {map[string]any{"amr": "mfa"}, false},
	} {
		f.claims = test.claims
		if who, err := h.signIn(); err != nil || who.MultiFactor != test.want {
			t.Errorf("%s: %v, %v", name, who.MultiFactor, err)
		}
	}
	f.claims = map[string]any{"amr": []string{"mfa"}}
	if who, err := newHouse(t, f).signIn(); err != nil || who.MultiFactor {
		t.Errorf("believed without being told to: %v, %v", who.MultiFactor, err)
	}
}

func TestWeProveWhoWeAre(t *testing.T) {
	t.Parallel()
	t.Run("by a key", func(t *testing.T) {
		f := newFake(t)
		key, _ := newKey(t, "ours")
		h := newHouse(t, f, func(o *upstream.Options) { o.Secret, o.Key = secret.Value{}, key })
		if _, err := h.signIn(); err != nil {
			t.Fatal(err)
		}
		claims := payload(t, f.forms[0].Get("client_assertion"))
		if claims["aud"] != f.server.URL || claims["iss"] != "us" || claims["sub"] != "us" || claims["jti"] == "" || f.basic[0] != "" {
			t.Errorf("assertion %v", claims)
		}
	})
	t.Run("by a secret in the body where only that is spoken", func(t *testing.T) {
		f := newFake(t)
		f.metadata["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		if _, err := newHouse(t, f).signIn(); err != nil || f.forms[0].Get("client_secret") != "a secret of ours" || f.basic[0] != "" {
			t.Errorf("%v, %v", err, f.forms)
		}
	})
	t.Run("to Apple by a secret that is a JWT", func(t *testing.T) {
		f := newFake(t)
		f.claims = map[string]any{"email_verified": "true"}
		key, _ := newKey(t, "KEY1234567")
		h := newHouse(t, f, func(o *upstream.Options) {
			o.Kind, o.Secret, o.Key, o.TeamID = upstream.Apple, secret.Value{}, key, "TEAM123456"
		})
		_, asked := h.begin(upstream.Start{})
		if asked.Get("response_mode") != "form_post" || asked.Get("scope") != "openid email name" {
			t.Errorf("asked %v", asked)
		}
		who, err := h.signIn()
		if err != nil || !who.EmailVerified {
			t.Fatalf("%+v, %v", who, err)
		}
		made := f.forms[0].Get("client_secret")
		claims := payload(t, made)
		header, _ := base64.RawURLEncoding.DecodeString(strings.Split(made, ".")[0])
		if claims["iss"] != "TEAM123456" || claims["sub"] != "us" || claims["aud"] != f.server.URL || !strings.Contains(string(header), `"kid":"KEY1234567"`) {
			t.Errorf("secret %s %v", header, claims)
		}
	})
}

func payload(t *testing.T, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", jwt)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err == nil {
		err = json.Unmarshal(b, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestTheRequestIsPushedWhereThatIsSpoken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.metadata["pushed_authorization_request_endpoint"] = f.server.URL + "/par"
	h := newHouse(t, f)
	d, err := h.Begin(t.Context(), "corp", upstream.Start{Browser: browser})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(d.Location)
	if err != nil || u.RawQuery != "client_id=us&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A1" {
		t.Errorf("%s, %v", d.Location, err)
	}
	if f.forms[0].Get("state") == "" || f.forms[0].Get("nonce") == "" || f.forms[0].Get("client_id") != "us" {
		t.Errorf("pushed %v", f.forms[0])
	}
}

func TestMicrosoftTenants(t *testing.T) {
	t.Parallel()
	const good, bad = "72f988bf-86f1-41af-91ab-2d7cd011db47", "9188040d-6c67-4c5b-b112-36a304b66dad"
	f := newFake(t)
	f.metadata["issuer"] = f.server.URL + "/{tenantid}/v2.0"
	h := newHouse(t, f, func(o *upstream.Options) {
		o.Kind, o.Issuer, o.Tenants = upstream.Microsoft, f.server.URL+"/common/v2.0", []string{good}
	})
	set := func(iss, tid string) {
		f.claims = map[string]any{"iss": f.server.URL + "/" + iss + "/v2.0", "tid": tid, "email_verified": true}
	}
	set(good, good)
	who, err := h.signIn()
	if err != nil || who.Issuer != f.server.URL+"/"+good+"/v2.0" {
		t.Fatalf("%+v, %v", who, err)
	}
	if who.EmailVerified {
		t.Error("an address counts that any tenant can write into its directory")
	}
	f.claims["xms_edov"] = true
	if who, err := h.signIn(); err != nil || !who.EmailVerified {
		t.Errorf("xms_edov: %+v, %v", who, err)
	}
	for name, ids := range map[string][2]string{"another tenant": {bad, bad}, "tid of another": {bad, good}, "iss of another": {good, bad}, "the template": {"{tenantid}", "{tenantid}"}, "common": {"common", "common"}} {
		set(ids[0], ids[1])
		if _, err := h.signIn(); !errors.Is(err, upstream.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f, func(o *upstream.Options) { o.Kind = upstream.GitHub })
	f.userinfo = map[string]any{"id": 583231, "login": "octocat", "name": "The Octocat", "type": "User", "email": "spoofed@example.com", "site_admin": false}
	f.emails = []any{
		map[string]any{"email": "old@example.com", "primary": false, "verified": true, "visibility": nil},
		map[string]any{"email": "octocat@example.com", "primary": true, "verified": true, "visibility": "private"},
	}
	who, err := h.signIn()
	want := upstream.Person{Provider: "corp", Issuer: f.server.URL, Subject: "583231", Name: "The Octocat", Login: "octocat", Email: "octocat@example.com", EmailVerified: true}
	if err != nil || who != want {
		t.Fatalf("got %+v, %v, want %+v", who, err, want)
	}
	if f.forms[0].Get("client_secret") == "" || f.forms[0].Get("code_verifier") == "" {
		t.Errorf("token request %v", f.forms[0])
	}
	f.emails = []any{map[string]any{"email": "octocat@example.com", "primary": true, "verified": false}}
	if who, err := h.signIn(); err != nil || who.EmailVerified {
		t.Errorf("unverified: %+v, %v", who, err)
	}
	for name, user := range map[string]map[string]any{
		"no id": {"login": "x"}, "id is a string": {"id": "1", "login": "x"}, "id 0": {"id": 0, "login": "x"}, "an organisation": {"id": 1, "login": "x", "type": "Organization"},
	} {
		f.userinfo = user
		if _, err := h.signIn(); !errors.Is(err, upstream.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.answer = map[string]any{"access_token": nil, "error": "bad_verification_code"}
	if _, err := h.signIn(); upstream.ReasonOf(err) != "token_bad_verification_code" {
		t.Errorf("an error with status 200: %v", err)
	}
}

func TestAProviderThatIsAwayIsNoVerdict(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	if _, err := h.signIn(); err != nil {
		t.Fatal(err)
	}
	f.server.Close()
	h.at = start.Add(2 * time.Hour)
	if _, err := h.Begin(t.Context(), "corp", upstream.Start{Browser: browser}); err != nil {
		t.Errorf("what is known of it no longer counts: %v", err)
	}
	h.at = start.Add(25 * time.Hour)
	if _, err := h.Begin(t.Context(), "corp", upstream.Start{Browser: browser}); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("after a day: %v", err)
	}
}
