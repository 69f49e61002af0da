package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

const cluster = "https://cluster.example.com"

// clusterRig has an issuer of assertions that speaks for the client pod, which has
// no secret, and for the client vault, which has one. What the issuer files
// says may be repeated.
type clusterRig struct {
	*rig
	key *ecdsa.PrivateKey
}

func newClusterRig(t *testing.T) *clusterRig {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := jose.NewKey("k1", jose.ES256, "sig", key.Public())
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.NewKeySet(public)
	if err != nil {
		t.Fatal(err)
	}
	r := &clusterRig{newRig(t), key}
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		client := func(id string, grants []string, secrets ...oauth.ClientSecret) oauth.Client {
			return oauth.Client{ID: id, Type: oauth.ServiceClient, Scope: "catalog.read weather.read", Secrets: secrets, Settings: oauth.Settings{GrantTypes: grants}}
		}
		o.Clients = append(o.Clients,
			client("pod", []string{oauth.GrantJWTBearer}),
			client("vault", []string{oauth.GrantJWTBearer, "client_credentials"}, oauth.ClientSecret{Hash: r.secret.Hash()}))
		o.Replay = token.NewReplayTable(0, r.clock.now)
		subjects := map[string]string{"sa:pod": "pod", "sa:vault": "vault", "sa:job": "job", "sa:gone": "gone"}
		o.AssertionIssuers = []oauth.AssertionIssuer{{Issuer: cluster, Keys: set, Subjects: subjects}, {Issuer: cluster + "/files", Keys: set, Subjects: subjects, Repeatable: true}}
	})
	return r
}

// assertion is one about pod with nothing wrong; change replaces claims, or
// removes them with nil. The claim "typ" is that of the header.
func (r *clusterRig) assertion(key *ecdsa.PrivateKey, change ...any) string {
	r.t.Helper()
	now := r.clock.now().Unix()
	c := map[string]any{"iss": cluster, "sub": "sa:pod", "aud": issuer, "iat": now, "exp": now + 600, "jti": b64(secret.Random(16)), "typ": nil}
	for i := 0; i < len(change); i += 2 {
		c[change[i].(string)] = change[i+1] //nolint:forcetypeassert // tests write names
	}
	o := (&gojose.SignerOptions{}).WithHeader("kid", "k1")
	if typ, ok := c["typ"].(string); ok {
		o = o.WithType(gojose.ContentType(typ))
	}
	delete(c, "typ")
	for name, v := range c {
		if v == nil {
			delete(c, name)
		}
	}
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.ES256, Key: key}, o)
	if err != nil {
		r.t.Fatal(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		r.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		r.t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		r.t.Fatal(err)
	}
	return compact
}

func (r *clusterRig) bear(assertion string, more ...string) (*oauth.TokenResponse, error) {
	return r.send(with(r.form(append([]string{"grant_type", oauth.GrantJWTBearer, "assertion", assertion}, more...)...)))
}

