package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

var clientTests = []test{
	{"a client comes back as it was stored", clientRoundTrip},
	{"a new secret lets the others end and tells the feed", addSecret},
	{"disabling a client ends its grants and tokens once", disableClient},
	{"removing a client leaves nothing but the entry", removeClient},
	{"changing an unknown client is not found", unknownClient},
}

// responses is everything that a client may want of its answers.
var responses = oauth.Settings{
	JWKS: `{"keys":[{"kty":"EC","kid":"“1”"}]}`, JWKSURI: "https://a.example/jwks", IDTokenAlg: jose.ECDHES, IDTokenEnc: jose.A256GCM,
	UserInfoSig: jose.ES256, UserInfoAlg: jose.RSAOAEP256, UserInfoEnc: jose.A128CBCHS256,
}

func (r *rig) client(id string) oauth.Client {
	return oauth.Client{
		ID: id, Name: "Shop “1”", Type: oauth.Server, RedirectURIs: []string{"https://a.example/cb?x=1,2", "com.example:/cb"},
		PostLogoutRedirectURIs: []string{"https://a.example/bye"}, Scope: "openid catalog.read", Resources: []string{"catalog"}, Contacts: []string{"ops@a.example"}, Settings: responses, CreatedAt: r.clock(),
		Secrets: []oauth.ClientSecret{r.secret(time.Time{})}, Epoch: secret.NewID(start),
	}
}

func (r *rig) secret(until time.Time) oauth.ClientSecret {
	return oauth.ClientSecret{Hash: secret.NewHandle(secret.ClientSecret).Hash(), CreatedAt: r.clock(), ExpiresAt: until}
}

// stored compares of a client what is kept of it.
var stored = cmpopts.IgnoreUnexported(oauth.Client{})

func (r *rig) wantClient(want oauth.Client) {
	r.t.Helper()
	got, err := r.OAuth.Client(r.ctx(), want.ID)
	r.ok(err)
	if got.Epoch.IsZero() {
		r.t.Error("a stored client has no epoch")
	}
	if want.Epoch.IsZero() { // the store has chosen it
		want.Epoch = got.Epoch
	}
	if d := cmp.Diff(want, got, stored); d != "" {
		r.t.Error(d)
	}
}

func clientRoundTrip(r *rig) {
	full, bare := r.client("web"), oauth.Client{ID: "app", Type: oauth.Native, CreatedAt: r.clock(), Epoch: secret.NewID(start)}
	bound, certified := r.client("bound"), r.client("certified")
	bound.DPoPBound, certified.CertificateBound = true, true
	for _, c := range []oauth.Client{bound, certified} {
		r.ok(r.OAuth.AddClient(r.ctx(), c))
		r.wantClient(c)
		r.ok(r.OAuth.RemoveClient(r.ctx(), c.ID, r.clock(), r.keep()))
	}
	before := r.entries()
	for _, c := range []oauth.Client{full, bare} {
		r.ok(r.OAuth.AddClient(r.ctx(), c))
		r.wantClient(c)
	}
	list, err := r.OAuth.Clients(r.ctx())
	r.ok(err)
	if d := cmp.Diff([]oauth.Client{bare, full}, list, stored); d != "" {
		r.t.Error(d)
	}
	again := full
	again.Secrets = []oauth.ClientSecret{r.secret(time.Time{})}
	r.is("taken", r.OAuth.AddClient(r.ctx(), again), oauth.ErrExists)
	r.wantClient(full)
	for _, id := range []string{"", "nobody", "WEB", "web\x00", "\xff"} {
		_, err = r.OAuth.Client(r.ctx(), id)
		r.is("client "+id, err, oauth.ErrNotFound)
	}
	if after := r.entries(); len(after) != len(before) {
		r.t.Errorf("adding clients added %d entries to the feed", len(after)-len(before))
	}
}

func addSecret(r *rig) {
	c := r.client("web")
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	overlap := r.clock().Add(time.Hour)
	r.advance(time.Second)
	second := r.secret(time.Time{})
	r.ok(r.OAuth.AddClientSecret(r.ctx(), c.ID, second, overlap, r.clock(), r.keep()))
	c.Secrets[0].ExpiresAt = overlap
	c.Secrets = append(c.Secrets, second)
	r.wantClient(c)
	want := revocation.Entry{Kind: revocation.Changed, ID: c.ID, Reason: revocation.ReasonAdmin, ExpiresAt: r.keep()}
	r.wantFeed(want)

	// The first would end sooner than the new overlap, and keeps its end.
	r.advance(time.Second)
	third := r.secret(r.clock().Add(24 * time.Hour))
	r.ok(r.OAuth.AddClientSecret(r.ctx(), c.ID, third, overlap.Add(time.Hour), r.clock(), r.keep()))
	c.Secrets[1].ExpiresAt = overlap.Add(time.Hour)
	c.Secrets = append(c.Secrets, third)
	r.wantClient(c)

	// No overlap: the others are gone.
	r.advance(time.Second)
	last := r.secret(time.Time{})
	r.ok(r.OAuth.AddClientSecret(r.ctx(), c.ID, last, r.clock(), r.clock(), r.keep()))
	c.Secrets = []oauth.ClientSecret{last}
	r.wantClient(c)
}

