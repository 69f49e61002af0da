package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// sealed is a token that says what change makes of a good one for two APIs.
func (r *rig) sealed(change func(*token.Access)) secret.Value {
	r.t.Helper()
	now := r.clock.now()
	a := token.Access{
		GrantID: secret.NewID(now), Serial: secret.NewID(now), ClientID: "app", Subject: r.user.ID, Audience: catalog + " " + pay, Scope: "catalog.read pay",
		IssuedAt: now.Unix(), Lifetime: 300, AuthTime: now.Unix(), ACR: token.ACRPassword, AMR: "pwd", Tier: token.TierStandard,
	}
	change(&a)
	tok, err := r.ring.SealAccess(&a)
	if err != nil {
		r.t.Fatal(err)
	}
	return tok
}

func TestIN05IntrospectionTellsActorAndDetails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tok := r.sealed(func(a *token.Access) {
		a.Details = `[{"type":"read","locations":["` + catalog + `"]},{"type":"payment","locations":["` + pay + `"]}]`
		a.Actor = `{"sub":"client:orders"}`
	})
	got := r.introspect("rs", tok)
	if act, _ := got["act"].(map[string]any); act["sub"] != "client:orders" || got["sub"] != r.user.ID {
		t.Errorf("IN05 sub %v, act %v", got["sub"], got["act"])
	}
	details, _ := got["authorization_details"].([]any)
	if len(details) != 1 || details[0].(map[string]any)["type"] != "read" {
		t.Errorf("IN04 details %v, want those for this API", details)
	}
	// The answer is for one caller: a resource server of another API learns nothing.
	if got := r.introspect("rs2", tok); len(got) != 1 {
		t.Errorf("IN04 %v", got)
	}
}

func TestIN02IN03InactiveAnswersAreAllAlike(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := r.clock.now()
	ended := func(kind string, end func(tok *oauth.TokenResponse) error) secret.Value {
		res := r.tokens()
		if err := end(res); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		return res.AccessToken
	}
	web := r.webTokens()
	foreign := newRig(t).tokens().AccessToken
	revoked := ended("revoked", func(res *oauth.TokenResponse) error {
		return r.Revoke(t.Context(), r.form("client_id", "app", "token", res.AccessToken.Reveal()))
	})
	grant := ended("grant revoked", func(res *oauth.TokenResponse) error {
		return r.Revoke(t.Context(), r.form("client_id", "app", "token", res.RefreshToken.Reveal()))
	})
	good := r.tokens().AccessToken
	ask := func(tok string) string {
		b, err := r.Introspect(t.Context(), r.form("client_id", "rs", "client_secret", "yes", "token", tok))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, tok := range map[string]string{
		"IN02 unknown":                    "x",
		"IN02 made up":                    secret.NewHandle(secret.AccessToken).Reveal(),
		"IN02 a changed bit":              flipped(good.Reveal(), 40),
		"IN03 expired":                    r.sealed(func(a *token.Access) { a.IssuedAt, a.Lifetime = now.Unix()-300, 300 }).Reveal(),
		"IN03 not valid yet":              r.sealed(func(a *token.Access) { a.IssuedAt = now.Unix() + 120 }).Reveal(),
		"IN03 revoked":                    revoked.Reveal(),
		"IN03 its grant revoked":          grant.Reveal(),
		"IN03 of another issuer":          foreign.Reveal(),
		"IN04 for another API":            r.sealed(func(a *token.Access) { a.Audience, a.Scope = pay, "pay" }).Reveal(),
		"IN09 a refresh token":            web.RefreshToken.Reveal(),
		"IN02 an ID token":                web.IDToken.Reveal(),
		"IN02 a code":                     r.code(),
		"IN02 a client secret":            r.secret.Reveal(),
		"IN03 a JWT with no signature":    "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.",
		"IN02 longer than any of ours is": strings.Repeat("x", 9000),
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(tok); got != `{"active":false}` {
				t.Errorf("%s", got)
			}
		})
	}
	if got := ask(good.Reveal()); !strings.HasPrefix(got, `{"active":true,`) {
		t.Errorf("the pair: %s", got)
	}
	t.Run("IN03 the person disabled", func(t *testing.T) {
		if err := r.store.Account().SetDisabled(t.Context(), r.user.ID, true, now, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := r.feed.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := ask(good.Reveal()); got != `{"active":false}` {
			t.Errorf("%s", got)
		}
	})
}

