package oauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/token/jose"
)

func TestCL04ClientAssertions(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	now := a.clock.now().Unix()
	a.accepted(t, withAssertion(a.assertion("pkj")))
	a.accepted(t, withAssertion(a.assertion("pkj"), "client_id", "pkj"))

	for name, c := range map[string]struct {
		change []any
		reason string
	}{
		"aud is the token endpoint":                  {[]any{"aud", tokenEndpoint}, "claim_aud"},
		"aud is the pushed request endpoint":         {[]any{"aud", issuer + "/oauth/par"}, "claim_aud"},
		"aud is an array of the issuer alone":        {[]any{"aud", []string{issuer}}, "claim_aud"},
		"aud is an array with the issuer":            {[]any{"aud", []string{issuer, "https://other.example"}}, "claim_aud"},
		"aud is an array with the token endpoint":    {[]any{"aud", []string{tokenEndpoint, issuer}}, "claim_aud"},
		"aud is another authorization server":        {[]any{"aud", "https://other.example"}, "claim_aud"},
		"aud is the issuer with a slash":             {[]any{"aud", issuer + "/"}, "claim_aud"},
		"aud is missing":                             {[]any{"aud", nil}, "claim_aud"},
		"iss is another client":                      {[]any{"iss", "job"}, "claim_iss"},
		"iss is missing":                             {[]any{"iss", nil}, "claim_iss"},
		"iss is the issuer":                          {[]any{"iss", issuer}, "claim_iss"},
		"exp is missing":                             {[]any{"exp", nil}, "claim_exp"},
		"exp is in a year":                           {[]any{"exp", now + 365*86400}, "claim_lifetime"},
		"exp is in a year, and iat too":              {[]any{"exp", now + 365*86400, "iat", now + 365*86400 - 60}, "claim_iat"},
		"exp is a minute later than the cap":         {[]any{"exp", now + 300 + 61}, "claim_lifetime"},
		"exp is over":                                {[]any{"exp", now - 60, "iat", now - 120}, "expired"},
		"exp is text":                                {[]any{"exp", "soon"}, ""},
		"nbf is more than a minute ahead":            {[]any{"nbf", now + 61, "exp", now + 120}, "claim_nbf"},
		"iat is more than a minute ahead":            {[]any{"iat", now + 61, "exp", now + 120}, "claim_iat"},
		"jti is missing":                             {[]any{"jti", nil}, "claim_missing"},
		"jti is empty":                               {[]any{"jti", ""}, ""},
		"jti is a book":                              {[]any{"jti", strings.Repeat("x", 257)}, "claim_jti"},
		"life is that of an hour, as Authlib has it": {[]any{"exp", now + 3600}, "claim_lifetime"},
	} {
		t.Run(name, func(t *testing.T) {
			reason := "" // what cannot be read is nobody's
			if c.reason != "" {
				reason = "private_key_jwt:" + c.reason
			}
			a.refused(t, withAssertion(a.assertion("pkj", c.change...)), "invalid_client", reason)
		})
	}
	for name, change := range map[string][]any{
		"iat and nbf are ten seconds ahead": {"iat", now + 10, "nbf", now + 10},
		"iat is missing":                    {"iat", nil},
		"life is five minutes":              {"exp", now + 300},
	} {
		t.Run("accepted: "+name, func(t *testing.T) { a.accepted(t, withAssertion(a.assertion("pkj", change...))) })
	}
}

