package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// pairwise has two clients of one sector and one of another.
func pairwise(o *oauth.Options) {
	const all = "openid profile catalog.read"
	hashed := []oauth.ClientSecret{{Hash: o.Clients[2].Secrets[0].Hash}}
	own := oauth.Settings{SubjectType: "pairwise"}
	o.Clients = append(
		o.Clients,
		oauth.Client{ID: "pw1", Type: oauth.Server, Scope: all, RedirectURIs: []string{callback}, Secrets: hashed, Settings: own},
		oauth.Client{ID: "pw2", Type: oauth.Native, Scope: all, RedirectURIs: []string{callback}, Settings: own},
		oauth.Client{ID: "pw3", Type: oauth.Native, Scope: all, RedirectURIs: []string{callback}, Settings: oauth.Settings{SubjectType: "pairwise", SectorURI: "https://other.example.org/sector"}},
	)
}

func (r *rig) tokensOf(client string, change ...string) *oauth.TokenResponse {
	r.t.Helper()
	with := []string{"client_id", client}
	if client == "pw1" {
		with = append(with, "client_secret", r.secret.Reveal())
	}
	res, err := r.redeem(r.code(append([]string{"client_id", client}, change...)...), with...)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func TestID02PairwiseSubjectsOfClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jwts := func(o *oauth.Options) { o.Resources[0].Format = token.FormatJWT }
	r.Service = r.node(r.feed, pairwise)
	first, second, third, public := r.tokensOf("pw1"), r.tokensOf("pw2"), r.tokensOf("pw3"), r.tokens()
	sub := func(res *oauth.TokenResponse) string {
		s, _ := claims(t, res.IDToken.Reveal())["sub"].(string)
		return s
	}
	if sub(public) != r.user.ID {
		t.Errorf("a public subject is %q", sub(public))
	}
	if sub(first) != sub(second) || sub(first) == sub(third) || sub(first) == r.user.ID || len(sub(first)) > 255 {
		t.Errorf("subjects: %q and %q of one sector, %q of another", sub(first), sub(second), sub(third))
	}
	if again := r.tokensOf("pw2"); sub(again) != sub(second) {
		t.Errorf("the next sign-in is of %q", sub(again))
	}
	if got := r.userinfo(first)["sub"]; got != sub(first) {
		t.Errorf("ID05 userinfo is about %v", got)
	}
	if got := r.opened(first.AccessToken).Subject; got != r.user.ID {
		t.Errorf("the sealed token is of %q", got)
	}
	if got := r.introspect("rs", first.AccessToken)["sub"]; got != r.user.ID {
		t.Errorf("the resource server sees %v", got)
	}
	if got := r.introspect("pw1", first.AccessToken)["sub"]; got != sub(first) {
		t.Errorf("the client sees %v in introspection", got)
	}
	if got := r.introspect("pw1", first.RefreshToken)["sub"]; got != sub(first) {
		t.Errorf("the client sees %v in introspection of its refresh token", got)
	}
	r.Service = r.node(r.feed, pairwise, jwts)
	jwt := r.tokensOf("pw2", "scope", "catalog.read")
	if got := claims(t, jwt.AccessToken.Reveal())["sub"]; got != sub(second) {
		t.Errorf("a JWT that the client can read says %v", got)
	}
	if got := r.introspect("rs", jwt.AccessToken); got["sub"] != r.user.ID || got["active"] != true {
		t.Errorf("the resource server sees %v of it", got)
	}
}

// What a client knows of a person leads back to the person: hints and claims.
func TestID02PairwiseSubjectsComeBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, pairwise)
	hint := r.tokensOf("pw2").IDToken.Reveal()
	mine, _ := claims(t, hint)["sub"].(string)
	theirs, _ := claims(t, r.tokensOf("pw3").IDToken.Reveal())["sub"].(string)
	for name, c := range map[string]struct {
		change []string
		login  bool
	}{
		"its ID token":                    {[]string{"id_token_hint", hint}, false},
		"its subject":                     {[]string{"claims", `{"id_token":{"sub":{"value":"` + mine + `"}}}`}, false},
		"the subject of another sector":   {[]string{"claims", `{"id_token":{"sub":{"value":"` + theirs + `"}}}`}, true},
		"the account, which it never saw": {[]string{"claims", `{"id_token":{"sub":{"value":"` + r.user.ID + `"}}}`}, true},
	} {
		a, err := r.Authorize(t.Context(), authorizeParams(append([]string{"client_id", "pw2"}, c.change...)...))
		if err != nil {
			t.Fatal(err)
		}
		if step, err := r.Next(t.Context(), a, r.session); err != nil || (step == oauth.StepLogin) != c.login {
			t.Errorf("%s: step %v, %v", name, step, err)
		}
	}
	if view, err := r.Logout(t.Context(), url.Values{"id_token_hint": {hint}}, r.session); err != nil || view.Confirm {
		t.Errorf("logout with its ID token: %+v, %v", view, err)
	}
}

