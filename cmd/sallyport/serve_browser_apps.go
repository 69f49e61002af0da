package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"sallyport/internal/bff"
	"sallyport/internal/gateway"
	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// openBrowser makes what is remembered of browser sessions.
func (n *node) openBrowser() {
	n.browser = bff.NewMemory()
	n.feed.OnEntry(func(e revocation.Entry) {
		if e.Kind == revocation.Grant {
			n.browser.GrantEnded(e.ID)
		}
	})
	n.feed.OnReturn(n.browser.Forget)
}

// browserSecrets draws a secret for the client of each browser app. It is known to
// this assembly alone, which is client and issuer in one.
func (a *assembly) browserSecrets(clients []oauth.Client) []oauth.Client {
	a.browserSecret = map[string]secret.Value{}
	for i := range a.config.BrowserApps {
		b := &a.config.BrowserApps[i]
		id := b.clientID()
		if implicit, own := a.config.browserClient(b); own && a.browserSecret[id].IsZero() {
			clients = append(clients, implicit)
		}
		if a.browserSecret[id].IsZero() {
			a.browserSecret[id] = secret.NewHandle(secret.ClientSecret)
		}
		for k := range clients {
			if clients[k].ID == id {
				clients[k].Secrets = append(clients[k].Secrets, oauth.ClientSecret{Hash: a.browserSecret[id].Hash()})
			}
		}
	}
	return clients
}

// assembleBrowser makes the backend of the browser apps.
func (a *assembly) assembleBrowser(context.Context, *keyFinder) error {
	if len(a.config.BrowserApps) == 0 {
		return nil
	}
	reader, err := token.NewAccessReader(a.keys.Ring, a.config.Issuer, a.now)
	if err != nil {
		return err
	}
	o := bff.Options{
		Issuer: a.config.Issuer, Store: a.store.Browser(), Ring: a.keys.Ring, Memory: a.node.browser, Now: a.now,
		Revoked: func(access secret.Value) bool {
			var t token.Access
			_, err := reader.Open(context.Background(), access.Reveal(), &t)
			return err == nil && a.feed.Revoked(&t)
		},
		Guarded: a.config.guards,
	}
	for i := range a.config.BrowserApps {
		b := &a.config.BrowserApps[i]
		app := bff.App{
			Name: b.Name, Origin: b.Origin, Path: b.Path, ClientID: b.clientID(), APIs: b.APIs, Scope: a.config.scopeOf(b),
			AfterLogin: b.AfterLogin, Claims: b.claims(), Tier: a.config.tierOf(b),
			Client: &ownIssuer{a: a, id: b.clientID(), reader: reader},
		}
		if b.Files != "" {
			root, err := os.OpenRoot(a.config.file(b.Files))
			if err != nil {
				return fmt.Errorf("browser_apps[%d].files: %w", i, err)
			}
			app.Files = root.FS()
		}
		o.Apps = append(o.Apps, app)
	}
	a.browserApps, err = bff.New(o)
	return err
}

// guards reports whether a path is that of an API.
func (c *config) guards(path string) bool {
	for i := range c.APIs {
		p := strings.TrimSuffix(c.APIs[i].Path, "/")
		if rest, ok := strings.CutPrefix(path, p); c.APIs[i].guarded() && p != "" && ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// withCookies lets the APIs of browser apps be called with their cookies.
func (a *assembly) withCookies(apis []gateway.API) []gateway.API {
	if a.browserApps == nil {
		return apis
	}
	for i := range apis {
		if gate := a.browserApps.Gate(apis[i].Name); gate != nil {
			apis[i].Browser = gate
		}
	}
	return apis
}

// ownIssuer is the client of a browser app that speaks to the issuer of this
// process, in the words of the protocol.
type ownIssuer struct {
	a      *assembly
	id     string
	reader *token.AccessReader
}

func (o *ownIssuer) request(params url.Values) oauth.Request {
	basic := url.QueryEscape(o.id) + ":" + url.QueryEscape(o.a.browserSecret[o.id].Reveal())
	return oauth.Request{Params: params, Authorization: []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(basic))}, Method: "POST", URL: o.a.config.Issuer + "/oauth/token"}
}