func TestJWTBearer(t *testing.T) {
	t.Parallel()
	r := newClusterRig(t)
	res, err := r.bear(r.assertion(r.key), "scope", "catalog.read")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.opened(res.AccessToken); got.Subject != "client:pod" || got.ClientID != "pod" || got.Scope != "catalog.read" || got.Audience != catalog || got.GrantID.IsZero() {
		t.Errorf("TK18 %+v", got)
	}
	if !res.RefreshToken.IsZero() || !res.IDToken.IsZero() {
		t.Error("TK18 a refresh or ID token for a service")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := r.clock.now().Unix()
	for name, c := range map[string]struct {
		key    *ecdsa.PrivateKey
		change []any
		more   []string
		code   string // "" is a good one
	}{
		"the pair":                                 {r.key, nil, nil, ""},
		"the pair, as clusters write aud":          {r.key, []any{"aud", []string{issuer}}, nil, ""},
		"the pair, without jti":                    {r.key, []any{"jti", nil}, nil, ""},
		"the pair, with typ JWT":                   {r.key, []any{"typ", "JWT"}, nil, ""},
		"the pair, with client_id":                 {r.key, nil, []string{"client_id", "pod"}, ""},
		"the pair, with a secret too":              {r.key, []any{"sub", "sa:vault"}, []string{"client_id", "vault", "client_secret", "yes"}, ""},
		"another client_id":                        {r.key, nil, []string{"client_id", "vault"}, "invalid_grant"},
		"a wrong secret beside it":                 {r.key, []any{"sub", "sa:vault"}, []string{"client_id", "vault", "client_secret", "no"}, "invalid_client"},
		"another client's assertion with a secret": {r.key, nil, []string{"client_id", "vault", "client_secret", "yes"}, "invalid_grant"},
		"TK20 a client that may not":               {r.key, []any{"sub", "sa:job"}, nil, "unauthorized_client"},
		"a client that is not there":               {r.key, []any{"sub", "sa:gone"}, nil, "invalid_grant"},
		"an unknown issuer":                        {r.key, []any{"iss", "https://evil.example"}, nil, "invalid_grant"},
		"J084 an issuer with a slash":              {r.key, []any{"iss", cluster + "/"}, nil, "invalid_grant"},
		"no issuer":                                {r.key, []any{"iss", nil}, nil, "invalid_grant"},
		"an unknown subject":                       {r.key, []any{"sub", "sa:*"}, nil, "invalid_grant"},
		"no subject":                               {r.key, []any{"sub", nil}, nil, "invalid_grant"},
		"another key":                              {other, nil, nil, "invalid_grant"},
		"J085 no audience":                         {r.key, []any{"aud", nil}, nil, "invalid_grant"},
		"J086 another audience":                    {r.key, []any{"aud", tokenURL}, nil, "invalid_grant"},
		"J086 an audience beside ours":             {r.key, []any{"aud", []string{issuer, "https://evil.example"}}, nil, "invalid_grant"},
		"J081 no exp":                              {r.key, []any{"exp", nil}, nil, "invalid_grant"},
		"J082 expired":                             {r.key, []any{"iat", now - 300, "exp", now - 60}, nil, "invalid_grant"},
		"J083 a life of two hours":                 {r.key, []any{"exp", now + 7200}, nil, "invalid_grant"},
		"J083 iat ahead":                           {r.key, []any{"iat", now + 120}, nil, "invalid_grant"},
		"J069 an access token":                     {r.key, []any{"typ", "at+jwt"}, nil, "invalid_grant"},
		"J069 a client assertion":                  {r.key, []any{"typ", "client-authentication+jwt"}, nil, "invalid_grant"},
		"J069 a logout token":                      {r.key, []any{"typ", "logout+jwt"}, nil, "invalid_grant"},
		"a scope of others":                        {r.key, nil, []string{"scope", "pay"}, "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.bear(r.assertion(c.key, c.change...), c.more...)
			if c.code == "" && err != nil {
				t.Error(err)
			}
			if c.code != "" {
				wantCode(t, err, c.code)
			}
		})
	}
	for _, garbage := range []string{"x", "a.b.c", "spat_x", "eyJhbGciOiJub25lIn0.e30."} {
		_, err := r.bear(garbage)
		wantCode(t, err, "invalid_grant")
	}
	_, err = r.bear("")
	wantCode(t, err, "invalid_grant")
}

func TestJ094AssertionsOfServicesAreUsedOnce(t *testing.T) {
	t.Parallel()
	r := newClusterRig(t)
	for name, c := range map[string]struct {
		change []any
		again  bool
	}{
		"J094 with jti":              {nil, false},
		"J094 without jti":           {[]any{"jti", nil}, false},
		"J094 of an issuer of files": {[]any{"iss", cluster + "/files"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.assertion(r.key, c.change...)
			if _, err := r.bear(a, "scope", "nothing"); err == nil {
				t.Fatal("a scope that is not there")
			}
			if _, err := r.bear(a); err != nil {
				t.Fatalf("a wrong request has spent it: %v", err)
			}
			if _, err := r.bear(a); (err == nil) != c.again {
				t.Errorf("a second time: %v", err)
			}
		})
	}
	r.Service = r.node(r.feed, func(o *oauth.Options) { // as above, without a memory
		*o = oauth.Options{
			Issuer: o.Issuer, Store: o.Store, Users: o.Users, Ring: o.Ring, Feed: o.Feed, Proofs: o.Proofs, Now: o.Now, Resources: o.Resources,
			Clients:          []oauth.Client{{ID: "pod", Type: oauth.ServiceClient, Scope: "catalog.read", Settings: oauth.Settings{GrantTypes: []string{oauth.GrantJWTBearer}}}},
			AssertionIssuers: []oauth.AssertionIssuer{{Issuer: cluster, Keys: r.keys(t), Subjects: map[string]string{"sa:pod": "pod"}}},
		}
	})
	_, err := r.bear(r.assertion(r.key))
	wantCode(t, err, "temporarily_unavailable")
}

