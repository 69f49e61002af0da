package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// registering is a node that lets anybody register, with changes.
func (r *rig) registering(changes ...func(*oauth.Options)) *oauth.Service {
	return r.node(r.feed, append([]func(*oauth.Options){func(o *oauth.Options) {
		o.Registration = oauth.RegistrationPolicy{Policy: oauth.RegisterOpen, Scope: "openid profile catalog.read", UnusedLife: 24 * time.Hour}
		o.MayFetch = func(string) error { return nil }
		o.Replay = token.NewReplayTable(0, r.clock.now) // private_key_jwt needs it
		o.Fetch = func(context.Context, string) ([]byte, error) { return nil, errors.New("nobody there") }
	}}, changes...)...)
}

const webMetadata = `{"client_name":"Shop","redirect_uris":["https://shop.example.com/cb"],"scope":"openid catalog.read"}`

func bearing(token string) oauth.Request {
	if token == "" {
		return oauth.Request{}
	}
	return oauth.Request{Authorization: []string{"Bearer " + token}}
}

// registered is the answer as the client reads it.
func registered(t *testing.T, s *oauth.Service, body string) map[string]any {
	t.Helper()
	return answered(t)(s.Register(t.Context(), oauth.Request{}, []byte(body)))
}

func answered(t *testing.T) func(*oauth.Registered, error) map[string]any {
	return func(d *oauth.Registered, err error) map[string]any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]any{}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// changed changes members of a JSON object.