func TestCL04AlgorithmsAndKeysOfAssertions(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	b64 := base64.RawURLEncoding.EncodeToString
	good := strings.Split(a.assertion("pkj"), ".")
	a.accepted(t, withAssertion(signed(t, a.rsa, `{"alg":"RS256","kid":"r1"}`, a.claims("pkj"))))
	a.accepted(t, withAssertion(signed(t, a.rsa, `{"alg":"PS256","kid":"p1"}`, a.claims("pkj"))))
	a.accepted(t, withAssertion(a.assertion("pkj-es")))
	for name, c := range map[string]struct{ assertion, reason string }{
		"HS256 with the public key as secret": {signed(t, a.key, `{"alg":"HS256","kid":"k1"}`, a.claims("pkj")), "jwt_alg"},
		"none without a signature":            {b64([]byte(`{"alg":"none"}`)) + "." + good[1] + ".", ""},
		"none with a signature":               {b64([]byte(`{"alg":"none"}`)) + "." + good[1] + "." + good[2], "jwt_alg"},
		"ES384":                               {signed(t, a.key, `{"alg":"ES384","kid":"k1"}`, a.claims("pkj")), "jwt_alg"},
		"a key of nobody":                     {signed(t, a.other, assertionHeader, a.claims("pkj")), "jwt_signature"},
		"a kid that is not there":             {signed(t, a.key, `{"alg":"ES256","kid":"k2"}`, a.claims("pkj")), "jwt_kid"},
		"the key of another alg":              {signed(t, a.rsa, `{"alg":"RS256","kid":"p1"}`, a.claims("pkj")), "jwt_key"},
		"the key in the header":               {signed(t, a.other, `{"alg":"ES256","jwk":`+string(publicKey(t, "", "", a.other).AppendJWK(nil))+`}`, a.claims("pkj")), "jwt_headerkey"},
		"another alg than registered":         {signed(t, a.rsa, `{"alg":"RS256","kid":"r1"}`, a.claims("pkj-es")), "jwt_alg"},
		"RS256 with fapi2":                    {signed(t, a.rsa, `{"alg":"RS256","kid":"r1"}`, a.claims("pkj-fapi")), "jwt_alg"},
		"a changed claim":                     {good[0] + "." + b64([]byte(`{"iss":"pkj","sub":"pkj","aud":"`+issuer+`","jti":"x","exp":9999999999}`)) + "." + good[2], "jwt_signature"},
	} {
		t.Run(name, func(t *testing.T) {
			reason := ""
			if c.reason != "" {
				reason = "private_key_jwt:" + c.reason
			}
			a.refused(t, withAssertion(c.assertion), "invalid_client", reason)
		})
	}
}

func TestCL05TypesOfAssertions(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	for _, typ := range []string{"client-authentication+jwt", "application/client-authentication+jwt", "JWT", "jwt"} {
		a.accepted(t, withAssertion(signed(t, a.key, `{"alg":"ES256","kid":"k1","typ":"`+typ+`"}`, a.claims("pkj"))))
	}
	a.accepted(t, withAssertion(signed(t, a.key, `{"alg":"ES256","kid":"k1"}`, a.claims("pkj"))))
	for _, typ := range []string{"at+jwt", "dpop+jwt", "logout+jwt", "oauth-authz-req+jwt", "oauth-client-attestation+jwt", ""} {
		t.Run("J092 "+typ, func(t *testing.T) {
			assertion := signed(t, a.key, `{"alg":"ES256","kid":"k1","typ":"`+typ+`"}`, a.claims("pkj"))
			a.refused(t, withAssertion(assertion), "invalid_client", "private_key_jwt:jwt_typ")
		})
	}
}

// OpenID Connect's certification sends the token endpoint as aud; profiles that
// forbid it win over the switch.
func TestCL04TheTokenEndpointAsAudienceIsASwitch(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	for _, aud := range []any{issuer, tokenEndpoint, mutual + "/oauth/token", []string{tokenEndpoint}, []string{issuer}} {
		a.accepted(t, withAssertion(a.assertion("pkj-old", "aud", aud)))
	}
	for _, aud := range []any{"https://other.example", issuer + "/oauth/par", []string{tokenEndpoint, "https://other.example"}} {
		a.wantRefused(withAssertion(a.assertion("pkj-old", "aud", aud)), "invalid_client", "private_key_jwt:claim_aud")
	}
	fapi := func(aud any) oauth.Request {
		r := withAssertion(a.assertion("pkj-fapi", "aud", aud))
		r.Certificate = a.own
		return r
	}
	a.accepted(t, fapi(issuer))
	for _, aud := range []any{tokenEndpoint, []string{tokenEndpoint}, []string{tokenEndpoint, issuer}} {
		a.wantRefused(fapi(aud), "invalid_client", "private_key_jwt:claim_aud")
	}
}

