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

const parURL = issuer + "/oauth/par"

// with replaces the issuer by one that has these clients too.
func (r *rig) with(clients ...oauth.Client) *rig {
	r.t.Helper()
	r.Service = r.node(r.feed, func(o *oauth.Options) { o.Clients = append(o.Clients, clients...) })
	return r
}

// pushForm is a pushed request of the client web with nothing wrong.
func (r *rig) pushForm(change ...string) oauth.Request {
	p := authorizeParams(append([]string{"client_id", "web", "client_secret", r.secret.Reveal()}, change...)...)
	return oauth.Request{Params: p, Method: "POST", URL: parURL}
}

func (r *rig) tryPush(req oauth.Request) (*oauth.PushResponse, error) {
	p, err := r.ReadPush(r.t.Context(), req)
	if err != nil {
		return nil, err
	}
	return p.Store(r.t.Context())
}

func (r *rig) push(change ...string) string {
	r.t.Helper()
	res, err := r.tryPush(r.pushForm(change...))
	if err != nil {
		r.t.Fatal(err)
	}
	return res.RequestURI
}

// open is the authorization endpoint with a pushed request and more.
func (r *rig) open(uri string, more ...string) (*oauth.Authorization, error) {
	p := url.Values{"client_id": {"web"}, "request_uri": {uri}}
	for i := 0; i < len(more); i += 2 {
		p.Set(more[i], more[i+1])
	}
	return r.Authorize(r.t.Context(), p)
}

func (r *rig) approve(a *oauth.Authorization) oauth.Outcome {
	r.t.Helper()
	out, err := r.Approve(r.t.Context(), a, r.session)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// wantPage checks that an error is shown and not sent to anybody.
func wantPage(t *testing.T, what string, err error, code string) {
	t.Helper()
	var page *oauth.PageError
	if !errors.As(err, &page) || page.Code != code {
		t.Errorf("%s: %v, want a page that says %s", what, err, code)
	}
}

// wantBack checks that an error goes to the client.
func wantBack(t *testing.T, what string, err error, code string) url.Values {
	t.Helper()
	var back *oauth.RedirectError
	if !errors.As(err, &back) || back.Code != code {
		t.Errorf("%s: %v, want %s sent to the client", what, err, code)
		return nil
	}
	return query(t, back.Outcome.Location)
}

func TestPR03PushedRequestEndsInOneCode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res, err := r.tryPush(r.pushForm())
	if err != nil || res.ExpiresInSeconds != 90 || !strings.HasPrefix(res.RequestURI, "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("%+v, %v", res, err)
	}
	if raw, err := secret.Decode(secret.PendingSignIn, res.RequestURI[len("urn:ietf:params:oauth:request_uri:"):]); err != nil || len(raw) != 32 {
		t.Errorf("the handle holds %d random bytes: %v", len(raw), err)
	}
	first, err := r.open(res.RequestURI)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.open(res.RequestURI) // the page was loaded twice
	if err != nil {
		t.Fatal("a pushed request that nobody has answered:", err)
	}
	code := query(t, r.approve(first).Location).Get("code")
	_, err = r.Approve(t.Context(), again, r.session)
	wantPage(t, "second approval", err, "invalid_request_uri")
	_, err = r.Deny(t.Context(), again)
	wantPage(t, "refusal after the approval", err, "invalid_request_uri")
	_, err = r.open(res.RequestURI)
	wantPage(t, "opened after the approval", err, "invalid_request_uri")
	if _, err := r.redeem(code, "client_id", "web", "client_secret", r.secret.Reveal()); err != nil {
		t.Error(err)
	}
}

func TestPR03DeniedRequestIsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	uri := r.push()
	a, err := r.open(uri)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Deny(t.Context(), a)
	if q := query(t, out.Location); err != nil || q.Get("error") != "access_denied" || q.Get("iss") != issuer || q.Get("state") != "st" {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = r.open(uri)
	wantPage(t, "opened after the refusal", err, "invalid_request_uri")
}