func changed(body string, pairs ...any) string {
	m := map[string]any{}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		panic(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestCL12RegistrationIsClosedUnlessThePolicyOpensIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.Register(t.Context(), oauth.Request{}, []byte(webMetadata))
	wantCode(t, err, oauth.AccessDenied)
	if strings.Contains(string(r.Metadata()), "registration_endpoint") {
		t.Error("metadata lists an endpoint that lets nobody in")
	}
	s := r.registering()
	if got := registered(t, s, webMetadata); got["client_id"] == "" || !strings.Contains(string(s.Metadata()), `"registration_endpoint":"https://auth.example.com/oauth/register"`) {
		t.Errorf("open: %v", got)
	}
}

func TestCL12AnInitialAccessTokenRegistersAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering(func(o *oauth.Options) { o.Registration.Policy = oauth.RegisterToken })
	token, expired := secret.NewHandle(secret.InitialAccess), secret.NewHandle(secret.InitialAccess)
	for tok, life := range map[string]time.Duration{token.Reveal(): time.Hour, expired.Reveal(): -time.Hour} {
		err := r.store.OAuth().AddInitialToken(t.Context(), oauth.InitialToken{Hash: secret.New(tok).Hash(), UsesLeft: 2, CreatedAt: r.clock.now(), ExpiresAt: r.clock.now().Add(life)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, req := range map[string]oauth.Request{
		"none": {}, "expired": bearing(expired.Reveal()), "unknown": bearing(secret.NewHandle(secret.InitialAccess).Reveal()), "of another kind": bearing(secret.NewHandle(secret.Registration).Reveal()),
		"not bearer": {Authorization: []string{"Basic " + token.Reveal()}}, "twice": {Authorization: []string{"Bearer " + token.Reveal(), "Bearer " + token.Reveal()}},
	} {
		_, err := s.Register(t.Context(), req, []byte(webMetadata))
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != oauth.InvalidToken {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Register(t.Context(), bearing(token.Reveal()), []byte(`{"redirect_uris":["http://evil.example/"]}`)); err == nil {
		t.Error("a bad redirect URI registers")
	}
	for i := range 3 {
		d, err := s.Register(t.Context(), bearing(token.Reveal()), []byte(webMetadata))
		if i == 2 {
			wantCode(t, err, oauth.InvalidToken)
		} else if err != nil || d.Client.Origin != oauth.OriginVouched {
			t.Errorf("use %d: %v: refused requests must spend nothing", i+1, err)
		}
	}
}

func TestRegistrationAnswersWithAllThatIsRegistered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering()
	got := registered(t, s, changed(webMetadata, "client_uri", "https://shop.example.com/", "unknown_member", map[string]any{"a": 1}, "contacts", []string{"ops@shop.example.com"}, "tos_uri", nil))
	for name, want := range map[string]string{
		"client_name": `"Shop"`, "redirect_uris": `["https://shop.example.com/cb"]`, "grant_types": `["authorization_code"]`, "response_types": `["code"]`,
		"token_endpoint_auth_method": `"client_secret_basic"`, "application_type": `"web"`, "scope": `"openid catalog.read"`, "client_secret_expires_at": `0`,
		"client_uri": `"https://shop.example.com/"`, "contacts": `["ops@shop.example.com"]`,
	} {
		if b, _ := json.Marshal(got[name]); string(b) != want {
			t.Errorf("%s = %s, want %s", name, b, want)
		}
	}
	for _, name := range []string{"unknown_member", "tos_uri"} {
		if _, there := got[name]; there {
			t.Errorf("%s was registered", name)
		}
	}
	id, _ := got["client_id"].(string)
	if got["registration_client_uri"] != issuer+"/oauth/register/"+id || got["client_id_issued_at"] != float64(r.clock.now().Unix()) {
		t.Errorf("%v", got)
	}
	sec, _ := got["client_secret"].(string)
	if kind, ok := secret.Kind(sec); !ok || kind != secret.ClientSecret {
		t.Error("no client_secret")
	}
	// It works at once: sign in, redeem.
	r.Service = s
	res, err := r.redeemBasic(r.code("client_id", id, "redirect_uri", "https://shop.example.com/cb"), id, sec, "https://shop.example.com/cb")
	if err != nil || res.AccessToken.IsZero() {
		t.Error(err)
	}
}

func TestCL13MetadataIsJudged(t *testing.T) {
	t.Parallel()
	s := newRig(t).registering()
	for name, tc := range map[string]struct{ body, code string }{
		"not JSON":                          {`{`, oauth.InvalidClientMetadata},
		"an array":                          {`[]`, oauth.InvalidClientMetadata},
		"a name twice":                      {`{"client_name":"a","client_name":"b","redirect_uris":["https://a.example/"]}`, oauth.InvalidClientMetadata},
		"too long":                          {`{"client_name":"` + strings.Repeat("a", oauth.MaxRegistration) + `"}`, oauth.InvalidClientMetadata},
		"no redirect URI":                   {`{}`, oauth.InvalidRedirectURI},
		"redirect_uris is no list":          {`{"redirect_uris":"https://a.example/"}`, oauth.InvalidRedirectURI},
		"CL03 http":                         {changed(webMetadata, "redirect_uris", []string{"http://shop.example.com/cb"}), oauth.InvalidRedirectURI},
		"CL03 wildcard":                     {changed(webMetadata, "redirect_uris", []string{"https://*.example.com/cb"}), oauth.InvalidRedirectURI},
		"CL03 fragment":                     {changed(webMetadata, "redirect_uris", []string{"https://shop.example.com/cb#x"}), oauth.InvalidRedirectURI},
		"CL03 javascript":                   {changed(webMetadata, "redirect_uris", []string{"javascript:alert(1)"}), oauth.InvalidRedirectURI},
		"CL03 data":                         {changed(webMetadata, "redirect_uris", []string{"data:text/html,x"}), oauth.InvalidRedirectURI},
		"CL03 scheme without a dot":         {changed(webMetadata, "redirect_uris", []string{"myapp:/cb"}, "token_endpoint_auth_method", "none"), oauth.InvalidRedirectURI},
		"CL03 http to an address":           {changed(webMetadata, "redirect_uris", []string{"http://192.0.2.1/cb"}), oauth.InvalidRedirectURI},
		"CL03 loopback for the web":         {changed(webMetadata, "redirect_uris", []string{"http://127.0.0.1/cb"}, "application_type", "web"), oauth.InvalidRedirectURI},
		"AZ02 localhost":                    {changed(webMetadata, "redirect_uris", []string{"http://localhost/cb"}), oauth.InvalidRedirectURI},
		"too many redirect URIs":            {changed(webMetadata, "redirect_uris", slices.Repeat([]string{"https://a.example/"}, 21)), oauth.InvalidRedirectURI},
		"post logout":                       {changed(webMetadata, "post_logout_redirect_uris", []string{"javascript:x"}), oauth.InvalidClientMetadata},
		"implicit":                          {changed(webMetadata, "grant_types", []string{"implicit"}), oauth.InvalidClientMetadata},
		"response type token":               {changed(webMetadata, "response_types", []string{"code token"}), oauth.InvalidClientMetadata},
		"code without its grant type":       {changed(webMetadata, "grant_types", []string{"refresh_token"}, "response_types", []string{"code"}), oauth.InvalidClientMetadata},
		"its grant type without code":       {changed(webMetadata, "response_types", []string{}), oauth.InvalidClientMetadata},
		"a grant type that is not for them": {changed(webMetadata, "grant_types", []string{"client_credentials"}), oauth.InvalidClientMetadata},
		"jwks and jwks_uri":                 {changed(webMetadata, "jwks", map[string]any{"keys": []any{}}, "jwks_uri", "https://shop.example.com/jwks"), oauth.InvalidClientMetadata},
		"no scope that exists":              {changed(webMetadata, "scope", "admin"), oauth.InvalidClientMetadata},
		"scope is malformed":                {changed(webMetadata, "scope", "openid \"x"), oauth.InvalidClientMetadata},
		"unknown authentication":            {changed(webMetadata, "token_endpoint_auth_method", "client_secret_jwt"), oauth.InvalidClientMetadata},
		"key without key":                   {changed(webMetadata, "token_endpoint_auth_method", "private_key_jwt"), oauth.InvalidClientMetadata},
		"a script as home page":             {changed(webMetadata, "client_uri", "javascript:alert(1)"), oauth.InvalidClientMetadata},
		"a home page by http":               {changed(webMetadata, "policy_uri", "http://shop.example.com/"), oauth.InvalidClientMetadata},
		"a home page with a user":           {changed(webMetadata, "tos_uri", "https://bank.example@evil.example/"), oauth.InvalidClientMetadata},
		"a name that turns around":          {changed(webMetadata, "client_name", "Shop \u202ekcab"), oauth.InvalidClientMetadata},
		"a name with nothing in it":         {changed(webMetadata, "client_name", "Sh\u200bop"), oauth.InvalidClientMetadata},
		"a name of two scripts":             {changed(webMetadata, "client_name", "B\u0430nk"), oauth.InvalidClientMetadata},
		"a name with markup":                {changed(webMetadata, "client_name", "<b>Bank</b>"), oauth.InvalidClientMetadata},
		"a long name":                       {changed(webMetadata, "client_name", strings.Repeat("n", 81)), oauth.InvalidClientMetadata},
		"contacts that are none":            {changed(webMetadata, "contacts", []string{"a@b.example, c@d.example"}), oauth.InvalidClientMetadata},
		"a negative lifetime":               {changed(webMetadata, "access_token_lifetime", -1), oauth.InvalidClientMetadata},
		"a native client with a key":        {changed(webMetadata, "application_type", "native", "token_endpoint_auth_method", "private_key_jwt"), oauth.InvalidClientMetadata},
		"no such application_type":          {changed(webMetadata, "application_type", "desktop"), oauth.InvalidClientMetadata},
		"an unasked for statement":          {changed(webMetadata, "software_statement", "e30.e30.x"), oauth.UnapprovedSoftwareStatement},
	} {
		_, err := s.Register(t.Context(), oauth.Request{}, []byte(tc.body))
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	for name, body := range map[string]string{
		"plain": webMetadata, "other scripts alone": changed(webMetadata, "client_name", "Банк"), "null is absent": changed(webMetadata, "client_name", nil, "grant_types", nil),
		"code and refresh": changed(webMetadata, "grant_types", []string{"authorization_code", "refresh_token"}, "response_types", []string{"code"}),
	} {
		if _, err := s.Register(t.Context(), oauth.Request{}, []byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCL02CL01RegisteredClientsHaveTheTypeOfWhatTheyAre(t *testing.T) {
	t.Parallel()
	s := newRig(t).registering(func(o *oauth.Options) {
		o.Registration.Types = oauth.ClientTypes
		o.Registration.GrantTypes = []string{"authorization_code", "refresh_token", "client_credentials"}
	})
	for name, tc := range map[string]struct {
		body   string
		want   oauth.ClientType
		method string
	}{
		"a loopback address": {changed(webMetadata, "redirect_uris", []string{"http://127.0.0.1/cb", "http://[::1]/cb"}), oauth.Native, "none"},
		"a scheme":           {changed(webMetadata, "redirect_uris", []string{"com.example.shop:/cb"}, "token_endpoint_auth_method", "client_secret_basic"), oauth.Native, "none"},
		"it says native":     {changed(webMetadata, "application_type", "native"), oauth.Native, "none"},
		"no authentication":  {changed(webMetadata, "token_endpoint_auth_method", "none"), oauth.Browser, "none"},
		"a secret":           {webMetadata, oauth.Server, "client_secret_basic"},
		"for itself":         {`{"grant_types":["client_credentials"],"scope":"catalog.read openid"}`, oauth.ServiceClient, "client_secret_basic"},
	} {
		d, err := s.Register(t.Context(), oauth.Request{}, []byte(tc.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Client.Type != tc.want || d.Client.Settings.AuthMethod != tc.method || d.Secret.IsZero() != tc.want.Public() {
			t.Errorf("%s: type %s, method %s, secret %t", name, d.Client.Type, d.Client.Settings.AuthMethod, !d.Secret.IsZero())
		}
	}
}

func TestRegistrationGivesNoMoreThanThePolicy(t *testing.T) {
	t.Parallel()
	s := newRig(t).registering(func(o *oauth.Options) {
		o.Registration.Profile, o.Registration.Types = oauth.ProfileOIDCBasic, []oauth.ClientType{oauth.Server}
	})
	got := registered(t, s, changed(webMetadata, "scope", "openid pay catalog.read", "grant_types", []string{"authorization_code", "client_credentials", "urn:x"}, "pkce", "optional",
		"token_exchange", map[string]any{"audiences": []string{"pay"}}, "embedded_ua", "warn", "authorization_details_types", []string{"payment"}, "profile", "oauth21"))
	for name, want := range map[string]string{
		"scope": `"openid catalog.read"`, "grant_types": `["authorization_code"]`, "pkce": `null`, "token_exchange": `null`, "embedded_ua": `null`, "authorization_details_types": `null`,
		"profile": `"oidc-basic"`, "id_token_signed_response_alg": `"RS256"`,
	} {
		if b, _ := json.Marshal(got[name]); string(b) != want {
			t.Errorf("%s = %s, want %s", name, b, want)
		}
	}
	_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, "token_endpoint_auth_method", "none")))
	wantCode(t, err, oauth.InvalidClientMetadata)
	_, err = s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, "profile", "fapi2")))
	wantCode(t, err, oauth.InvalidClientMetadata) // it has no key, as fapi2 asks
}

func TestCL16CL17TheRegistrationAccessTokenReadsAndReplaces(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering()
	a, b := registered(t, s, webMetadata), registered(t, s, webMetadata)
	id, tokenA, tokenB := a["client_id"].(string), a["registration_access_token"].(string), b["registration_access_token"].(string)
	for name, tc := range map[string]struct{ id, token string }{
		"CL16 token of another client": {id, tokenB}, "unknown client": {"nobody", tokenA}, "no token": {id, ""}, "a client of the file": {"web", tokenA},
		"not one of ours": {id, "x"}, "of another kind": {id, secret.NewHandle(secret.InitialAccess).Reveal()},
	} {
		_, err := s.ReadRegistration(t.Context(), bearing(tc.token), tc.id)
		if err == nil || err.Error() != "invalid_token: the registration access token is not one of this client" {
			t.Errorf("%s: %v: all answers must be the same", name, err)
		}
	}
	read := answered(t)(s.ReadRegistration(t.Context(), bearing(tokenA), id))
	if read["client_secret"] != nil || read["registration_access_token"] != tokenA || read["client_name"] != "Shop" {
		t.Errorf("read: %v", read)
	}
	update := changed(webMetadata, "client_id", id, "client_name", "Other", "grant_types", []string{"authorization_code", "refresh_token"})
	for name, tc := range map[string]struct{ body, code string }{
		"no client_id":               {webMetadata, oauth.InvalidRequest},
		"another client_id":          {changed(update, "client_id", "web"), oauth.InvalidRequest},
		"CL17 a secret of its own":   {changed(update, "client_secret", "mine"), oauth.InvalidRequest},
		"a member of the server":     {changed(update, "registration_access_token", "x"), oauth.InvalidRequest},
		"CL01 another type":          {changed(update, "token_endpoint_auth_method", "none"), oauth.InvalidClientMetadata},
		"CL01 native turned to web":  {changed(update, "application_type", "native"), oauth.InvalidClientMetadata},
		"a bad redirect URI":         {changed(update, "redirect_uris", []string{"http://evil.example/"}), oauth.InvalidRedirectURI},
		"CL17 a scope beyond policy": {changed(update, "scope", "pay"), oauth.InvalidClientMetadata},
	} {
		_, err := s.UpdateRegistration(t.Context(), bearing(tokenA), id, []byte(tc.body))
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	_, err := s.UpdateRegistration(t.Context(), bearing(tokenB), id, []byte(update))
	wantCode(t, err, oauth.InvalidToken)
	got := answered(t)(s.UpdateRegistration(t.Context(), bearing(tokenA), id, []byte(changed(update, "client_secret", a["client_secret"], "contacts", nil))))
	if got["client_name"] != "Other" || got["client_secret"] != nil || got["registration_access_token"] == tokenA || got["client_id"] != id {
		t.Errorf("update: %v", got)
	}
	_, err = s.ReadRegistration(t.Context(), bearing(tokenA), id)
	wantCode(t, err, oauth.InvalidToken) // it was rotated
	next := got["registration_access_token"].(string)
	// A full replace: what is left out is gone.
	got = answered(t)(s.UpdateRegistration(t.Context(), bearing(next), id, []byte(`{"client_id":"`+id+`","redirect_uris":["https://shop.example.com/other"]}`)))
	if got["client_name"] != nil || fmt.Sprint(got["grant_types"]) != "[authorization_code]" {
		t.Errorf("replace: %v", got)
	}
	r.Service = s
	if _, err := s.Authorize(t.Context(), authorizeParams("client_id", id, "redirect_uri", "https://shop.example.com/cb")); err == nil {
		t.Error("the old redirect URI still works")
	}
}

func TestCL18RemovingARegistrationEndsWhatItHas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering()
	r.Service = s
	const uri = "https://spa.example.com/cb"
	c := registered(t, s, changed(webMetadata, "redirect_uris", []string{uri}, "token_endpoint_auth_method", "none", "grant_types", []string{"authorization_code", "refresh_token"}))
	id, tok := c["client_id"].(string), c["registration_access_token"].(string)
	if !s.BrowserOrigin(t.Context(), "https://spa.example.com") || s.BrowserOrigin(t.Context(), "https://evil.example.com") || s.BrowserOrigin(t.Context(), "null") {
		t.Error("MD11: the origin of the new client is not known, or others are")
	}
	res, err := r.redeem(r.code("client_id", id, "redirect_uri", uri), "client_id", id, "redirect_uri", uri)
	if err != nil {
		t.Fatal(err)
	}
	if !r.active(res.AccessToken) {
		t.Fatal("the token is not active")
	}
	if err := s.RemoveRegistration(t.Context(), bearing(tok), id); err != nil {
		t.Fatal(err)
	}
	if r.active(res.AccessToken) {
		t.Error("the access token lives on")
	}
	if _, err := r.refresh(res.RefreshToken, "client_id", id); err == nil {
		t.Error("CL18: refresh after delete")
	}
	wantCode(t, s.RemoveRegistration(t.Context(), bearing(tok), id), oauth.InvalidToken)
	s.ForgetClient(id) // the feed says so
	if s.BrowserOrigin(t.Context(), "https://spa.example.com") {
		t.Error("MD11: the origin of a client that is gone is known")
	}
}

func TestADisabledClientCannotManageItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering()
	c := registered(t, s, webMetadata)
	id := c["client_id"].(string)
	now := r.clock.now()
	if err := r.store.OAuth().SetClientDisabled(t.Context(), id, true, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err := s.ReadRegistration(t.Context(), bearing(c["registration_access_token"].(string)), id)
	wantCode(t, err, oauth.InvalidToken)
}

func TestUnusedRegistrationsEndAndUsedOnesStay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering()
	r.Service = s
	idle, busy := registered(t, s, webMetadata), registered(t, s, webMetadata)
	id := busy["client_id"].(string)
	const uri = "https://shop.example.com/cb"
	if _, err := r.redeemBasic(r.code("client_id", id, "redirect_uri", uri), id, busy["client_secret"].(string), uri); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(25 * time.Hour)
	if _, err := r.store.Expire(t.Context(), r.clock.now()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.OAuth().Client(t.Context(), idle["client_id"].(string)); !errors.Is(err, oauth.ErrNotFound) {
		t.Errorf("a client that was never used is still there: %v", err)
	}
	if _, err := r.store.OAuth().Client(t.Context(), id); err != nil {
		t.Errorf("a client that was used is gone: %v", err)
	}
}

func TestThereIsABoundOfRegisteredClients(t *testing.T) {
	t.Parallel()
	s := newRig(t).registering(func(o *oauth.Options) { o.Registration.MaxClients = 2 })
	first := registered(t, s, webMetadata)
	registered(t, s, webMetadata)
	_, err := s.Register(t.Context(), oauth.Request{}, []byte(webMetadata))
	wantCode(t, err, oauth.TemporarilyUnavailable)
	if err := s.RemoveRegistration(t.Context(), bearing(first["registration_access_token"].(string)), first["client_id"].(string)); err != nil {
		t.Fatal(err)
	}
	registered(t, s, webMetadata) // there is room again
}

// directory is who issues software statements.
type directory struct{ key *ecdsa.PrivateKey }

func newDirectory(t *testing.T) *directory {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &directory{key}
}

func (d *directory) keys(t *testing.T) jose.KeySource {
	t.Helper()
	k, err := jose.NewKey("1", jose.ES256, "sig", d.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.NewKeySet(k)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func (d *directory) statement(t *testing.T, r *rig, claims map[string]any) string {
	t.Helper()
	m := map[string]any{"iss": "https://directory.example.com", "iat": r.clock.now().Unix(), "exp": r.clock.now().Add(time.Hour).Unix(), "software_id": "shop"}
	maps.Copy(m, claims)
	return signES256(t, d.key, `{"alg":"ES256","kid":"1"}`, m)
}

func TestCL14SoftwareStatements(t *testing.T) {
	t.Parallel()
	r, d := newRig(t), newDirectory(t)
	s := r.registering(func(o *oauth.Options) {
		o.Registration.Policy = oauth.RegisterStatement
		o.Registration.Statements = []oauth.StatementIssuer{{Issuer: "https://directory.example.com", Keys: d.keys(t)}}
	})
	good := d.statement(t, r, map[string]any{"client_name": "Audited Shop", "redirect_uris": []string{"https://shop.example.com/cb"}})
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	for name, tc := range map[string]struct{ statement, code string }{
		"none at all":      {"", oauth.InvalidSoftwareStatement},
		"alg none":         {none, oauth.InvalidSoftwareStatement},
		"another key":      {newDirectory(t).statement(t, r, nil), oauth.InvalidSoftwareStatement},
		"untrusted issuer": {d.statement(t, r, map[string]any{"iss": "https://evil.example"}), oauth.UnapprovedSoftwareStatement},
		"expired":          {d.statement(t, r, map[string]any{"iat": r.clock.now().Add(-2 * time.Hour).Unix(), "exp": r.clock.now().Add(-time.Hour).Unix()}), oauth.InvalidSoftwareStatement},
		"no iat":           {d.statement(t, r, map[string]any{"iat": 0}), oauth.InvalidSoftwareStatement},
		"changed":          {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://directory.example.com","iat":1}`)) + "." + parts[2], oauth.InvalidSoftwareStatement},
		"bad metadata":     {d.statement(t, r, map[string]any{"redirect_uris": "x"}), oauth.InvalidSoftwareStatement},
	} {
		_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, "software_statement", tc.statement)))
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	got := registered(t, s, changed(webMetadata, "client_name", "Plain", "redirect_uris", []string{"https://evil.example.com/cb"}, "software_statement", good))
	if got["client_name"] != "Audited Shop" || fmt.Sprint(got["redirect_uris"]) != "[https://shop.example.com/cb]" || got["software_statement"] != good || got["software_id"] != "shop" {
		t.Errorf("what the statement says must win, and it must come back: %v", got)
	}
}

func TestCL20KeysOfRegisteredClients(t *testing.T) {
	t.Parallel()
	s := newRig(t).registering()
	key := func(d *directory, kid string, more ...any) map[string]any {
		pub, err := d.key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]any{"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256", "x": b64(pub[1:33]), "y": b64(pub[33:])}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	d, e := newDirectory(t), newDirectory(t)
	for name, tc := range map[string]struct {
		keys []any
		good bool
	}{
		"one key":          {[]any{key(d, "1")}, true},
		"two keys":         {[]any{key(d, "1"), key(e, "2")}, true},
		"a kid twice":      {[]any{key(d, "1"), key(e, "1")}, false},
		"a private key":    {[]any{key(d, "1", "d", b64(make([]byte, 32)))}, false},
		"a symmetric key":  {[]any{key(d, "1"), map[string]any{"kty": "oct", "k": b64(make([]byte, 32)), "kid": "2"}}, false},
		"not on the curve": {[]any{key(d, "1", "x", b64(make([]byte, 32)))}, false},
		"a short RSA key":  {[]any{map[string]any{"kty": "RSA", "kid": "1", "e": "AQAB", "n": b64(append([]byte{0x80}, make([]byte, 127)...))}}, false},
		"keys is no array": {nil, false},
	} {
		var jwks any = map[string]any{"keys": tc.keys}
		_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, "token_endpoint_auth_method", "private_key_jwt", "jwks", jwks)))
		if (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCL15AddressesOfClientsAreAskedThroughTheDoorOrNotAtAll(t *testing.T) {
	t.Parallel()
	var asked []string
	s := newRig(t).registering(func(o *oauth.Options) {
		o.MayFetch = func(uri string) error {
			if strings.Contains(uri, "internal") {
				return errors.New("private address")
			}
			return nil
		}
		o.Fetch = func(_ context.Context, uri string) ([]byte, error) {
			asked = append(asked, uri)
			return []byte(`["https://shop.example.com/cb"]`), nil
		}
	})
	for _, name := range []string{"jwks_uri", "sector_identifier_uri", "backchannel_logout_uri"} {
		_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, name, "https://internal.example.com/x")))
		wantCode(t, err, oauth.InvalidClientMetadata)
	}
	got := registered(t, s, changed(webMetadata, "logo_uri", "https://evil.example.com/logo.svg", "client_uri", "https://shop.example.com/"))
	if got["logo_uri"] != "https://evil.example.com/logo.svg" || len(asked) != 0 {
		t.Errorf("a logo is kept and never fetched: %v asked", asked)
	}
	registered(t, s, changed(webMetadata, "sector_identifier_uri", "https://shop.example.com/sector.json", "subject_type", "pairwise"))
	_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, "sector_identifier_uri", "https://shop.example.com/sector.json", "redirect_uris", []string{"https://shop.example.com/other"})))
	wantCode(t, err, oauth.InvalidClientMetadata)
	if len(asked) != 2 {
		t.Errorf("asked %v", asked)
	}
}

