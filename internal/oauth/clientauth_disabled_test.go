package oauth_test

import (
	"errors"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// Whatever a client holds ends with it, at once.
func TestCL31ADisabledClientGetsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := r.clock.now()
	stored := oauth.Client{
		ID: "stored", Type: oauth.Server, Scope: "openid catalog.read", RedirectURIs: []string{callback}, CreatedAt: now, Epoch: secret.NewID(now),
		Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash(), CreatedAt: now}},
	}
	if err := r.store.OAuth().AddClient(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	sec := r.secret.Reveal()
	redeem := func(code string) (*oauth.TokenResponse, error) {
		return r.redeem(code, "client_id", "stored", "client_secret", sec)
	}
	push := func() error {
		p := authorizeParams("client_id", "stored", "client_secret", sec)
		_, err := r.ReadPush(t.Context(), oauth.Request{Params: p, Method: "POST", URL: issuer + "/oauth/par"})
		return err
	}
	res, err := redeem(r.code("client_id", "stored"))
	if err != nil {
		t.Fatal(err)
	}
	pending := r.code("client_id", "stored")
	if err := push(); err != nil || !r.active(res.AccessToken) {
		t.Fatalf("before: %v", err)
	}
	if err := r.store.OAuth().SetClientDisabled(t.Context(), "stored", true, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.ForgetClient("stored") // as the feed says
	_, err = redeem(pending)
	wantCode(t, err, "invalid_client")
	_, err = r.refresh(res.RefreshToken, "client_id", "stored", "client_secret", sec)
	wantCode(t, err, "invalid_client")
	wantCode(t, push(), "invalid_client")
	if r.active(res.AccessToken) {
		t.Error("its access token is active")
	}
	var page *oauth.PageError
	if _, err := r.Authorize(t.Context(), authorizeParams("client_id", "stored")); !errors.As(err, &page) {
		t.Errorf("a new request: %v", err)
	}
	// Enabled again, it begins anew.
	if err := r.store.OAuth().SetClientDisabled(t.Context(), "stored", false, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.ForgetClient("stored")
	if err := push(); err != nil {
		t.Errorf("enabled again: %v", err)
	}
	_, err = r.refresh(res.RefreshToken, "client_id", "stored", "client_secret", sec)
	wantCode(t, err, "invalid_grant")
}

// A client_id has one type: there is no second client of its name, of whatever type.
func TestCL01OneTypeForAClientID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := oauth.Client{ID: "one", Type: oauth.Native, Scope: "openid", RedirectURIs: []string{callback}, CreatedAt: r.clock.now(), Epoch: secret.NewID(r.clock.now())}
	if err := r.store.OAuth().AddClient(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	c.Type, c.Secrets = oauth.Server, []oauth.ClientSecret{{Hash: r.secret.Hash()}}
	if err := r.store.OAuth().AddClient(t.Context(), c); !errors.Is(err, oauth.ErrExists) {
		t.Fatalf("a second client of the name: %v", err)
	}
	_, err := r.Token(t.Context(), r.form("grant_type", "refresh_token", "client_id", "one", "client_secret", "yes", "refresh_token", "x"))
	wantCode(t, err, "invalid_client")
}