func disableClient(r *rig) {
	first := secret.NewID(start)
	r.ok(r.OAuth.AddClient(r.ctx(), oauth.Client{ID: "app", Type: oauth.Native, Epoch: first}))
	_, s, g := r.signedIn("ada")
	pending := r.grant(s) // a code that is still under way
	other := r.grantOf(s, "other")
	r.ok(r.OAuth.RedeemCode(r.ctx(), other))
	for range 2 {
		r.ok(r.OAuth.SetClientDisabled(r.ctx(), "app", true, r.clock(), r.keep()))
	}
	r.wantClient(oauth.Client{ID: "app", Type: oauth.Native, Disabled: true})
	r.wantRevoked(g.ID, revocation.ReasonAdmin)
	r.wantAlive(other.ID)
	ended := []revocation.Entry{
		{Kind: revocation.Grant, ID: g.ID.String(), Reason: revocation.ReasonAdmin, ExpiresAt: r.keep()},
		{Kind: revocation.Grant, ID: first.String(), Reason: revocation.ReasonAdmin, ExpiresAt: r.keep()},
		{Kind: revocation.Changed, ID: "app", Reason: revocation.ReasonAdmin, ExpiresAt: r.keep()},
	}
	r.wantFeed(ended...)
	r.is("code of a disabled client", r.OAuth.RedeemCode(r.ctx(), pending), oauth.ErrStale)
	for range 2 {
		r.ok(r.OAuth.SetClientDisabled(r.ctx(), "app", false, r.clock(), r.keep()))
	}
	r.wantClient(oauth.Client{ID: "app", Type: oauth.Native})
	r.wantRevoked(g.ID, revocation.ReasonAdmin)
	r.wantFeed(append(ended, revocation.Entry{Kind: revocation.Changed, ID: "app", Reason: revocation.ReasonAdmin, ExpiresAt: r.keep()})...)
	r.is("code from before", r.OAuth.RedeemCode(r.ctx(), pending), oauth.ErrStale)
	again, err := r.OAuth.Client(r.ctx(), "app")
	r.ok(err)
	if again.Epoch == first || again.Epoch.IsZero() {
		r.t.Error("the client's tokens of before and after share an epoch")
	}
	r.addGrant(s)
}

func removeClient(r *rig) {
	c := r.client("app")
	c.Epoch = secret.NewID(start)
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	u, _, g := r.signedIn("ada")
	r.ok(r.OAuth.SaveConsent(r.ctx(), oauth.Consent{UserID: u.ID, ClientID: "app", Scope: "openid", GrantedAt: r.clock()}))
	r.ok(r.OAuth.RemoveClient(r.ctx(), "app", r.clock(), r.keep()))
	_, err := r.OAuth.Client(r.ctx(), "app")
	r.is("client", err, oauth.ErrNotFound)
	_, err = r.OAuth.Grant(r.ctx(), g.ID)
	r.is("grant", err, oauth.ErrNotFound)
	_, err = r.OAuth.Consent(r.ctx(), u.ID, "app")
	r.is("consent", err, oauth.ErrNotFound)
	var gone []revocation.Entry
	for _, id := range []string{g.ID.String(), c.Epoch.String()} {
		gone = append(gone, revocation.Entry{Kind: revocation.Grant, ID: id, Reason: revocation.ReasonClientGone, ExpiresAt: r.keep()})
	}
	r.wantFeed(append(gone, revocation.Entry{Kind: revocation.Changed, ID: "app", Reason: revocation.ReasonClientGone, ExpiresAt: r.keep()})...)
	again := c
	again.Secrets, again.Epoch = nil, secret.ID{}
	r.ok(r.OAuth.AddClient(r.ctx(), again))
	r.wantClient(again) // the old secrets do not come back
}

func unknownClient(r *rig) {
	r.is("secret", r.OAuth.AddClientSecret(r.ctx(), "nobody", r.secret(time.Time{}), r.clock(), r.clock(), r.keep()), oauth.ErrNotFound)
	r.is("disable", r.OAuth.SetClientDisabled(r.ctx(), "nobody", true, r.clock(), r.keep()), oauth.ErrNotFound)
	r.is("enable", r.OAuth.SetClientDisabled(r.ctx(), "nobody", false, r.clock(), r.keep()), oauth.ErrNotFound)
	r.is("remove", r.OAuth.RemoveClient(r.ctx(), "nobody", r.clock(), r.keep()), oauth.ErrNotFound)
	r.wantFeed()
}