func TestAZ22AStrangersErrorsStayHere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering()
	id := registered(t, s, webMetadata)["client_id"].(string)
	_, err := s.Authorize(t.Context(), authorizeParams("client_id", id, "redirect_uri", "https://shop.example.com/cb", "scope", "nothing"))
	var page *oauth.PageError
	if !errors.As(err, &page) {
		t.Errorf("invalid scope: %v, want a page", err)
	}
	a, err := s.Authorize(t.Context(), authorizeParams("client_id", id, "redirect_uri", "https://shop.example.com/cb", "prompt", "none"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Next(t.Context(), a, nil); !errors.As(err, &page) {
		t.Errorf("prompt=none without a person: %v, want a page", err)
	}
	var back *oauth.RedirectError
	if _, err = s.Next(t.Context(), a, r.session); !errors.As(err, &back) {
		t.Errorf("prompt=none with a person: %v, want a redirect", err)
	}
}

func signES256(t *testing.T, key *ecdsa.PrivateKey, header string, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := b64([]byte(header)) + "." + b64(body)
	sum := sha256.Sum256([]byte(input))
	x, y, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	x.FillBytes(sig[:32])
	y.FillBytes(sig[32:])
	return input + "." + b64(sig)
}

func TestCL29ResponsesSayWhomTheyAreFrom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, err := r.Authorize(t.Context(), authorizeParams())
	if err != nil {
		t.Fatal(err)
	}
	yes, err := r.Approve(t.Context(), a, r.session)
	if err != nil {
		t.Fatal(err)
	}
	no, err := r.Deny(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Authorize(t.Context(), authorizeParams("scope", "nothing"))
	var wrong *oauth.RedirectError
	if !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	for name, location := range map[string]string{"code": yes.Location, "refusal": no.Location, "error": wrong.Outcome.Location} {
		if got := query(t, location); got.Get("iss") != issuer || got.Get("state") != "st" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPeopleAreAskedEachTimeByStrangersAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.registering()
	tok := secret.NewHandle(secret.InitialAccess)
	err := r.store.OAuth().AddInitialToken(t.Context(), oauth.InitialToken{Hash: tok.Hash(), UsesLeft: 1, CreatedAt: r.clock.now(), ExpiresAt: r.clock.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		token string
		want  oauth.Step
	}{"nobody vouches": {"", oauth.StepConsent}, "vouched for": {tok.Reveal(), oauth.StepApprove}} {
		c := answered(t)(r.Register(t.Context(), bearing(tc.token), []byte(webMetadata)))
		asks := []string{"client_id", c["client_id"].(string), "redirect_uri", "https://shop.example.com/cb"}
		r.code(asks...) // they agreed once
		a, err := r.Authorize(t.Context(), authorizeParams(asks...))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Next(t.Context(), a, r.session); err != nil || got != tc.want {
			t.Errorf("%s: step %v, %v, want %v", name, got, err, tc.want)
		}
	}
}
