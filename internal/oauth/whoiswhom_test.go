package oauth_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// signedOut is the logout token that a client gets of the session.
func (r *rig) signedOut(s *oauth.Service, client string) map[string]any {
	r.t.Helper()
	payload := []byte(`{"client":"` + client + `","sid":"` + r.session.SID.String() + `","user":"` + r.user.ID + `"}`)
	m, err := s.MakePost(r.t.Context(), "x", oauth.PostLogout, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	return claims(r.t, strings.TrimPrefix(m.Body.Reveal(), "logout_token="))
}

// All clients of a browser have the same session. Where people have a name of their
// own in each sector, the session has too: in ID tokens, in logout tokens, in the
// frame of front-channel logout and in signals.
func TestID02SectorsHaveNoSessionInCommon(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, pairwise, func(o *oauth.Options) {
		for i := range o.Clients {
			o.Clients[i].Settings.BackChannelURI, o.Clients[i].Settings.FrontChannelURI = logoutAddress, callback
		}
	})
	sids := map[string]string{}
	for _, client := range []string{"pw1", "pw2", "pw3", "app"} {
		sids[client], _ = claims(t, r.tokensOf(client).IDToken.Reveal())["sid"].(string)
		told := r.signedOut(r.Service, client)
		if sids[client] == "" || told["sid"] != sids[client] {
			t.Errorf("%s: the ID token is of session %q, the logout token of %v", client, sids[client], told["sid"])
		}
		frame, err := r.FrontChannel(t.Context(), client, r.session.SID)
		if err != nil || query(t, frame).Get("sid") != sids[client] {
			t.Errorf("%s: the frame is of %s, %v", client, frame, err)
		}
		if sid, err := r.KnownSession(t.Context(), client, r.session.SID); err != nil || sid != sids[client] {
			t.Errorf("%s: signals are of %s, %v", client, sid, err)
		}
	}
	if sids["app"] != r.session.SID.String() || sids["pw1"] != sids["pw2"] || sids["pw1"] == sids["pw3"] || sids["pw1"] == sids["app"] || sids["pw3"] == sids["app"] {
		t.Errorf("sessions: %v", sids)
	}
	hint := r.tokensOf("pw3").IDToken.Reveal()
	view, err := r.Logout(t.Context(), url.Values{"id_token_hint": {hint}}, r.session)
	if err != nil || view.Confirm || len(view.SIDs) != 1 {
		t.Errorf("its ID token still names the session: %+v, %v", view, err)
	}
}

// A sub is no sid, though both are made alike.
func TestID02SubjectsAreNoSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, pairwise)
	now := r.clock.now().Unix()
	sub, _ := claims(t, r.tokensOf("pw3").IDToken.Reveal())["sub"].(string)
	body, err := json.Marshal(map[string]any{"iss": issuer, "aud": "pw3", "sub": sub, "sid": sub, "iat": now, "exp": now + 60})
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := r.ring.Signer(token.SignIDToken).Sign(token.TypeID, body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Logout(t.Context(), url.Values{"id_token_hint": {jwt}}, r.session); err == nil {
		t.Error("a subject was read as a session")
	}
}

// Two clients that compare what they know could ask with an ID token of the other
// whether it is about the person who sits here.
func TestID02HintsOfAnotherSectorAreAboutNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, pairwise)
	of := func(client string) string { return r.tokensOf(client).IDToken.Reveal() }
	for name, c := range map[string]struct {
		client, hint string
		known        bool
	}{
		"its own":                         {"pw3", of("pw3"), true},
		"of its sector":                   {"pw2", of("pw1"), true},
		"of another sector":               {"pw3", of("pw2"), false},
		"of a client with account IDs":    {"pw3", of("app"), false},
		"of a sector, for account IDs":    {"app", of("pw3"), false},
		"of account IDs, for account IDs": {"app", of("other"), true},
	} {
		a, err := r.Authorize(t.Context(), authorizeParams("client_id", c.client, "id_token_hint", c.hint))
		if err != nil {
			t.Fatal(name, err)
		}
		if step, err := r.Next(t.Context(), a, r.session); err != nil || (step == oauth.StepLogin) == c.known {
			t.Errorf("a hint %s: step %v, %v", name, step, err)
		}
		a.Prompt = []string{"none"}
		_, err = r.Next(t.Context(), a, r.session)
		var back *oauth.RedirectError
		if refused := errors.As(err, &back) && back.Code == oauth.LoginRequired; refused == c.known {
			t.Errorf("a hint %s, silently: %v", name, err)
		}
	}
}

// Whoever registers himself proves a sector by where his codes go. On a device they
// go nowhere.
func TestID02StrangersTakeNoSectorWithoutProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering(func(o *oauth.Options) {
		o.Registration.GrantTypes = []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}
	})
	const device = "urn:ietf:params:oauth:grant-type:device_code"
	for name, c := range map[string]struct {
		change []any
		ok     bool
	}{
		"by redirects":                   {[]any{"subject_type", "pairwise"}, true},
		"with a device":                  {[]any{"subject_type", "pairwise", "grant_types", []string{"authorization_code", device}}, false},
		"a device with account IDs":      {[]any{"grant_types", []string{"authorization_code", device}}, true},
		"on everybody's address":         {[]any{"subject_type", "pairwise", "redirect_uris", []string{"https://localhost/cb"}}, false},
		"on everybody's address, by IP":  {[]any{"subject_type", "pairwise", "redirect_uris", []string{"https://127.0.0.1/cb"}}, false},
		"on everybody's address, public": {[]any{"redirect_uris", []string{"https://localhost/cb"}}, true},
	} {
		_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, c.change...)))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// act names people by their account IDs, so clients with pairwise subjects get no
