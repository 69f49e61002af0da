package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"sallyport/internal/oauth"
	"sallyport/internal/token/jose"
)

const logoutAddress = "https://app.example.com/logout"

// posted signs a person out of a session with one app, and makes what that is sent.
func (r *receiver) posted(t *testing.T) (id string, m oauth.Message, err error) {
	t.Helper()
	if _, err := r.redeem(r.code()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.EndSession(t.Context(), r.session.SID); err != nil {
		t.Fatal(err)
	}
	list, err := r.store.Outbox().ClaimPosts(t.Context(), r.clock.now(), r.clock.now().Add(time.Minute), 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d messages wait: %v", len(list), err)
	}
	r.clock.advance(30 * time.Minute) // it had been away
	m, err = r.MakePost(t.Context(), list[0].ID, oauth.PostKind(list[0].Kind), list[0].Payload)
	return list[0].ID, m, err
}

func TestRV13LogoutToken(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, oauth.Settings{BackChannelURI: logoutAddress})
	id, m, err := r.posted(t)
	if err != nil {
		t.Fatal(err)
	}
	if m.URL != logoutAddress || m.ContentType != "application/x-www-form-urlencoded" || !m.Authorization.IsZero() {
		t.Errorf("%+v", m)
	}
	jwt, ok := strings.CutPrefix(m.Body.Reveal(), "logout_token=")
	if !ok {
		t.Fatalf("body %q", m.Body.Reveal())
	}
	now := float64(r.clock.now().Unix())
	want := map[string]any{
		"iss": issuer, "aud": "app", "sub": r.user.ID, "sid": r.session.SID.String(), "iat": now, "exp": now + 120, "jti": id,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if d := cmp.Diff(want, r.verify(jwt, "logout+jwt")); d != "" { // no nonce, above all
		t.Error(d)
	}
}

func TestRV13LogoutTokenIsWrittenAsTheClientsIDTokens(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, oauth.Settings{
		BackChannelURI: logoutAddress, SubjectType: "pairwise", IDTokenAlg: jose.ECDHES, IDTokenEnc: jose.A256GCM,
		JWKS: setOf(t, gojose.JSONWebKey{Key: key.Public(), KeyID: "mine", Use: "enc"}),
	})
	r.key = key
	_, m, err := r.posted(t)
	if err != nil {
		t.Fatal(err)
	}
	claims := r.open(strings.TrimPrefix(m.Body.Reveal(), "logout_token="), "logout+jwt")
	if sid, _ := claims["sid"].(string); claims["sub"] == r.user.ID || claims["sub"] == "" || sid == "" || sid == r.session.SID.String() {
		t.Errorf("a client with pairwise subjects is told of %v", claims)
	}
}

// Who has no address any more when the message is made is sent nothing.
func TestRV13NobodyIsToldWhoWantsItNoMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]oauth.Client{
		"no address": {ID: "app", Type: oauth.Native, RedirectURIs: []string{callback}, Scope: "openid catalog.read"},
		"disabled":   {ID: "app", Type: oauth.Native, RedirectURIs: []string{callback}, Scope: "openid catalog.read", Disabled: true, Settings: oauth.Settings{BackChannelURI: logoutAddress}},
		"gone":       {ID: "another", Type: oauth.Native, RedirectURIs: []string{callback}},
	} {
		r := newReceiver(t, oauth.Settings{BackChannelURI: logoutAddress})
		before := r.Service
		r.Service = r.node(r.feed, func(o *oauth.Options) { o.Clients[0].Settings.BackChannelURI = logoutAddress })
		_, _, err := r.posted(t)
		if err != nil {
			t.Fatal(name, err)
		}
		after := r.node(r.feed, func(o *oauth.Options) { o.Clients[0] = c })
		payload := []byte(`{"client":"app","sid":"` + r.session.SID.String() + `","user":"` + r.user.ID + `"}`)
		if _, err := after.MakePost(t.Context(), "x", oauth.PostLogout, payload); !errors.Is(err, oauth.ErrNothingToSend) {
			t.Errorf("%s: %v, want that there is nothing to send", name, err)
		}
		if _, err := before.MakePost(t.Context(), "x", oauth.PostLogout, payload); err != nil {
			t.Error(err)
		}
	}
}

func TestWhereClientsAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings oauth.Settings
		typ      oauth.ClientType
		wrong    string
	}{
		"both":                         {settings: oauth.Settings{BackChannelURI: logoutAddress, FrontChannelURI: logoutAddress}},
		"another host, for servers":    {settings: oauth.Settings{BackChannelURI: "https://api.example.com/logout"}},
		"on this machine":              {settings: oauth.Settings{BackChannelURI: "http://127.0.0.1:8080/logout"}},
		"a query":                      {settings: oauth.Settings{BackChannelURI: logoutAddress + "?a=b"}},
		"a fragment":                   {settings: oauth.Settings{BackChannelURI: logoutAddress + "#x"}, wrong: "backchannel_logout_uri"},
		"no TLS":                       {settings: oauth.Settings{BackChannelURI: "http://app.example.com/logout"}, wrong: "backchannel_logout_uri"},
		"a name and password":          {settings: oauth.Settings{BackChannelURI: "https://a:b@app.example.com/logout"}, wrong: "backchannel_logout_uri"},
		"a frame of another host":      {settings: oauth.Settings{FrontChannelURI: "https://evil.example/logout"}, wrong: "frontchannel_logout_uri"},
		"a frame of another port":      {settings: oauth.Settings{FrontChannelURI: "https://app.example.com:8443/logout"}, wrong: "frontchannel_logout_uri"},
		"a frame that ends a policy":   {settings: oauth.Settings{FrontChannelURI: "https://app.example.com/x;script-src *"}, wrong: "frontchannel_logout_uri"},
		"a script as a frame":          {settings: oauth.Settings{FrontChannelURI: "javascript:alert(1)"}, wrong: "frontchannel_logout_uri"},
		"a service that has no people": {settings: oauth.Settings{BackChannelURI: logoutAddress}, typ: oauth.ServiceClient, wrong: "backchannel_logout_uri"},
	} {
		client := oauth.Client{ID: "x", Type: oauth.Server, RedirectURIs: []string{callback}, Settings: c.settings}
		if c.typ != "" {
			client.Type = c.typ
		}
		if got, why := client.Problem(); got != c.wrong {
			t.Errorf("%s: %q %s, want %q", name, got, why, c.wrong)
		}
	}
}

func TestPostsHideSecretsForAnHour(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sealed, err := r.SealForPost(r.secret)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, r.secret.Reveal()) {
		t.Error("it is in clear text")
	}
	r.clock.advance(time.Hour)
	got, err := r.OpenForPost(sealed)
	if err != nil || got.Reveal() != r.secret.Reveal() {
		t.Errorf("%v %v", got, err)
	}
	if _, err := r.OpenForPost(sealed[:len(sealed)-1]); !errors.Is(err, oauth.ErrNothingToSend) {
		t.Errorf("damaged: %v", err)
	}
}