// Clocks differ: an assertion is remembered for as long as one of them accepts it.
func TestJ094AnAssertionIsRememberedBeyondItsEnd(t *testing.T) {
	t.Parallel()
	r := newClusterRig(t)
	a := r.assertion(r.key, "exp", r.clock.now().Unix()+10)
	if _, err := r.bear(a); err != nil {
		t.Fatal(err)
	}
	fresh := r.assertion(r.key, "exp", r.clock.now().Unix()+10)
	r.later(40 * time.Second)
	if _, err := r.bear(fresh); err != nil {
		t.Fatalf("the pair, not used: %v", err)
	}
	_, err := r.bear(a)
	wantCode(t, err, "invalid_grant")
}

// Of a signature by ES256, r and s, anybody can make r and n-s.
func TestJ094ASecondSignatureIsNoSecondAssertion(t *testing.T) {
	t.Parallel()
	r := newClusterRig(t)
	a := r.assertion(r.key, "jti", nil)
	if _, err := r.bear(a); err != nil {
		t.Fatal(err)
	}
	signed, signature := a[:strings.LastIndexByte(a, '.')], a[strings.LastIndexByte(a, '.')+1:]
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || len(raw) != 64 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	s := new(big.Int).SetBytes(raw[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(raw[32:])
	_, err = r.bear(signed + "." + b64(raw))
	wantCode(t, err, "invalid_grant")
}

func (r *clusterRig) keys(t *testing.T) jose.KeySource {
	t.Helper()
	public, err := jose.NewKey("k1", jose.ES256, "sig", r.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.NewKeySet(public)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// What the assertion stands on is asked each time.
func TestJWTBearerEndsWithTheClient(t *testing.T) {
	t.Parallel()
	r := newClusterRig(t)
	now := r.clock.now()
	if err := r.store.OAuth().AddClient(t.Context(), oauth.Client{
		ID: "gone", Type: oauth.ServiceClient, Scope: "catalog.read", Epoch: secret.NewID(now), CreatedAt: now, Settings: oauth.Settings{GrantTypes: []string{oauth.GrantJWTBearer}},
	}); err != nil {
		t.Fatal(err)
	}
	res, err := r.bear(r.assertion(r.key, "sub", "sa:gone"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.OAuth().SetClientDisabled(t.Context(), "gone", true, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.ForgetClient("gone")
	_, err = r.bear(r.assertion(r.key, "sub", "sa:gone"))
	wantCode(t, err, "invalid_grant")
	if r.active(res.AccessToken) {
		t.Error("its token lives on")
	}
}

// A client that is called like a person is not that person.
func TestTK18SubjectsOfClientsAndPeopleNeverMeet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Clients = append(o.Clients, oauth.Client{
			ID: r.user.ID, Type: oauth.Server, Scope: "openid catalog.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}},
			RedirectURIs: []string{callback}, Settings: oauth.Settings{GrantTypes: []string{"client_credentials"}},
		})
	})
	res := r.mustSend(r.form("grant_type", "client_credentials", "client_id", r.user.ID, "client_secret", "yes", "scope", "openid catalog.read"))
	a := r.opened(res.AccessToken)
	if a.Subject != "client:"+r.user.ID || a.IsPerson() || !res.RefreshToken.IsZero() || !res.IDToken.IsZero() {
		t.Errorf("TK18 %+v", a)
	}
	if _, err := r.UserInfo(t.Context(), bearer(res.AccessToken)); err == nil {
		t.Error("TK18 userinfo tells a client about the person of its name")
	}
	if got := r.introspect("rs", res.AccessToken); got["sub"] != "client:"+r.user.ID {
		t.Errorf("TK18 %v", got)
	}
}