// A person who is deleted and comes again is another one.
func TestID02SubjectsAreNeverReused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := claims(t, r.tokens().IDToken.Reveal())["sub"]
	r.clock.advance(time.Second)
	again := account.User{ID: secret.NewID(r.clock.now()).String(), Username: "ada2", CreatedAt: r.clock.now()}
	if err := r.store.Account().AddUser(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	r.user = again
	r.signIn()
	if after := claims(t, r.tokens().IDToken.Reveal())["sub"]; after == before || after != again.ID {
		t.Errorf("%v comes again as %v", before, after)
	}
}

func TestID02SectorsBelongToTheirClients(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client oauth.Client
		want   string
	}{
		"one host":                         {oauth.Client{RedirectURIs: []string{"https://a.example/x", "https://a.example/y"}}, ""},
		"two hosts":                        {oauth.Client{RedirectURIs: []string{"https://a.example/x", "https://b.example/y"}}, "sector_identifier_uri"},
		"two hosts and a sector":           {oauth.Client{RedirectURIs: []string{"https://a.example/x", "https://b.example/y"}, Settings: oauth.Settings{SectorURI: "https://a.example/s"}}, ""},
		"a scheme of its own":              {oauth.Client{RedirectURIs: []string{"com.example.app:/x"}}, "sector_identifier_uri"},
		"a loopback address":               {oauth.Client{RedirectURIs: []string{"http://127.0.0.1/x"}}, "sector_identifier_uri"},
		"no redirect URI":                  {oauth.Client{}, "sector_identifier_uri"},
		"a sector by http":                 {oauth.Client{Settings: oauth.Settings{SectorURI: "http://a.example/s"}}, "sector_identifier_uri"},
		"a sector without a host":          {oauth.Client{Settings: oauth.Settings{SectorURI: "https:///s"}}, "sector_identifier_uri"},
		"a kind of subject that there not": {oauth.Client{RedirectURIs: []string{"https://a.example/x"}, Settings: oauth.Settings{SubjectType: "secret"}}, "subject_type"},
	} {
		c.client.ID, c.client.Type = "x", oauth.Native
		if c.client.Settings.SubjectType == "" {
			c.client.Settings.SubjectType = "pairwise"
		}
		if setting, why := c.client.Problem(); setting != c.want {
			t.Errorf("%s: %s %s, want %q", name, setting, why, c.want)
		}
	}
}

func TestID02SectorIdentifierListsTheRedirectURIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, c := range map[string]struct {
		body string
		err  error
		ok   bool
	}{
		"lists it":         {`["https://b.example/", "` + callback + `"]`, nil, true},
		"lists another":    {`["https://b.example/"]`, nil, false},
		"is no list":       {`{"a":1}`, nil, false},
		"does not answer":  {``, errors.New("refused"), false},
		"lists a prefix":   {`["https://app.example.com/"]`, nil, false},
		"lists it thrice":  {strings.Replace(`["X","X","X"]`, "X", callback, 3), nil, true},
		"ends in the dark": {`["` + callback, nil, false},
	} {
		s := r.node(r.feed, func(o *oauth.Options) {
			o.Fetch = func(_ context.Context, at string) ([]byte, error) {
				if at != "https://app.example.com/sector" {
					t.Errorf("asked %s", at)
				}
				return []byte(c.body), c.err
			}
		})
		err := s.CheckSector(t.Context(), &oauth.Client{RedirectURIs: []string{callback}, Settings: oauth.Settings{SectorURI: "https://app.example.com/sector"}})
		if (err == nil) != c.ok {
			t.Errorf("a sector that %s: %v", name, err)
		}
	}
	if err := r.CheckSector(t.Context(), &oauth.Client{RedirectURIs: []string{callback}, Settings: oauth.Settings{SectorURI: "https://app.example.com/sector"}}); err == nil {
		t.Error("without a door to ask through, the sector is believed")
	}
	if err := r.CheckSector(t.Context(), &oauth.Client{RedirectURIs: []string{callback}}); err != nil {
		t.Errorf("without a sector: %v", err)
	}
}

func TestID02MetadataOffersPairwise(t *testing.T) {
	t.Parallel()
	var m struct {
		Types []string `json:"subject_types_supported"`
	}
	if err := json.Unmarshal(newRig(t).Metadata(), &m); err != nil || strings.Join(m.Types, " ") != "public pairwise" {
		t.Errorf("%v, %v", m.Types, err)
	}
}