// CVE-2020-15222: an assertion counts once, whoever sends it first, on any node.
func TestCL04AnAssertionCountsOnce(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	r := withAssertion(a.assertion("pkj", "jti", "once"))
	var won atomic.Int32
	var wg sync.WaitGroup
	elsewhere := r // the same assertion at another endpoint
	elsewhere.Params = maps.Clone(r.Params)
	elsewhere.Params.Set("token", "spat_x")
	elsewhere.URL = issuer + "/oauth/revoke"
	for i := range 100 {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = a.Token(t.Context(), r)
			} else {
				err = a.Revoke(t.Context(), elsewhere)
			}
			if err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("an assertion has counted %d times", won.Load())
	}
	a.wantRefused(r, "invalid_client", "private_key_jwt:used")
	a.wantRefused(withAssertion(a.assertion("pkj", "jti", "once")), "invalid_client", "private_key_jwt:used") // another with its jti
	a.accepted(t, withAssertion(a.assertion("pkj-es", "jti", "once")))                                        // another client's
	a.clock.advance(59 * time.Second)
	if err := a.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.wantRefused(r, "invalid_client", "private_key_jwt:used")

	// What is refused spends nothing.
	b := withAssertion(a.assertion("pkj", "jti", "twice"))
	wrong := withAssertion(signed(t, a.other, assertionHeader, a.claims("pkj", "jti", "twice")))
	a.wantRefused(wrong, "invalid_client", "private_key_jwt:jwt_signature")
	late := withAssertion(a.assertion("pkj", "jti", "twice", "aud", "https://other.example"))
	a.wantRefused(late, "invalid_client", "private_key_jwt:claim_aud")
	a.accepted(t, b)

	without := a.node(a.feed, func(o *oauth.Options) { o.Clients, o.Replay = a.authClients(), nil })
	_, err := without.Token(t.Context(), withAssertion(a.assertion("pkj")))
	wantCode(t, err, "temporarily_unavailable")
	if strings.Contains(string(without.Metadata()), "private_key_jwt") {
		t.Error("MD02 metadata lists a method that is not accepted")
	}
}

type brokenReplay struct{}

func (brokenReplay) Spend(context.Context, [32]byte, time.Time) (bool, error) {
	return false, errors.New("no connection")
}

// What cannot be known is no verdict about the client.
func TestCL04KeysThatCannotBeHadAreUnavailable(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	set, err := jose.NewKeySet(publicKey(t, "k1", jose.ES256, a.key))
	if err != nil {
		t.Fatal(err)
	}
	a.keysAt = func(owner, _ string) (jose.KeySource, error) {
		if owner != "pkj-far" {
			t.Errorf("keys of %s are asked for", owner)
		}
		return set, nil
	}
	a.accepted(t, withAssertion(a.assertion("pkj-far")))
	a.keysAt = func(string, string) (jose.KeySource, error) { return nil, jose.ErrKeysUnavailable }
	_, reason, err := a.try(withAssertion(a.assertion("pkj-far")))
	if wantCode(t, err, "temporarily_unavailable"); reason != "" {
		t.Errorf("noted as a failure: %s", reason)
	}
	broken := a.node(a.feed, func(o *oauth.Options) { o.Clients, o.Replay = a.authClients(), brokenReplay{} })
	_, err = broken.Token(t.Context(), withAssertion(a.assertion("pkj")))
	wantCode(t, err, "temporarily_unavailable")
}