func TestPR03HandleOfAnotherClientGuessedOrExpired(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	uri := r.push()
	for what, params := range map[string]url.Values{
		"other client": {"client_id": {"app"}, "request_uri": {uri}},
		"guess":        {"client_id": {"web"}, "request_uri": {"urn:ietf:params:oauth:request_uri:" + secret.NewHandle(secret.PendingSignIn).Reveal()}},
		"malformed":    {"client_id": {"web"}, "request_uri": {"urn:ietf:params:oauth:request_uri:x"}},
		"cut":          {"client_id": {"web"}, "request_uri": {uri[:len(uri)-1]}},
	} {
		_, err := r.Authorize(t.Context(), params)
		wantPage(t, what, err, "invalid_request_uri")
	}
	_, err := r.Authorize(t.Context(), url.Values{"request_uri": {uri}})
	wantPage(t, "no client_id", err, "invalid_client")
	_, err = r.Authorize(t.Context(), url.Values{"client_id": {"web"}, "request_uri": {uri, uri}})
	wantPage(t, "repeated", err, "invalid_request")
	r.clock.advance(89 * time.Second)
	a, err := r.open(uri)
	if err != nil {
		t.Fatal("wrong requests have spent it:", err)
	}
	r.clock.advance(time.Second)
	_, err = r.open(uri)
	wantPage(t, "after 90 seconds", err, "invalid_request_uri")
	r.clock.advance(5 * time.Minute)
	r.signIn()
	if query(t, r.approve(a).Location).Get("code") == "" {
		t.Error("a sign-in that began in time cannot be finished")
	}
}

func TestPR01ClientIsAuthenticatedAsAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for what, c := range map[string]struct {
		change []string
		code   string
	}{
		"no secret":          {[]string{"client_secret", ""}, "invalid_client"},
		"wrong secret":       {[]string{"client_secret", "no"}, "invalid_client"},
		"unknown client":     {[]string{"client_id", "nobody"}, "invalid_client"},
		"secret of a public": {[]string{"client_id", "app"}, "invalid_client"},
		"service client":     {[]string{"client_id", "job"}, "unauthorized_client"},
	} {
		_, err := r.tryPush(r.pushForm(c.change...))
		t.Run(what, func(t *testing.T) { wantCode(t, err, c.code) })
	}
	if _, err := r.tryPush(r.pushForm("client_id", "app", "client_secret", "")); err != nil {
		t.Error("a public client:", err)
	}
}

func TestPR02RequestURIIsNotPushed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.tryPush(r.pushForm("request_uri", "https://app.example.com/r.jwt"))
	wantCode(t, err, "invalid_request")
	_, err = r.tryPush(r.pushForm("request_uri", r.push()))
	wantCode(t, err, "invalid_request")
}

