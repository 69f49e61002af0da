package oauth_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	grantExchange = oauth.GrantTokenExchange
	accessType    = "urn:ietf:params:oauth:token-type:access_token"
	jwtType       = "urn:ietf:params:oauth:token-type:jwt"
)

// exchangeRig is a rig with clients that may exchange tokens:
//
//	orders    is called with tokens for catalog, and calls weather and catalog itself
//	silent    the same, and its tokens do not say who acts
//	either    the same, and says it if it sends actor_token
//	helper    is called with no tokens; presents those of app
//	picky     is called with tokens for catalog, of web alone
//	billing   is called with tokens for weather, and calls pay
type exchangeRig struct{ *rig }

func newExchangeRig(t *testing.T) *exchangeRig {
	t.Helper()
	r := &exchangeRig{newRig(t)}
	hashed := []oauth.ClientSecret{{Hash: r.secret.Hash()}}
	client := func(id, scope string, resources []string, p oauth.ExchangePolicy) oauth.Client {
		return oauth.Client{ID: id, Type: oauth.ServiceClient, Scope: scope, Secrets: hashed, Resources: resources, Settings: oauth.Settings{
			GrantTypes: []string{"client_credentials", grantExchange}, Exchange: p,
		}}
	}
	to := []string{"weather", "catalog", "stock"}
	added := []string{"weather.read"}
	const scope = "catalog.read weather.read stock.read"
	apis := []string{"catalog", "stock"}
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Resources = append(o.Resources, oauth.Resource{Name: "stock", Audience: stock, Tier: token.TierStandard, Scopes: []string{"stock.read"}, Format: token.FormatJWT})
		for i := range o.Clients {
			if len(o.Clients[i].Resources) == 0 {
				o.Clients[i].Scope += " stock.read"
			}
		}
		o.Clients = append(o.Clients,
			client("orders", scope, apis, oauth.ExchangePolicy{Audiences: to, Scopes: added}),
			client("silent", scope, apis, oauth.ExchangePolicy{Audiences: to, Scopes: added, Modes: []string{"impersonation"}}),
			client("either", scope, apis, oauth.ExchangePolicy{Audiences: to, Scopes: added, Modes: []string{"impersonation", "delegation"}}),
			client("helper", scope, nil, oauth.ExchangePolicy{Audiences: to, Subjects: []string{"app", "bound"}}),
			client("picky", scope, apis, oauth.ExchangePolicy{Audiences: to, Subjects: []string{"web"}}),
			client("billing", "pay", []string{"weather"}, oauth.ExchangePolicy{Audiences: []string{"pay"}, Scopes: []string{"pay"}}),
			client("idle", scope, apis, oauth.ExchangePolicy{}))
		for _, c := range o.Clients {
			if setting, why := c.Problem(); why != "" && c.ID != "idle" {
				t.Errorf("%s: %s %s", c.ID, setting, why)
			}
		}
	})
	return r
}

// exchange is a request with nothing wrong by client; change adds, replaces, or
// removes with an empty value.
func (r *exchangeRig) exchange(client string, subject secret.Value, change ...string) oauth.Request {
	req := r.form("grant_type", grantExchange, "client_id", client, "client_secret", "yes", "subject_token", subject.Reveal(), "subject_token_type", accessType)
	for i := 0; i < len(change); i += 2 {
		if req.Params.Set(change[i], change[i+1]); change[i+1] == "" {
			req.Params.Del(change[i])
		}
	}
	return with(req)
}

func (r *exchangeRig) own(client string) secret.Value {
	r.t.Helper()
	return r.mustSend(r.form("grant_type", "client_credentials", "client_id", client, "client_secret", "yes", "scope", "catalog.read")).AccessToken
}