func TestTK03OneAuthenticationOfTheRegisteredKind(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	secret := a.secret.Reveal()
	basic := func(id string, pairs ...string) oauth.Request {
		r := asks(pairs...)
		r.Authorization = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
		return r
	}
	with := func(r oauth.Request, change func(*oauth.Request)) oauth.Request {
		change(&r)
		return r
	}
	for name, r := range map[string]oauth.Request{
		"no method registered: Basic": basic("job"), "no method registered: body": asks("client_id", "job", "client_secret", secret),
		"Basic": basic("basic"), "body": asks("client_id", "post", "client_secret", secret), "assertion": withAssertion(a.assertion("pkj")),
		"an assertion on a connection with a certificate": with(withAssertion(a.assertion("pkj")), func(r *oauth.Request) { r.Certificate = a.own }),
	} {
		t.Run("accepted: "+name, func(t *testing.T) { a.accepted(t, r) })
	}
	for name, r := range map[string]oauth.Request{
		"Basic for a client of the body":             basic("post"),
		"the body for a client of Basic":             asks("client_id", "basic", "client_secret", secret),
		"a secret for a client of assertions":        basic("pkj"),
		"an assertion for a client with a secret":    withAssertion(a.assertion("job")),
		"a certificate for a client of assertions":   with(asks("client_id", "pkj"), func(r *oauth.Request) { r.Certificate = a.own }),
		"an assertion for a client of a certificate": with(withAssertion(a.assertion("self")), func(r *oauth.Request) { r.Certificate = a.own }),
		"nothing for a client with a secret":         asks("client_id", "job"),
		"nothing for a client of assertions":         asks("client_id", "pkj"),
		"CL02 a secret for a native client":          asks("client_id", "app", "client_secret", secret),
		"CL02 an assertion for a native client":      withAssertion(a.assertion("app")),
		"nothing for a client of attestations":       asks("client_id", "phone"),
		"a client that is not there":                 withAssertion(a.assertion("nobody")),
		"a client that is not there, with a secret":  basic("nobody"),
		"an empty secret":                            asks("client_id", "job", "client_secret", ""),
		"a wrong assertion":                          withAssertion("a.b.c"),
	} {
		t.Run(name, func(t *testing.T) { a.refused(t, r, "invalid_client", "") })
	}
	for name, r := range map[string]oauth.Request{
		"Basic and body":                 basic("job", "client_secret", secret),
		"Basic and assertion":            with(withAssertion(a.assertion("pkj")), func(r *oauth.Request) { r.Authorization = basic("job").Authorization }),
		"body and assertion":             withAssertion(a.assertion("pkj"), "client_id", "pkj", "client_secret", secret),
		"Basic twice":                    with(basic("job"), func(r *oauth.Request) { r.Authorization = append(r.Authorization, r.Authorization[0]) }),
		"assertion and attestation":      with(withAssertion(a.assertion("pkj")), func(r *oauth.Request) { r.Attestation = []string{"x"} }),
		"an assertion of another client": withAssertion(a.assertion("pkj"), "client_id", "pkj-es"),
		"Basic with another client_id":   basic("job", "client_id", "web"),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := a.try(r)
			wantCode(t, err, "invalid_request")
		})
	}
	for name, r := range map[string]oauth.Request{
		"an assertion without its type": asks("client_assertion", a.assertion("pkj")),
		"a type without an assertion":   asks("client_assertion_type", jwtBearer, "client_id", "pkj"),
		"an assertion of SAML":          asks("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "client_assertion", a.assertion("pkj")),
		"nothing at all":                asks(),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := a.try(r)
			wantCode(t, err, "invalid_client")
		})
	}
}

func TestCL07SecretsAreFormEncodedInBasic(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	odd := "a:b%2B+c d/é-0123456789-0123456789-0123456789"
	s := r.node(r.feed, func(o *oauth.Options) {
		o.Clients = []oauth.Client{{ID: "odd", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: secretOf(odd)}}}}
	})
	try := func(text string) error {
		req := asks()
		req.Authorization = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(text))}
		_, err := s.Token(t.Context(), req)
		return err
	}
	if err := try("odd:a%3Ab%252B%2Bc+d%2F%C3%A9-0123456789-0123456789-0123456789"); err != nil {
		t.Errorf("a form-encoded secret is refused: %v", err)
	}
	for _, text := range []string{"odd:" + odd, "odd:a%3Ab%252B%2Bc+d", "odd:%zz", "odd", ":x"} {
		wantCode(t, try(text), "invalid_client")
	}
}

func TestCL19ASecretEndsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	until := r.clock.now().Add(time.Hour)
	s := r.node(r.feed, func(o *oauth.Options) {
		o.Clients = []oauth.Client{{ID: "brief", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash(), ExpiresAt: until}}}}
	})
	try := func() error {
		_, err := s.Token(t.Context(), asks("client_id", "brief", "client_secret", r.secret.Reveal()))
		return err
	}
	r.clock.advance(time.Hour - time.Second)
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := try(); err != nil {
		t.Fatalf("a second before its end: %v", err)
	}
	r.clock.advance(time.Second)
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, try(), "invalid_client")
}

func TestTK20GrantTypesArePerClient(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct{ client, grant string }{
		{"web", "client_credentials"}, {"job", "authorization_code"}, {"job", "refresh_token"}, {"app", "client_credentials"},
	} {
		req := r.form("grant_type", c.grant, "client_id", c.client)
		if c.client != "app" {
			req.Params.Set("client_secret", r.secret.Reveal())
		}
		_, err := r.Token(t.Context(), req)
		wantCode(t, err, "unauthorized_client")
	}
	narrow := r.node(r.feed, func(o *oauth.Options) {
		o.Clients = []oauth.Client{{
			ID: "once", Type: oauth.Native, Scope: "openid catalog.read", RedirectURIs: []string{callback},
			Settings: oauth.Settings{GrantTypes: []string{"authorization_code"}},
		}}
	})
	_, err := narrow.Token(t.Context(), r.form("grant_type", "refresh_token", "client_id", "once", "refresh_token", "x"))
	wantCode(t, err, "unauthorized_client")
}
