package oauth_test

import (
	"strings"
	"testing"

	"sallyport/internal/oauth"
)

// Whoever has a scope of receivers hears of everybody: no client gives it to itself.
func TestRV19ScopesOfReceiversAreAnAdministratorsToGive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client oauth.Client
		ok     bool
	}{
		"a service client":                {oauth.Client{Type: oauth.ServiceClient, Scope: "ssf.read ssf.manage"}, true},
		"one without":                     {oauth.Client{Type: oauth.ServiceClient, Origin: oauth.OriginRegistered, Scope: "ssf.readme"}, true},
		"one that registered itself":      {oauth.Client{Type: oauth.ServiceClient, Origin: oauth.OriginRegistered, Scope: "ssf.read"}, false},
		"one that is known by a document": {oauth.Client{Type: oauth.ServiceClient, Origin: oauth.OriginDocument, Scope: "ssf.manage"}, false},
		"an app for people":               {oauth.Client{Type: oauth.Native, Scope: "openid ssf.manage"}, false},
		"a server for people":             {oauth.Client{Type: oauth.Server, Scope: "ssf.read openid"}, false},
	} {
		setting, why := c.client.Problem()
		if got := setting == "scope" && strings.Contains(why, "ssf."); got == c.ok {
			t.Errorf("%s: %s %s", name, setting, why)
		}
	}
}

func TestRV19AReceiversTokenIsForTheIssuer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rx := oauth.Client{ID: "rx", Type: oauth.ServiceClient, Scope: "ssf.read ssf.manage catalog.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}}}
	for on, s := range map[bool]*oauth.Service{
		true:  r.node(r.feed, func(o *oauth.Options) { o.Signals, o.Clients = true, append(o.Clients, rx) }),
		false: r.node(r.feed, func(o *oauth.Options) { o.Clients = append(o.Clients, rx) }),
	} {
		req := r.form("grant_type", "client_credentials", "client_id", "rx", "client_secret", r.secret.Reveal(), "scope", "ssf.manage")
		res, err := s.Token(t.Context(), req)
		if !on {
			wantCode(t, err, oauth.InvalidScope)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		receiver := func(scopes ...string) (string, error) {
			return s.Receiver(t.Context(), oauth.Request{Authorization: []string{"Bearer " + res.AccessToken.Reveal()}}, scopes...)
		}
		if id, err := receiver(oauth.SignalsManageScope); err != nil || id != "rx" {
			t.Errorf("%s %v", id, err)
		}
		_, err = receiver(oauth.SignalsReadScope)
		wantCode(t, err, oauth.InsufficientScope)
		// A token for an API is none for the issuer, whatever scopes its client has.
		res, err = s.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "rx", "client_secret", r.secret.Reveal(), "scope", "catalog.read"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = receiver(oauth.SignalsManageScope)
		wantCode(t, err, oauth.InsufficientScope)
	}
}
