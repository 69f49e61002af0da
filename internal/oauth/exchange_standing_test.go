package oauth_test

import (
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// A node that has not read yet what ended asks for whoever a token is about.
func TestTK24ExchangeDoesNotRestOnTheFeed(t *testing.T) {
	t.Parallel()
	r := newExchangeRig(t)
	source := oauth.Client{
		ID: "source", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}},
		Epoch: secret.NewID(r.clock.now()), CreatedAt: r.clock.now(),
	}
	if err := r.store.OAuth().AddClient(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	ofClient, ofPerson := r.own("source"), r.tokens("scope", "openid catalog.read").AccessToken
	good := func(tok secret.Value) bool {
		_, err := r.send(r.exchange("orders", tok, "scope", "catalog.read"))
		if err != nil {
			wantCode(t, err, "invalid_request")
		}
		return err == nil
	}
	if !good(ofClient) || !good(ofPerson) {
		t.Fatal("not good to begin with")
	}
	now := r.clock.now()
	if err := r.store.OAuth().SetClientDisabled(t.Context(), "source", true, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Account().SetDisabled(t.Context(), r.user.ID, true, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if good(ofPerson) {
		t.Error("the token of a person who is disabled was exchanged")
	}
	r.ForgetClients()
	if good(ofClient) {
		t.Error("the token of a client that is disabled was exchanged")
	}
}

func TestTK16UserInfoDoesNotRestOnTheFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tok := bearer(r.tokens().AccessToken)
	if _, err := r.UserInfo(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	now := r.clock.now()
	if err := r.store.Account().SetDisabled(t.Context(), r.user.ID, true, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err := r.UserInfo(t.Context(), tok)
	wantCode(t, err, "invalid_token")
}

func TestTK14AccessTokensEndWithTheGrant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, func(o *oauth.Options) { o.Clients[0].Settings.RefreshAbsolute = 700 })
	first := r.tokens()
	r.later(5 * time.Minute)
	next, err := r.refresh(first.RefreshToken)
	if err != nil || first.ExpiresInSeconds != 600 || next.ExpiresInSeconds != 400 {
		t.Errorf("they live for %d and then %+v, %v", first.ExpiresInSeconds, next, err)
	}
}