var errTooMany = errors.New("too many sign-ins from there")

// Begin implements bff.Client. Parameters are pushed only where that is asked for:
// a pushed request is a row, and anybody can begin to sign in.
func (o *ownIssuer) Begin(ctx context.Context, remote netip.Addr, params url.Values) (string, error) {
	at := o.a.config.Issuer + "/oauth/authorize?"
	if !o.a.config.RequirePushed {
		return at + params.Encode(), nil
	}
	if ok, _ := o.a.limits.Allow(o.a.now(), ratelimit.PushedStranger, ratelimit.Network(remote)); !ok {
		return "", errTooMany
	}
	push, err := o.a.oauth.ReadPush(ctx, o.request(params))
	if err != nil {
		return "", err
	}
	res, err := push.Store(ctx)
	if err != nil {
		return "", err
	}
	return at + url.Values{"client_id": {o.id}, "request_uri": {res.RequestURI}}.Encode(), nil
}

// Redeem implements bff.Client.
func (o *ownIssuer) Redeem(ctx context.Context, code secret.Value, redirectURI string, verifier secret.Value) (bff.Tokens, error) {
	return o.token(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {code.Reveal()}, "redirect_uri": {redirectURI}, "code_verifier": {verifier.Reveal()},
	})
}

// Renew implements bff.Client.
func (o *ownIssuer) Renew(ctx context.Context, refresh secret.Value) (bff.Tokens, error) {
	return o.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()}})
}

func (o *ownIssuer) token(ctx context.Context, params url.Values) (bff.Tokens, error) {
	now := o.a.now()
	res, err := o.a.oauth.Token(ctx, o.request(params))
	var refused *oauth.Error
	if errors.As(err, &refused) && refused.Code != oauth.TemporarilyUnavailable && refused.Code != oauth.ServerError {
		return bff.Tokens{}, fmt.Errorf("%w: %w", bff.ErrEnded, err)
	}
	if err != nil {
		return bff.Tokens{}, err
	}
	t := bff.Tokens{Access: res.AccessToken, Refresh: res.RefreshToken, Lifetime: time.Duration(res.ExpiresInSeconds) * time.Second}
	t.Expires = now.Add(t.Lifetime)
	var access token.Access
	if _, err := o.reader.Open(ctx, t.Access.Reveal(), &access); err != nil {
		return bff.Tokens{}, fmt.Errorf("read our own access token: %w", err)
	}
	t.Grant = access.GrantID
	t.Claims, err = idTokenClaims(res.IDToken)
	return t, err
}

// idTokenClaims reads an ID token that the issuer has just given to this very
// process: there is no way on which another could have come (OpenID Connect Core
// §3.1.3.7, 6).
func idTokenClaims(id secret.Value) (map[string]json.RawMessage, error) {
	if id.IsZero() {
		return nil, nil
	}
	_, rest, _ := strings.Cut(id.Reveal(), ".")
	payload, _, _ := strings.Cut(rest, ".")
	plain, err := base64.RawURLEncoding.DecodeString(payload)
	var claims map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(plain, &claims)
	}
	if err != nil {
		return nil, errors.New("the ID token cannot be read: a browser app's client has it unencrypted")
	}
	return claims, nil
}

// Revoke implements bff.Client.
func (o *ownIssuer) Revoke(ctx context.Context, refresh secret.Value) error {
	if refresh.IsZero() {
		return nil
	}
	return o.a.oauth.Revoke(ctx, o.request(url.Values{"token": {refresh.Reveal()}}))
}

// Logout implements bff.Client.
func (o *ownIssuer) Logout(ctx context.Context, grant secret.ID) error {
	return o.a.oauth.LogoutGrant(ctx, grant)
}
