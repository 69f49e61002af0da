package interop_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// app is a program that knows an issuer, its own client_id and nothing else.
type app struct {
	s        *rig.Server
	ctx      context.Context //nolint:containedctx // both libraries take their HTTP client from it
	provider *oidc.Provider
	config   oauth2.Config
	meta     metadata
}

// metadata is what the libraries have no field for.
type metadata struct {
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	EndSession    string `json:"end_session_endpoint"`
	IssInResponse bool   `json:"authorization_response_iss_parameter_supported"`
}

func newApp(t *testing.T, s *rig.Server) *app {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), s.Client())
	provider, err := oidc.NewProvider(ctx, s.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{s: s, ctx: ctx, provider: provider, config: oauth2.Config{
		ClientID: s.ClientID, RedirectURL: s.RedirectURI, Endpoint: provider.Endpoint(), Scopes: strings.Fields(rig.ReadScope),
	}}
	if err := provider.Claims(&a.meta); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *app) signIn(t *testing.T, person *rig.Person) (*oauth2.Token, *oidc.IDToken, string) {
	t.Helper()
	state, nonce, verifier := rig.Random(), rig.Random(), oauth2.GenerateVerifier()
	address := a.config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	back := person.Authorize(t, address, a.s.RedirectURI).Query()
	if back.Get("state") != state || back.Get("iss") != a.s.Issuer || !a.meta.IssInResponse {
		t.Fatalf("callback has state %q, want %q; iss %q, want %q", back.Get("state"), state, back.Get("iss"), a.s.Issuer)
	}
	tok, err := a.config.Exchange(a.ctx, back.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := a.provider.Verifier(&oidc.Config{ClientID: a.s.ClientID}).Verify(a.ctx, raw)
	if err != nil {
		t.Fatalf("ID token: %v", err)
	}
	if id.Nonce != nonce {
		t.Errorf("ID token has nonce %q, want %q", id.Nonce, nonce)
	}
	if err := id.VerifyAccessToken(tok.AccessToken); err != nil {
		t.Errorf("at_hash: %v", err)
	}
	return tok, id, raw
}

func (a *app) post(t *testing.T, address string, params url.Values, user, password string) (int, map[string]any) {
	t.Helper()
	if !strings.HasPrefix(address, a.s.Issuer) {
		t.Fatalf("the discovery document has no such endpoint: %q", address)
	}
	res, err := a.s.Post(strings.TrimPrefix(address, a.s.Issuer), params, user, password)
	if err != nil {
		t.Fatal(err)
	}
	body, answer := rig.ReadBody(t, res), map[string]any{}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatalf("%s: %v: %s", address, err, body)
		}
	}
	return res.StatusCode, answer
}

func wantCall(t *testing.T, s *rig.Server, want int, accessToken string) {
	t.Helper()
	got, header, body := s.Call(t, http.MethodGet, s.API(t, "catalog").Item("1"), accessToken)
	if got != want {
		t.Fatalf("GET item: status %d, want %d: %s", got, want, body)
	}
	if want == http.StatusUnauthorized && !strings.Contains(header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("WWW-Authenticate is %q, want error=\"invalid_token\"", header.Get("WWW-Authenticate"))
	}
}

func TestOAuth2AndGoOIDCComplete(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	a, person := newApp(t, s), s.Person(t)
	tok, id, rawID := a.signIn(t, person)

	t.Run("the sealed token opens the gateway", func(t *testing.T) {
		if !strings.HasPrefix(tok.AccessToken, "spat_") {
			t.Errorf("access token begins with %.5s, want spat_", tok.AccessToken)
		}
		wantCall(t, s, http.StatusOK, tok.AccessToken)
	})
	t.Run("userinfo is about the person of the ID token", func(t *testing.T) {
		info, err := a.provider.UserInfo(a.ctx, oauth2.StaticTokenSource(tok))
		if err != nil {
			t.Fatal(err)
		}
		if info.Subject != id.Subject || info.Subject == "" {
			t.Errorf("userinfo is about %q, the ID token about %q", info.Subject, id.Subject)
		}
	})
	t.Run("introspection tells the resource server", func(t *testing.T) { testIntrospection(t, a, tok.AccessToken, id.Subject) })
	t.Run("refresh, then the access token revoked alone", func(t *testing.T) { tok = testRefreshAndRevoke(t, a, tok) })
	t.Run("logout ends access and refresh tokens", func(t *testing.T) { testLogout(t, a, person, tok, rawID) })
	t.Run("revoking the refresh token ends the grant", func(t *testing.T) { testRevokeGrant(t, a) })

	if code := s.Stop(t); code != 0 {
		t.Errorf("exit status %d after an interrupt, want 0", code)
	}
}