func TestIN05WhatIsToldOfAToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	res := r.mustSend(with(r.redemption("app", r.code("scope", "openid catalog.read weather.read")), key.proof()))
	got := r.introspect("rs", res.AccessToken)
	now := float64(r.clock.now().Unix())
	for name, want := range map[string]any{
		"active": true, "iss": issuer, "sub": r.user.ID, "aud": catalog, "client_id": "app", "scope": "catalog.read", "token_type": "DPoP", "iat": now, "exp": now + 600,
		"auth_time": now, "acr": token.ACRPassword,
	} {
		t.Run("IN05 "+name, func(t *testing.T) {
			if got[name] != want {
				t.Errorf("%v, want %v", got[name], want)
			}
		})
	}
	if cnf, _ := got["cnf"].(map[string]any); cnf["jkt"] != key.jkt() {
		t.Errorf("IN05 cnf %v", got["cnf"])
	}
	if _, told := got["username"]; told {
		t.Error("IN05 a resource server needs no name of the person")
	}
	if weather := r.introspect("rs2", res.AccessToken); weather["scope"] != "weather.read" || weather["aud"] == catalog {
		t.Errorf("IN04 the resource server of weather sees %v", weather)
	}
}

func TestIN06AnswersAsJWT(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"", "ES256", "RS256"} {
		r := newRig(t)
		r.Service = r.node(r.feed, func(o *oauth.Options) {
			for i := range o.Clients {
				o.Clients[i].Settings.IntrospectionSig = jose.Algorithm(alg)
			}
		})
		live := r.tokens().AccessToken
		for name, tok := range map[string]secret.Value{"active": live, "inactive": secret.New("x")} {
			t.Run("IN06 "+name+" "+alg, func(t *testing.T) {
				req := r.form("client_id", "rs", "client_secret", "yes", "token", tok.Reveal())
				answer, err := r.IntrospectSigned(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				plain, err := r.Introspect(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				jwt := answer.JWT.Reveal()
				if want := map[string]string{"": "ES256", "ES256": "ES256", "RS256": "RS256"}[alg]; header(t, jwt)["typ"] != "token-introspection+jwt" || header(t, jwt)["alg"] != want {
					t.Errorf("header %v", header(t, jwt))
				}
				c := claims(t, jwt)
				if got := names(c); strings.Join(got, " ") != "aud iat iss token_introspection" {
					t.Errorf("claims %v: nothing may stand there that makes a token", got)
				}
				if c["iss"] != issuer || c["aud"] != "rs" || c["iat"] != float64(r.clock.now().Unix()) {
					t.Errorf("%v", c)
				}
				var want map[string]any
				if err := json.Unmarshal(plain, &want); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, c["token_introspection"]); d != "" || answer.Active != (name == "active") {
					t.Errorf("active %v, differs from the plain answer:\n%s", answer.Active, d)
				}
				// It is no token of ours, wherever it is shown.
				if got := r.introspect("rs", answer.JWT); len(got) != 1 {
					t.Errorf("J092 it is active: %v", got)
				}
				if _, err := r.UserInfo(t.Context(), bearer(answer.JWT)); err == nil {
					t.Error("J092 userinfo takes it")
				}
			})
		}
		_, err := r.IntrospectSigned(t.Context(), r.form("client_id", "rs", "client_secret", "wrong", "token", live.Reveal()))
		wantCode(t, err, "invalid_client")
	}
}

func header(t *testing.T, jwt string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.SplitN(jwt, ".", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestIN07AnswersAreEncrypted(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := oauth.Settings{IntrospectionAlg: "ECDH-ES+A256KW", IntrospectionEnc: "A256GCM", JWKS: setOf(t, gojose.JSONWebKey{Key: key.Public(), KeyID: "mine", Use: "enc"})}
	r := &receiver{rig: newRig(t), key: key, alg: gojose.ECDH_ES_A256KW, enc: gojose.A256GCM}
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		for i := range o.Clients {
			if o.Clients[i].ID == "rs" {
				o.Clients[i].Settings = want
			}
		}
	})
	answer, err := r.IntrospectSigned(t.Context(), r.form("client_id", "rs", "client_secret", "yes", "token", r.tokens().AccessToken.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	c := r.open(answer.JWT.Reveal(), "token-introspection+jwt")
	if told, _ := c["token_introspection"].(map[string]any); told["sub"] != r.user.ID || c["aud"] != "rs" {
		t.Errorf("IN07 %v", c)
	}
}

// flipped is s with another character at i.
func flipped(s string, i int) string {
	other := "A"
	if s[i] == 'A' {
		other = "B"
	}
	return s[:i] + other + s[i+1:]
}