// tokens in which somebody acts for somebody.
func TestID02ChainsOfPeopleAreNotForPairwiseClients(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		policy := oauth.ExchangePolicy{Audiences: []string{"catalog"}}
		hashed := []oauth.ClientSecret{{Hash: r.secret.Hash()}}
		for id, kind := range map[string]string{"desk": "pairwise", "open-desk": ""} {
			o.Clients = append(o.Clients, oauth.Client{
				ID: id, Type: oauth.Server, Scope: "openid catalog.read", Secrets: hashed, Resources: []string{"catalog"}, RedirectURIs: []string{callback},
				Settings: oauth.Settings{SubjectType: kind, GrantTypes: []string{"authorization_code", grantExchange}, Exchange: policy},
			})
		}
	})
	subject := r.sealed(func(*token.Access) {})
	for client, ok := range map[string]bool{"desk": false, "open-desk": true} {
		person, err := r.redeem(r.code("client_id", client), "client_id", client, "client_secret", r.secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.send(r.exchange(client, subject, "scope", "catalog.read")); err != nil {
			t.Errorf("%s, the client itself acts: %v", client, err)
		}
		_, err = r.send(r.exchange(client, subject, "scope", "catalog.read", "actor_token", person.AccessToken.Reveal(), "actor_token_type", accessType))
		if (err == nil) != ok {
			t.Errorf("%s, a person acts: %v", client, err)
		}
		acted := r.sealed(func(a *token.Access) { a.Actor = `{"sub":"` + r.user.ID + `"}` })
		if _, err := r.send(r.exchange(client, acted, "scope", "catalog.read")); (err == nil) != ok {
			t.Errorf("%s, a person has acted: %v", client, err)
		}
	}
}

// An actor token that came of an exchange ends with two others; the new token could
// not end with all of them.
func TestTK24ActorTokensAreNotExchangedOnes(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	subject := r.tokens("scope", "openid catalog.read").AccessToken
	actor := func(from secret.Value) error {
		_, err := r.send(r.exchange("either", subject, "scope", "catalog.read", "actor_token", from.Reveal(), "actor_token_type", accessType))
		return err
	}
	mine := r.own("either")
	if err := actor(mine); err != nil {
		t.Errorf("its own: %v", err)
	}
	exchanged, err := r.send(r.exchange("either", subject, "scope", "catalog.read"))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, actor(exchanged.AccessToken), "invalid_request")
}

// The new token ends with the first of the two that were presented, by time and by
// revocation.
func TestTK25ExchangedTokensEndWithTheActor(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	mine := r.own("either")
	r.later(9 * time.Minute)
	subject := r.tokens("scope", "openid catalog.read").AccessToken
	res := r.mustSend(r.exchange("either", subject, "scope", "catalog.read", "actor_token", mine.Reveal(), "actor_token_type", accessType))
	if got, actor := r.opened(res.AccessToken), r.opened(mine); got.ExpiresAt() != actor.ExpiresAt() || got.Exchanger != actor.GrantID {
		t.Errorf("it ends at %d and with %v, the actor's at %d and with %v", got.ExpiresAt(), got.Exchanger, actor.ExpiresAt(), actor.GrantID)
	}
}

// Each token of the client's own that is bound is presented by its key.
func TestTK24TwoBoundTokensOfOneClient(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	key, other := r.newKey(), r.newKey()
	own := func(p string) secret.Value {
		return r.mustSend(with(r.form("grant_type", "client_credentials", "client_id", "orders", "client_secret", "yes", "scope", "catalog.read"), p)).AccessToken
	}
	subject, same, another := own(key.proof()), own(key.proof()), own(other.proof())
	for name, c := range map[string]struct {
		actor secret.Value
		proof string
		ok    bool
	}{
		"by one key":                    {same, key.proof(), true},
		"by two keys, proving one":      {another, key.proof(), false},
		"by two keys, proving the next": {another, other.proof(), false},
	} {
		req := r.exchange("orders", subject, "scope", "catalog.read", "actor_token", c.actor.Reveal(), "actor_token_type", accessType)
		req.DPoP = []string{c.proof}
		if _, err := r.send(req); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was left out of a request counts too: a page could not show what is longer
// than can be read again.
func TestPR12DetailsWithTheirLocationsStayWithinTheLimit(t *testing.T) {
	t.Parallel()
	r := newPaymentsRig(t)
	city := func(n int) string { return `{"type":"visit","city":"` + strings.Repeat("a", n) + `"}` }
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(city(n)+",", 10), ",") + "]" }
	params := func(n int) url.Values {
		return authorizeParams("client_id", "payer", "authorization_details", list(n))
	}
	a, err := r.Authorize(t.Context(), params(250))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Consent(a).Details); n != 10 {
		t.Errorf("the page shows %d of 10", n)
	}
	long := newPaymentsRig(t, func(o *oauth.Options) {
		for i := range o.Resources {
			o.Resources[i].Audience += "/" + strings.Repeat("x", 100)
		}
	})
	_, err = long.Authorize(t.Context(), params(250))
	var back *oauth.RedirectError
	if !errors.As(err, &back) || back.Code != oauth.InvalidAuthorizationDetails {
		t.Errorf("10 objects that grow beyond the limit: %v", err)
	}
}