func testIntrospection(t *testing.T, a *app, accessToken, subject string) {
	secret := a.s.ServiceSecret(t)
	status, answer := a.post(t, a.meta.Introspection, url.Values{"token": {accessToken}}, a.s.ServiceClientID, secret)
	if status != http.StatusOK || answer["active"] != true || answer["sub"] != subject || answer["client_id"] != a.s.ClientID {
		t.Errorf("status %d, %v; want an active token of %s and %s", status, answer, subject, a.s.ClientID)
	}
	status, answer = a.post(t, a.meta.Introspection, url.Values{"token": {accessToken}}, a.s.ServiceClientID, "wrong")
	if status != http.StatusUnauthorized || answer["error"] != "invalid_client" {
		t.Errorf("with a wrong secret: status %d, %v; want 401 invalid_client", status, answer)
	}
	status, answer = a.post(t, a.meta.Introspection, url.Values{"token": {"spat_nonsense"}}, a.s.ServiceClientID, secret)
	if status != http.StatusOK || answer["active"] != false || len(answer) != 1 {
		t.Errorf("nonsense: status %d, %v; want only active false", status, answer)
	}
}

func testRefreshAndRevoke(t *testing.T, a *app, tok *oauth2.Token) *oauth2.Token {
	old := &oauth2.Token{RefreshToken: tok.RefreshToken, Expiry: time.Now().Add(-time.Hour)}
	fresh, err := a.config.TokenSource(a.ctx, old).Token()
	if err != nil {
		t.Fatal(err)
	}
	if fresh.AccessToken == tok.AccessToken || fresh.RefreshToken == tok.RefreshToken {
		t.Error("refresh must give new tokens")
	}
	wantCall(t, a.s, http.StatusOK, fresh.AccessToken)
	status, answer := a.post(t, a.meta.Revocation, url.Values{"token": {tok.AccessToken}, "client_id": {a.s.ClientID}}, "", "")
	if status != http.StatusOK {
		t.Errorf("revoke: status %d, %v", status, answer)
	}
	wantCall(t, a.s, http.StatusUnauthorized, tok.AccessToken)
	wantCall(t, a.s, http.StatusOK, fresh.AccessToken)
	return fresh
}

func testLogout(t *testing.T, a *app, person *rig.Person, tok *oauth2.Token, rawID string) {
	page := person.Logout(t, a.meta.EndSession+"?"+url.Values{"id_token_hint": {rawID}, "client_id": {a.s.ClientID}}.Encode())
	if page.Status != http.StatusOK {
		t.Errorf("logout ended at %s with %d", page.URL, page.Status)
	}
	wantCall(t, a.s, http.StatusUnauthorized, tok.AccessToken)
	got, err := a.s.Refresh(tok.RefreshToken)
	if err != nil || got.Status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("refresh after logout: %v, status %d %s, want 400 invalid_grant", err, got.Status, got.Error)
	}
	_, answer := a.post(t, a.meta.Introspection, url.Values{"token": {tok.AccessToken}}, a.s.ServiceClientID, a.s.ServiceSecret(t))
	if answer["active"] != false {
		t.Errorf("introspection after logout: %v, want inactive", answer)
	}
	if _, err := a.provider.UserInfo(a.ctx, oauth2.StaticTokenSource(tok)); err == nil {
		t.Error("userinfo after logout must be refused")
	}
	address, _ := a.s.AuthorizeURL(rig.ReadScope)
	if page := person.Go(t, address, a.s.RedirectURI); !page.Has("login") {
		t.Errorf("after logout the person must sign in again, but is at %s", page.URL)
	}
}

func testRevokeGrant(t *testing.T, a *app) {
	tok, _, _ := a.signIn(t, a.s.Person(t))
	wantCall(t, a.s, http.StatusOK, tok.AccessToken)
	status, answer := a.post(t, a.meta.Revocation, url.Values{"token": {tok.RefreshToken}, "client_id": {a.s.ClientID}}, "", "")
	if status != http.StatusOK {
		t.Fatalf("revoke: status %d, %v", status, answer)
	}
	wantCall(t, a.s, http.StatusUnauthorized, tok.AccessToken)
}

func TestClientCredentialsWithOAuth2(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	tok := s.ServiceToken(t, "catalog.read")
	wantCall(t, s, http.StatusOK, tok.AccessToken)
	if tok.RefreshToken != "" || tok.IDToken != "" {
		t.Error("client_credentials must give an access token and nothing else")
	}
}