func TestTK24TK26Exchange(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	subject := r.tokens("scope", "openid catalog.read").AccessToken
	was := r.opened(subject)
	r.later(time.Minute)
	res, err := r.send(r.exchange("orders", subject, "audience", "weather"))
	if err != nil {
		t.Fatal(err)
	}
	if res.IssuedTokenType != accessType || !res.RefreshToken.IsZero() || !res.IDToken.IsZero() || res.TokenType != "Bearer" {
		t.Errorf("TK26 %+v", res)
	}
	var wire map[string]any
	if err := json.Unmarshal(res.AppendJSON(nil), &wire); err != nil || wire["issued_token_type"] != accessType || wire["scope"] != "weather.read" {
		t.Errorf("TK26 on the wire: %v, %v", wire, err)
	}
	got := r.opened(res.AccessToken)
	if got.Subject != r.user.ID || got.ClientID != "orders" || got.Audience != weather || got.Scope != "weather.read" || got.GrantID != was.GrantID ||
		got.ACR != was.ACR || got.AMR != was.AMR || got.AuthTime != was.AuthTime || got.Actor != `{"sub":"client:orders"}` || got.Serial == was.Serial {
		t.Errorf("TK24 the token says %+v", got)
	}
	if got.ExpiresAt() > was.ExpiresAt() {
		t.Errorf("TK25 it ends %d s after the one that it came from", got.ExpiresAt()-was.ExpiresAt())
	}
	if told := r.introspect("rs2", res.AccessToken); told["sub"] != r.user.ID || told["act"].(map[string]any)["sub"] != "client:orders" {
		t.Errorf("TK24 introspection says %v", told)
	}
}

func TestTK24SubjectTokensThatDoNotCount(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	good := r.tokens("scope", "openid catalog.read")
	elsewhere := r.tokens("scope", "openid weather.read").AccessToken
	foreign := newRig(t).tokens("scope", "openid catalog.read").AccessToken // of another deployment
	clients := r.own("job")
	for name, c := range map[string]struct {
		client  string
		subject secret.Value
		typ     string
		reason  string // "" is a good one
	}{
		"the pair":                    {"orders", good.AccessToken, accessType, ""},
		"the pair of a client":        {"orders", clients, accessType, ""},
		"the pair by policy":          {"helper", good.AccessToken, accessType, ""},
		"refresh token":               {"orders", good.RefreshToken, accessType, "not_alive"},
		"ID token as access token":    {"orders", good.IDToken, accessType, "not_alive"},
		"garbage":                     {"orders", secret.New("x"), accessType, "not_alive"},
		"made up":                     {"orders", secret.NewHandle(secret.AccessToken), accessType, "not_alive"},
		"of another issuer":           {"orders", foreign, accessType, "not_alive"},
		"for another API":             {"orders", elsewhere, accessType, "subject_audience"},
		"of a client not in policy":   {"picky", good.AccessToken, accessType, "subject_client"},
		"for no API of the client":    {"billing", good.AccessToken, accessType, "subject_audience"},
		"an access token as inner":    {"orders", good.AccessToken, jwtType, "not_alive"},
		"from the future":             {"orders", r.sealed(func(a *token.Access) { a.IssuedAt += 120 }), accessType, "not_alive"},
		"of a person who is not here": {"orders", r.sealed(func(a *token.Access) { a.Subject = "nobody" }), accessType, "person_ended"},
		"of a client that is not":     {"orders", r.sealed(func(a *token.Access) { a.ClientID = "nobody" }), accessType, "client_ended"},
	} {
		t.Run("TK24 "+name, func(t *testing.T) {
			reason, err := r.refusedFor(r.exchange(c.client, c.subject, "subject_token_type", c.typ, "scope", "catalog.read"))
			if c.reason == "" {
				if err != nil {
					t.Errorf("refused: %v (%s)", err, reason)
				}
				return
			}
			wantCode(t, err, "invalid_request")
			if reason != c.reason || !strings.HasSuffix(err.Error(), "subject_token is not valid here") {
				t.Errorf("%v, reason %q, want %q", err, reason, c.reason)
			}
		})
	}
	for _, typ := range []string{"refresh_token", "id_token", "saml2", "saml1"} {
		_, err := r.refusedFor(r.exchange("orders", good.RefreshToken, "subject_token_type", "urn:ietf:params:oauth:token-type:"+typ))
		if wantCode(t, err, "invalid_request"); !strings.Contains(err.Error(), "only access tokens") {
			t.Errorf("TK24 %s: %v", typ, err)
		}
	}
}

// refusedFor sends req and returns the reason that was noted.
func (r *exchangeRig) refusedFor(req oauth.Request) (reason string, err error) {
	rec := &audit.Record{}
	_, err = r.Token(audit.WithRecord(r.t.Context(), rec), req)
	for _, e := range rec.Events() {
		if e.Name == audit.ExchangeRefused {
			reason = e.Reason
		}
	}
	return reason, err
}