func TestPR04OnlyPushedParametersCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, err := r.open(r.push(), "scope", "openid pay", "redirect_uri", "https://evil.example/cb", "state", "other", "response_type", "token", "prompt", "none", "code_challenge", challenge("other"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Scope != "openid catalog.read" || a.RedirectURI != callback || a.State != "st" || len(a.Prompt) != 0 || a.Challenge != challenge(verifier) {
		t.Errorf("%+v", a)
	}
	_, err = r.open(r.push(), "request", "x")
	wantPage(t, "request beside request_uri", err, "invalid_request")
}

func TestPR05PushedRequestsCanBeRequired(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	web := r.clients()[2]
	strict := web
	strict.ID, strict.Settings.RequirePushed = "strict", true
	r.with(strict)
	_, err := r.Authorize(t.Context(), authorizeParams("client_id", "strict"))
	wantBack(t, "PR05 client that must push", err, "invalid_request")
	uri := r.push("client_id", "strict")
	if _, err := r.Authorize(t.Context(), url.Values{"client_id": {"strict"}, "request_uri": {uri}}); err != nil {
		t.Error(err)
	}
	if _, err := r.Authorize(t.Context(), authorizeParams("client_id", "web")); err != nil {
		t.Error("PR05 another client need not:", err)
	}
	if _, err := r.Authorize(t.Context(), authorizeParams("scope", "pay")); err != nil {
		t.Error("PR05 tier high alone does not ask for it:", err)
	}
	r.Service = r.node(r.feed, func(o *oauth.Options) { o.RequirePushed = true })
	_, err = r.Authorize(t.Context(), authorizeParams("client_id", "web"))
	wantBack(t, "PR05 server that wants all pushed", err, "invalid_request")
	if !strings.Contains(string(r.Metadata()), `"require_pushed_authorization_requests":true`) {
		t.Error("PR05 the metadata does not say so")
	}
	if _, err := r.open(r.push()); err != nil {
		t.Error(err)
	}
}

func TestPR06EverythingIsJudgedWhenPushed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for what, c := range map[string]struct {
		change []string
		code   string
	}{
		"AZ01 redirect URI":     {[]string{"redirect_uri", "https://evil.example/cb"}, "invalid_request"},
		"redirect URI missing":  {[]string{"redirect_uri", ""}, "invalid_request"},
		"AZ21 scope":            {[]string{"scope", "openid root"}, "invalid_scope"},
		"AZ05 PKCE missing":     {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"AZ05 plain":            {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"AZ04 response_type":    {[]string{"response_type", "code id_token"}, "unsupported_response_type"},
		"response_mode":         {[]string{"response_mode", "fragment"}, "invalid_request"},
		"request not an object": {[]string{"request", "x"}, "invalid_request_object"},
		"state too long":        {[]string{"state", strings.Repeat("s", 5000)}, "invalid_request"},
		"too long in all":       {[]string{"x-unknown", strings.Repeat("s", 6000)}, "invalid_request"},
	} {
		_, err := r.tryPush(r.pushForm(c.change...))
		t.Run(what, func(t *testing.T) { wantCode(t, err, c.code) })
	}
	if _, err := r.tryPush(r.pushForm("unknown", "ignored")); err != nil {
		t.Error(err)
	}
}

// What has changed since the push counts when the request is opened, and when
// the person has decided.
func TestPR06ChangesBetweenPushAndUse(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		change func(*oauth.Client)
		code   string
	}{
		"client disabled":      {func(c *oauth.Client) { c.Disabled = true }, "invalid_client"},
		"redirect URI removed": {func(c *oauth.Client) { c.RedirectURIs = []string{callback + "2"} }, "invalid_request"},
	} {
		r := newRig(t)
		uri := r.push()
		if _, err := r.open(uri); err != nil {
			t.Fatal(err)
		}
		r.Service = r.node(r.feed, func(o *oauth.Options) { c.change(&o.Clients[2]) })
		_, err := r.open(uri)
		wantPage(t, what, err, c.code)
	}
	r := newRig(t)
	uri := r.push()
	r.Service = r.node(r.feed, func(o *oauth.Options) { o.Clients[2].Scope = "openid" })
	_, err := r.open(uri)
	wantBack(t, "scope taken away", err, "invalid_scope")
}

// RFC 9449 §10.1: the proof of the push says which key redeems the code.
func TestAZ11PushedProofBindsTheCode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, other := r.newKey(), r.newKey()
	req := r.pushForm()
	req.DPoP = []string{key.proof("htu", parURL)}
	res, err := r.tryPush(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.tryPush(req); err == nil {
		t.Error("the proof was good twice")
	}
	a, err := r.open(res.RequestURI)
	if err != nil || a.JKT != key.jkt() {
		t.Fatalf("dpop_jkt = %q: %v", a.JKT, err)
	}
	code := query(t, r.approve(a).Location).Get("code")
	redeem := func(k *deviceKey) error {
		_, err := r.send(with(r.redemption("web", code), k.proof()))
		return err
	}
	wantCode(t, redeem(other), "invalid_grant")
	if err := redeem(key); err != nil {
		t.Error(err)
	}
	req = r.pushForm("dpop_jkt", other.jkt())
	req.DPoP = []string{key.proof("htu", parURL)}
	_, err = r.tryPush(req)
	wantCode(t, err, "invalid_dpop_proof")
	req = r.pushForm("dpop_jkt", key.jkt())
	req.DPoP = []string{key.proof()}
	_, err = r.tryPush(req)
	wantCode(t, err, "invalid_dpop_proof")
	req.DPoP = []string{key.proof("htu", parURL)}
	if _, err = r.tryPush(req); err != nil {
		t.Error("both agree:", err)
	}
	req = r.pushForm("client_id", "cert-app", "client_secret", "")
	req.DPoP = []string{key.proof("htu", parURL)}
	_, err = r.tryPush(req)
	wantCode(t, err, "invalid_request")
}

// What proves the client is no part of what is kept.
func TestPR01CredentialsAreNotKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	uri := r.push()
	row, err := r.store.OAuth().Pushed(t.Context(), secret.New(strings.TrimPrefix(uri, "urn:ietf:params:oauth:request_uri:")).Hash())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := r.ring.Open(secret.PendingSignIn, "pushed", row.Request)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(kept); strings.Contains(text, "client_secret") || strings.Contains(text, r.secret.Reveal()) || !strings.Contains(text, "code_challenge") {
		t.Errorf("kept: %s", text)
	}
}

// A redirect URI that is taken from the client while a person signs in gets no code.
func TestPR06RedirectURITakenAwayDuringSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with(r.like("moving", func(*oauth.Client) {}))
	a, err := r.Authorize(t.Context(), authorizeParams("client_id", "moving"))
	if err != nil {
		t.Fatal(err)
	}
	flow, err := r.SealAuthorization(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.OpenAuthorization(t.Context(), flow.Reveal()); err != nil {
		t.Fatal(err)
	}
	r.with(r.like("moving", func(c *oauth.Client) { c.RedirectURIs = []string{"https://app.example.com/new"} }))
	_, err = r.OpenAuthorization(t.Context(), flow.Reveal())
	wantPage(t, "taken away", err, "invalid_client")
}