func TestTK24DeadSubjectTokens(t *testing.T) {
	t.Parallel()
	keep := func(r *exchangeRig) (time.Time, time.Time) { return r.clock.now(), r.clock.now().Add(time.Hour) }
	for name, end := range map[string]func(*exchangeRig, *oauth.TokenResponse) error{
		"nothing happened": nil,
		"J095 expired":     func(r *exchangeRig, _ *oauth.TokenResponse) error { r.clock.advance(10 * time.Minute); return nil },
		"J095 revoked": func(r *exchangeRig, res *oauth.TokenResponse) error {
			return r.Revoke(r.t.Context(), r.form("client_id", "app", "token", res.AccessToken.Reveal()))
		},
		"J095 grant revoked": func(r *exchangeRig, res *oauth.TokenResponse) error {
			return r.Revoke(r.t.Context(), r.form("client_id", "app", "token", res.RefreshToken.Reveal()))
		},
		"J095 signed out": func(r *exchangeRig, _ *oauth.TokenResponse) error {
			_, err := r.EndSession(r.t.Context(), r.session.ID)
			return err
		},
		"J095 person disabled": func(r *exchangeRig, _ *oauth.TokenResponse) error {
			now, until := keep(r)
			return r.store.Account().SetDisabled(r.t.Context(), r.user.ID, true, now, until)
		},
	} {
		t.Run("TK24 "+name, func(t *testing.T) {
			r := newExchangeRig(t)
			res := r.tokens("scope", "openid catalog.read")
			before := r.mustSend(r.exchange("orders", res.AccessToken, "audience", "weather")).AccessToken
			if end != nil {
				if err := end(r, res); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.feed.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := r.send(r.exchange("orders", res.AccessToken, "audience", "weather"))
			alive := r.introspect("rs2", before)["active"] == true
			switch {
			case end == nil && (err != nil || !alive):
				t.Errorf("the pair: %v, the exchanged token is active: %v", err, alive)
			case end != nil:
				wantCode(t, err, "invalid_request")
			}
			// What came from the grant ends with it. A single access token takes nothing
			// with it, but what came from it lives no longer than it would have.
			if name != "J095 revoked" && end != nil && alive {
				t.Error("the exchanged token outlives what it stands on")
			}
		})
	}
}

// An exchanged token ends with the client that exchanged it, though the grant is
// another client's.
func TestTK24ExchangedTokensEndWithTheClientThatExchanged(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	stored := oauth.Client{
		ID: "stored", Type: oauth.ServiceClient, Scope: "weather.read stock.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}}, Resources: []string{"catalog"},
		Epoch: secret.NewID(r.clock.now()), CreatedAt: r.clock.now(),
		Settings: oauth.Settings{GrantTypes: []string{grantExchange}, Exchange: oauth.ExchangePolicy{Audiences: []string{"weather", "stock"}, Scopes: []string{"weather.read", "stock.read"}}},
	}
	if err := r.store.OAuth().AddClient(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	subject := r.tokens("scope", "openid catalog.read").AccessToken
	sealed := r.mustSend(r.exchange("stored", subject, "audience", "weather")).AccessToken
	jwt := r.mustSend(r.exchange("stored", subject, "audience", "stock")).AccessToken
	if !r.rsActive(sealed) || !r.rsActive(jwt) {
		t.Fatal("not active to begin with")
	}
	now := r.clock.now()
	if err := r.store.OAuth().SetClientDisabled(t.Context(), "stored", true, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.rsActive(sealed) || r.rsActive(jwt) {
		t.Error("the client is disabled, and its exchanged tokens live on")
	}
	if !r.active(subject) {
		t.Error("the token that was presented ended too")
	}
}

// rsActive asks as a resource server of the token.
func (r *exchangeRig) rsActive(tok secret.Value) bool {
	return r.introspect("rs2", tok)["active"] == true || r.introspect("orders", tok)["active"] == true
}

func TestTK25ExchangeNarrowsOnly(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	subject := r.tokens("scope", "openid catalog.read catalog.write stock.read").AccessToken
	for name, c := range map[string]struct {
		client string
		change []string
		code   string // "" is a good one
		scope  string
	}{
		"all that is to be had":               {"orders", nil, "", "catalog.read weather.read"},
		"one API by name":                     {"orders", []string{"audience", "weather"}, "", "weather.read"},
		"one API by audience":                 {"orders", []string{"audience", weather}, "", "weather.read"},
		"one API by resource":                 {"orders", []string{"resource", weather}, "", "weather.read"},
		"a scope":                             {"orders", []string{"scope", "catalog.read"}, "", "catalog.read"},
		"a scope of the API":                  {"orders", []string{"scope", "weather.read", "resource", weather}, "", "weather.read"},
		"a name as resource":                  {"orders", []string{"resource", "weather"}, "invalid_target", ""},
		"an API of a third party":             {"orders", []string{"audience", "https://evil.example"}, "invalid_target", ""},
		"an API that policy has not":          {"orders", []string{"audience", "pay"}, "invalid_target", ""},
		"the issuer itself":                   {"orders", []string{"resource", issuer}, "invalid_target", ""},
		"a scope of another API":              {"orders", []string{"scope", "weather.read", "audience", "catalog"}, "invalid_scope", ""},
		"a scope that the client has not":     {"orders", []string{"scope", "catalog.write"}, "invalid_scope", ""},
		"a scope that the subject has not":    {"helper", []string{"scope", "weather.read"}, "invalid_scope", ""},
		"an API without a scope for it":       {"helper", []string{"audience", "weather"}, "invalid_scope", ""},
		"openid":                              {"orders", []string{"scope", "openid"}, "invalid_scope", ""},
		"offline_access":                      {"orders", []string{"scope", "catalog.read offline_access"}, "invalid_scope", ""},
		"a scope that does not exist":         {"orders", []string{"scope", "catalog.read root"}, "invalid_scope", ""},
		"a scope that is malformed":           {"orders", []string{"scope", "catalog.read  weather.read"}, "invalid_scope", ""},
		"details where there are none":        {"orders", []string{"authorization_details", `[{"type":"payment"}]`}, "invalid_authorization_details", ""},
		"another token type":                  {"orders", []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request", ""},
		"an ID token":                         {"orders", []string{"requested_token_type", "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request", ""},
		"an access token by name":             {"orders", []string{"requested_token_type", accessType, "audience", "weather"}, "", "weather.read"},
		"actor_token without its type":        {"orders", []string{"actor_token", "x"}, "invalid_request", ""},
		"actor_token_type without its token":  {"orders", []string{"actor_token_type", accessType}, "invalid_request", ""},
		"no subject_token":                    {"orders", []string{"subject_token", ""}, "invalid_request", ""},
		"no subject_token_type":               {"orders", []string{"subject_token_type", ""}, "invalid_request", ""},
		"TK20 a client that may not exchange": {"job", nil, "unauthorized_client", ""},
		"a client without policy":             {"idle", nil, "invalid_scope", ""},
	} {
		t.Run("TK25 TK26 "+name, func(t *testing.T) {
			change := c.change
			if len(change) == 0 {
				change = []string{"scope", c.scope}
			}
			res, err := r.send(r.exchange(c.client, subject, change...))
			if c.code != "" {
				wantCode(t, err, c.code)
				return
			}
			if err != nil || res.Scope != c.scope {
				t.Errorf("%v, %+v, want %q", err, res, c.scope)
			}
		})
	}
	t.Run("TK20 a public client", func(t *testing.T) {
		req := r.exchange("app", subject)
		req.Params.Del("client_secret")
		_, err := r.send(req)
		wantCode(t, err, "unauthorized_client")
	})
	t.Run("TK24 nobody without authentication", func(t *testing.T) {
		_, err := r.send(r.exchange("orders", subject, "client_secret", "wrong"))
		wantCode(t, err, "invalid_client")
	})
	t.Run("TK25 several APIs", func(t *testing.T) {
		req := r.exchange("orders", subject)
		req.Params["audience"] = []string{"weather", "catalog"}
		res, err := r.send(req)
		if err != nil || r.opened(res.AccessToken).Audience != catalog+" "+weather {
			t.Errorf("%+v, %v", res, err)
		}
	})
	t.Run("TK25 life", func(t *testing.T) {
		r.later(9 * time.Minute)
		res, err := r.send(r.exchange("orders", subject, "audience", "weather"))
		if err != nil || res.ExpiresInSeconds != 60 {
			t.Errorf("%+v, %v: want the minute that the subject's token has left", res, err)
		}
	})
}

func TestTK25DetailsAreNarrowedOnly(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	const read, pays = `{"n":1,"type":"read"}`, `{"locations":["https://api.example.com/pay"],"type":"payment"}`
	const both = `{"locations":["https://api.example.com/catalog","https://api.example.com/pay"],"type":"both"}`
	subject := r.sealed(func(a *token.Access) { a.Details = "[" + read + "," + pays + "," + both + "]" })
	for name, c := range map[string]struct{ asked, want, code string }{
		"all that are for the API": {"", "[" + read + "]", ""},
		"one of them":              {`[ {"n":1, "type":"read"} ]`, "[" + read + "]", ""},
		"of another API too":       {"[" + both + "]", "", "invalid_authorization_details"},
		"more":                     {`[{"type":"read","n":2}]`, "", "invalid_authorization_details"},
		"of another API":           {"[" + pays + "]", "", "invalid_authorization_details"},
		"another type":             {`[{"type":"write"}]`, "", "invalid_authorization_details"},
		"no array":                 {read, "", "invalid_authorization_details"},
	} {
		t.Run("TK25 "+name, func(t *testing.T) {
			res, err := r.send(r.exchange("orders", subject, "scope", "catalog.read", "authorization_details", c.asked))
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil || r.opened(res.AccessToken).Details != c.want || r.opened(res.AccessToken).Audience != catalog {
				t.Errorf("%+v, %v; want %s", res, err, c.want)
			}
		})
	}
}

func TestJ097ChainsOfActors(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	chain := func(n int) string {
		return strings.Repeat(`{"sub":"client:x","act":`, n-1) + `{"sub":"client:x"}` + strings.Repeat("}", n-1)
	}
	mine, others := r.own("either"), r.own("job")
	for name, c := range map[string]struct {
		client string
		was    string
		change []string
		act    string // of the new token
		code   string
	}{
		"J097 the client acts":                       {"orders", "", nil, `{"sub":"client:orders"}`, ""},
		"J097 and before it another":                 {"orders", `{"sub":"client:shop"}`, nil, `{"sub":"client:orders","act":{"sub":"client:shop"}}`, ""},
		"J097 and again it itself":                   {"orders", `{"sub":"client:orders"}`, nil, `{"sub":"client:orders"}`, ""},
		"J097 as many as there may be":               {"orders", chain(token.MaxActors - 1), nil, `{"sub":"client:orders","act":` + chain(token.MaxActors-1) + "}", ""},
		"J097 TK25 one more":                         {"orders", chain(token.MaxActors), nil, "", "invalid_request"},
		"J097 TK25 eleven":                           {"orders", chain(11), nil, "", "invalid_request"},
		"J097 a claim that is no chain":              {"orders", `{"client_id":"orders"}`, nil, "", "invalid_request"},
		"J097 impersonation says nobody":             {"silent", "", nil, "", ""},
		"J097 impersonation cuts no chain":           {"silent", `{"sub":"client:shop"}`, nil, `{"sub":"client:shop"}`, ""},
		"J097 impersonation names no actor":          {"silent", "", []string{"actor_token", mine.Reveal(), "actor_token_type", accessType}, "", "invalid_request"},
		"J097 either, without an actor":              {"either", "", nil, "", ""},
		"J097 either, with one":                      {"either", "", []string{"actor_token", mine.Reveal(), "actor_token_type", accessType}, `{"sub":"client:either"}`, ""},
		"J097 somebody else's token as actor":        {"either", "", []string{"actor_token", others.Reveal(), "actor_token_type", accessType}, "", "invalid_request"},
		"J097 garbage as actor":                      {"either", "", []string{"actor_token", "x", "actor_token_type", accessType}, "", "invalid_request"},
		"J097 an actor of a type that is not opened": {"either", "", []string{"actor_token", mine.Reveal(), "actor_token_type", "urn:x"}, "", "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			subject := r.sealed(func(a *token.Access) { a.Actor = c.was })
			res, err := r.send(r.exchange(c.client, subject, append([]string{"scope", "catalog.read"}, c.change...)...))
			if c.code != "" {
				wantCode(t, err, c.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := r.opened(res.AccessToken)
			if got.Actor != c.act || got.Subject != r.user.ID {
				t.Errorf("act %s of %s, want %s", got.Actor, got.Subject, c.act)
			}
		})
	}
	t.Run("J097 may_act", func(t *testing.T) {
		for who, ok := range map[string]bool{`{"sub":"client:orders"}`: true, `{"sub":"client:other"}`: false, `"client:orders"`: false, `{}`: false, `{"sub":"client:orders","act":{"sub":"client:x"}}`: false} {
			subject := r.jwtWith(`,"may_act":` + who)
			_, err := r.send(r.exchange("orders", subject, "audience", "weather"))
			if ok != (err == nil) {
				t.Errorf("TK25 may_act %s: %v", who, err)
			}
		}
	})
}

// jwtWith is an access token for stock with more claims.
func (r *exchangeRig) jwtWith(more string) secret.Value {
	r.t.Helper()
	now := r.clock.now()
	id := secret.NewID(now)
	payload, err := json.Marshal(map[string]any{
		"iss": issuer, "aud": stock, "sub": r.user.ID, "client_id": "app", "scope": "stock.read", "jti": id.String() + "." + id.String(), "iat": now.Unix(), "exp": now.Unix() + 300,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	jwt, err := r.ring.Signer(token.SignAccess).Sign(token.TypeAccess, []byte(strings.TrimSuffix(string(payload), "}")+more+"}"))
	if err != nil {
		r.t.Fatal(err)
	}
	return secret.New(jwt)
}

// A resource server was called with a token that its app has proved the key of; it
// cannot prove it again. Nobody else may present such a token.
func TestTK24BoundSubjectTokens(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	key, other := r.newKey(), r.newKey()
	bound := r.mustSend(with(r.redemption("bound", r.code("client_id", "bound")), key.proof())).AccessToken
	own := r.mustSend(with(r.form("grant_type", "client_credentials", "client_id", "orders", "client_secret", "yes", "scope", "catalog.read"), key.proof())).AccessToken
	for name, c := range map[string]struct {
		client  string
		subject secret.Value
		proof   string
		code    string
		confirm token.Confirmation
	}{
		"a resource server":             {"orders", bound, "", "", token.Confirmation{}},
		"and binds to a key of its own": {"orders", bound, other.proof(), "", other.confirmation()},
		"a client that policy names":    {"helper", bound, "", "invalid_request", token.Confirmation{}},
		"its own, by its key":           {"orders", own, key.proof(), "", key.confirmation()},
		"its own, without a proof":      {"orders", own, "", "invalid_dpop_proof", token.Confirmation{}},
		"its own, by another key":       {"orders", own, other.proof(), "invalid_request", token.Confirmation{}},
	} {
		t.Run("TK24 "+name, func(t *testing.T) {
			req := r.exchange(c.client, c.subject, "scope", "catalog.read")
			if c.proof != "" {
				req.DPoP = []string{c.proof}
			}
			res, err := r.send(req)
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil || r.opened(res.AccessToken).Confirm != c.confirm {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
	t.Run("PP12 tier high takes bound tokens alone", func(t *testing.T) {
		subject := r.tokens("scope", "openid weather.read").AccessToken
		_, err := r.send(r.exchange("billing", subject))
		wantCode(t, err, "invalid_dpop_proof")
		res, err := r.send(with(r.exchange("billing", subject), key.proof()))
		if err != nil || res.TokenType != "DPoP" || r.opened(res.AccessToken).Confirm != key.confirmation() {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

// A backend behind the gateway has nothing but the inner token of the call.
func TestTK24InnerTokens(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	res := r.tokens("scope", "openid catalog.read")
	outer := r.opened(res.AccessToken)
	now := r.clock.now().Unix()
	inner := func(change map[string]any) secret.Value {
		claims := map[string]any{
			"iss": issuer, "aud": catalog, "sub": r.user.ID, "client_id": "app", "scope": "catalog.read", "iat": now, "exp": now + 60, "jti": "x",
			"acr": token.ACRPassword, "amr": []string{"pwd"}, "auth_time": now, "grant": outer.GrantID.String(),
		}
		for name, v := range change {
			if claims[name] = v; v == nil {
				delete(claims, name)
			}
		}
		b, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		jwt, err := r.ring.Signer(token.SignInner).Sign(token.TypeInner, b)
		if err != nil {
			t.Fatal(err)
		}
		return secret.New(jwt)
	}
	for name, c := range map[string]struct {
		client string
		change map[string]any
		ok     bool
	}{
		"for an API of the client":       {"orders", nil, true},
		"with who acted before":          {"orders", map[string]any{"act": map[string]any{"sub": "client:shop"}}, true},
		"of a client":                    {"orders", map[string]any{"sub": "client:job", "client_id": "job", "grant": nil, "auth_time": nil, "acr": nil, "amr": nil}, true},
		"for another API":                {"billing", nil, false},
		"by policy, without being asked": {"helper", nil, false},
		"for two APIs":                   {"orders", map[string]any{"aud": []string{catalog, weather}}, false},
		"of another issuer":              {"orders", map[string]any{"iss": "https://other.example"}, false},
		"that lives too long":            {"orders", map[string]any{"exp": now + 600}, false},
		"without exp":                    {"orders", map[string]any{"exp": nil}, false},
		"of a person who is not here":    {"orders", map[string]any{"sub": "nobody"}, false},
		"with a grant that is no ID":     {"orders", map[string]any{"grant": "x"}, false},
	} {
		t.Run("TK24 "+name, func(t *testing.T) {
			_, err := r.send(r.exchange(c.client, inner(c.change), "subject_token_type", jwtType, "scope", "catalog.read"))
			if c.ok != (err == nil) {
				t.Errorf("%v", err)
			}
			if !c.ok {
				wantCode(t, err, "invalid_request")
			}
		})
	}
	tok := inner(nil)
	got := r.mustSend(r.exchange("orders", tok, "subject_token_type", jwtType, "audience", "weather"))
	a := r.opened(got.AccessToken)
	if a.GrantID != outer.GrantID || a.Subject != r.user.ID || got.ExpiresInSeconds > 60 || a.Actor != `{"sub":"client:orders"}` || a.AuthTime != now || a.AMR != "pwd" {
		t.Errorf("%+v", a)
	}
	if _, err := r.send(r.exchange("orders", tok, "audience", "weather")); err == nil {
		t.Error("TK24 an inner token passes as an access token")
	}
	if err := r.Revoke(t.Context(), r.form("client_id", "app", "token", res.RefreshToken.Reveal())); err != nil {
		t.Fatal(err)
	}
	if _, err := r.send(r.exchange("orders", tok, "subject_token_type", jwtType, "audience", "weather")); err == nil {
		t.Error("TK24 the grant has ended, and its inner token is exchanged")
	}
}

func TestExchangeNeedsToKnow(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	subject := r.tokens("scope", "openid catalog.read").AccessToken
	r.clock.advance(time.Minute) // and nobody reads the feed
	_, err := r.send(r.exchange("orders", subject, "audience", "weather"))
	wantCode(t, err, "temporarily_unavailable")
}

func TestTK24ExchangeIsOnRecord(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	rec := &audit.Record{}
	if _, err := r.Token(audit.WithRecord(t.Context(), rec), r.exchange("orders", r.tokens().AccessToken, "audience", "weather")); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rec.Events(), func(e audit.Event) bool { return e.Name == audit.TokenExchanged })
	if i < 0 {
		t.Fatalf("%+v", rec.Events())
	}
	if e := rec.Events()[i]; e.Client != "orders" || e.Subject != r.user.ID || e.Actor != "client:orders" || e.Reason != "delegation" || e.Grant == "" {
		t.Errorf("%+v", e)
	}
}

func TestExchangePoliciesThatCannotBeKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client  oauth.Client
		setting string
	}{
		"the pair":               {oauth.Client{Settings: oauth.Settings{GrantTypes: []string{grantExchange}, Exchange: oauth.ExchangePolicy{Audiences: []string{"a"}}}}, ""},
		"policy alone":           {oauth.Client{Settings: oauth.Settings{Exchange: oauth.ExchangePolicy{Audiences: []string{"a"}}}}, "token_exchange"},
		"grant type alone":       {oauth.Client{Settings: oauth.Settings{GrantTypes: []string{grantExchange}}}, "token_exchange.audiences"},
		"unknown mode":           {oauth.Client{Settings: oauth.Settings{GrantTypes: []string{grantExchange}, Exchange: oauth.ExchangePolicy{Audiences: []string{"a"}, Modes: []string{"x"}}}}, "token_exchange.modes"},
		"scope of others":        {oauth.Client{Scope: "b", Settings: oauth.Settings{GrantTypes: []string{grantExchange}, Exchange: oauth.ExchangePolicy{Audiences: []string{"a"}, Scopes: []string{"c"}}}}, "token_exchange.scopes"},
		"who registered himself": {oauth.Client{Origin: oauth.OriginRegistered, Settings: oauth.Settings{GrantTypes: []string{grantExchange}, Exchange: oauth.ExchangePolicy{Audiences: []string{"a"}}}}, "token_exchange"},
	} {
		c.client.Type = oauth.ServiceClient
		if got, why := c.client.Problem(); got != c.setting {
			t.Errorf("%s: %s %s, want %s", name, got, why, c.setting)
		}
	}
}
