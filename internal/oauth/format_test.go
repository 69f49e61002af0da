package oauth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

const (
	stock   = "https://api.example.com/stock"   // its tokens are JWTs
	reports = "https://reports.example.com"     // its tokens are nested
	ledger  = "https://ledger.example.com/main" // these too
)

// lostKeys are keys that cannot be had as long as err says so.
type lostKeys struct {
	err error
	set *jose.KeySet
}

func (k *lostKeys) Key(ctx context.Context, kid string, alg jose.Algorithm) (*jose.Key, error) {
	if k.err != nil {
		return nil, k.err
	}
	return k.set.Key(ctx, kid, alg)
}

// formatRig is a rig with APIs of every token format.
type formatRig struct {
	*rig
	key *ecdsa.PrivateKey // of the API reports
	set *jose.KeySet      // its public half
}

func newFormatRig(t *testing.T, ledgerKeys jose.KeySource) *formatRig {
	t.Helper()
	r := &formatRig{rig: newRig(t)}
	var err error
	if r.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	public, err := jose.NewKey("reports-1", "", "enc", r.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.NewKeySet(public)
	if err != nil {
		t.Fatal(err)
	}
	r.set = set
	to := func(keys jose.KeySource) *jose.Recipient {
		recipient, err := jose.NewRecipient(keys, "", jose.A256GCM)
		if err != nil {
			t.Fatal(err)
		}
		return recipient
	}
	if ledgerKeys == nil {
		ledgerKeys = set
	}
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Resources = append(o.Resources,
			oauth.Resource{Name: "stock", Audience: stock, Tier: token.TierStandard, Scopes: []string{"stock.read", "stock.write"}, Format: token.FormatJWT},
			oauth.Resource{Name: "reports", Audience: reports, Tier: token.TierStandard, Scopes: []string{"reports.read"}, Format: token.FormatNested, Recipient: to(set)},
			oauth.Resource{Name: "ledger", Audience: ledger, Tier: token.TierStandard, Scopes: []string{"ledger.read"}, Format: token.FormatNested, Recipient: to(ledgerKeys)})
		for i := range o.Clients {
			c := &o.Clients[i]
			switch c.ID {
			case "rs":
				c.Resources = append(c.Resources, "stock", "reports")
			case "rs2":
			default:
				c.Scope += " stock.read stock.write reports.read ledger.read"
			}
		}
	})
	return r
}

// claims reads the payload of a JWT without looking at its signature.
func claims(t *testing.T, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in %.60s", len(parts), jwt)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func names(m map[string]any) []string {
	var list []string
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// verifyStock is what the API behind stock would do with a token of its own.
func (r *formatRig) verifyStock(jwt string) (*jose.Claims, error) {
	r.t.Helper()
	jwks, err := r.JWKS()
	if err != nil {
		r.t.Fatal(err)
	}
	set, err := jose.ParseKeySet(jwks)
	if err != nil {
		r.t.Fatal(err)
	}
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "access token", Types: []string{"at+jwt"}, Algorithms: []jose.Algorithm{jose.ES256}, Keys: set,
		Issuer: jose.Exactly(issuer), Audience: jose.Includes(stock), MaxLife: time.Hour, Now: r.clock.now,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return v.Verify(r.t.Context(), jwt)
}

func TestT057AnAPIMayHaveJWTs(t *testing.T) {
	t.Parallel()
	r := newFormatRig(t, nil)
	minimum := []string{"aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"}

	res, err := r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "job", "client_secret", "yes", "scope", "stock.read"))
	if err != nil {
		t.Fatal(err)
	}
	m := claims(t, res.AccessToken.Reveal())
	if got := names(m); !slices.Equal(got, minimum) {
		t.Errorf("claims %v, want %v and nothing else", got, minimum)
	}
	if m["iss"] != issuer || m["aud"] != stock || m["sub"] != "client:job" || m["client_id"] != "job" || m["scope"] != "stock.read" {
		t.Errorf("claims %v", m)
	}
	if _, err := r.verifyStock(res.AccessToken.Reveal()); err != nil {
		t.Errorf("the published keys do not verify it: %v", err)
	}

	person := r.tokens("scope", "openid stock.read").AccessToken
	m = claims(t, person.Reveal())
	if got, want := names(m), append([]string{"acr", "amr", "auth_time"}, minimum...); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("a person's claims %v, want %v", got, want)
	}
	if aud, _ := json.Marshal(m["aud"]); string(aud) != `["`+issuer+`","`+stock+`"]` {
		t.Errorf("aud = %s", aud)
	}
	if _, err := r.verifyStock(person.Reveal()); err != nil {
		t.Errorf("the published keys do not verify it: %v", err)
	}
	var header map[string]any
	head, _ := base64.RawURLEncoding.DecodeString(strings.Split(person.Reveal(), ".")[0])
	if err := json.Unmarshal(head, &header); err != nil || header["typ"] != "at+jwt" || header["alg"] != "ES256" {
		t.Errorf("header %s", head)
	}
}

// The format follows from what the token is for.
func TestTheFormatOfATokenForSeveralAPIs(t *testing.T) {
	t.Parallel()
	r := newFormatRig(t, nil)
	for scope, dots := range map[string]int{
		"openid":                         0,
		"openid catalog.read":            0,
		"openid stock.read":              2,
		"stock.read stock.write":         2,
		"openid stock.read catalog.read": 0, // T055: sealed wins
		"openid reports.read":            4,
		"reports.read":                   4,
	} {
		res := r.tokens("scope", scope)
		if got := strings.Count(res.AccessToken.Reveal(), "."); got != dots || res.Scope != scope {
			t.Errorf("%s: %d dots, want %d; scope %q", scope, got, dots, res.Scope)
		}
	}
	for _, scope := range []string{"openid reports.read catalog.read", "reports.read stock.read", "reports.read ledger.read"} {
		_, err := r.Authorize(t.Context(), authorizeParams("scope", scope))
		if redirect, ok := err.(*oauth.RedirectError); !ok || redirect.Code != oauth.InvalidScope { //nolint:errorlint // it comes as it is
			t.Errorf("%s: got %v, want invalid_scope", scope, err)
		}
		_, err = r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "job", "client_secret", "yes", "scope", strings.TrimPrefix(scope, "openid ")))
		wantCode(t, err, oauth.InvalidScope)
	}
}

func TestJWTsAreRevokedIntrospectedAndAskedWith(t *testing.T) {
	t.Parallel()
	r := newFormatRig(t, nil)
	res := r.tokens("scope", "openid profile stock.read")
	answer := r.introspect("rs", res.AccessToken)
	m := claims(t, res.AccessToken.Reveal())
	if answer["active"] != true || answer["jti"] != m["jti"] || answer["scope"] != "stock.read" || answer["aud"] != stock || answer["exp"] != m["exp"] {
		t.Errorf("introspection says %v of %v", answer, m)
	}
	if got := r.introspect("rs2", res.AccessToken); got["active"] != false {
		t.Errorf("a resource server that it is not for sees %v", got)
	}
	ask := func(tok secret.Value) error {
		_, err := r.UserInfo(t.Context(), oauth.Request{Authorization: []string{"Bearer " + tok.Reveal()}})
		return err
	}
	if err := ask(res.AccessToken); err != nil {
		t.Errorf("userinfo: %v", err)
	}
	wantCode(t, r.Revoke(t.Context(), r.form("client_id", "other", "token", res.AccessToken.Reveal())), oauth.UnauthorizedClient)
	if err := r.Revoke(t.Context(), r.form("client_id", "app", "token", res.AccessToken.Reveal())); err != nil {
		t.Fatal(err)
	}
	if r.active(res.AccessToken) {
		t.Error("J095: a revoked JWT is active")
	}
	wantCode(t, ask(res.AccessToken), oauth.InvalidToken)

	next, err := r.refresh(res.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if !r.active(next.AccessToken) {
		t.Error("the next token of the grant is not active")
	}
	if err := r.Revoke(t.Context(), r.form("client_id", "app", "token", next.RefreshToken.Reveal())); err != nil {
		t.Fatal(err)
	}
	if r.active(next.AccessToken) {
		t.Error("J095: a JWT of a revoked grant is active")
	}
	last := r.tokens("scope", "openid stock.read").AccessToken
	r.clock.advance(time.Hour)
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.active(last) {
		t.Error("an expired JWT is active")
	}
}

// J092: what else we sign is no access token, and the reverse.
func TestJ092OtherTokensOfOursAreNoAccessTokens(t *testing.T) {
	t.Parallel()
	r := newFormatRig(t, nil)
	res := r.tokens("scope", "openid stock.read")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(res.AccessToken.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	sign := func(p token.Purpose, typ string) secret.Value {
		jwt, err := r.ring.Signer(p).Sign(typ, payload)
		if err != nil {
			t.Fatal(err)
		}
		return secret.New(jwt)
	}
	if !r.active(sign(token.SignAccess, "at+jwt")) {
		t.Fatal("the same token, not attacked, is not active")
	}
	for name, tok := range map[string]secret.Value{
		"ID token":                       res.IDToken,
		"access claims with the ID key":  sign(token.SignIDToken, "at+jwt"),
		"access claims with another typ": sign(token.SignAccess, "JWT"),
		"inner token":                    sign(token.SignInner, token.TypeInner),
		"inner key, typ of access":       sign(token.SignInner, "at+jwt"),
	} {
		if r.active(tok) {
			t.Errorf("%s is an active access token", name)
		}
	}
	if _, err := r.Logout(t.Context(), map[string][]string{"id_token_hint": {res.AccessToken.Reveal()}}, nil); err == nil {
		t.Error("an access token passes as an ID token")
	}
}

func TestT062NestedTokens(t *testing.T) {
	t.Parallel()
	r := newFormatRig(t, nil)
	res := r.tokens("scope", "openid profile reports.read")
	compact := res.AccessToken.Reveal()
	if len(compact) > jose.MaxEncrypted {
		t.Errorf("%d bytes", len(compact))
	}
	// Without the key there is ciphertext.
	for _, part := range strings.Split(compact, ".") {
		raw, _ := base64.RawURLEncoding.DecodeString(part)
		for _, word := range []string{r.user.ID, "reports.read", reports, "\"sub\""} {
			if bytes.Contains(raw, []byte(word)) {
				t.Errorf("%q can be read in %q", word, raw)
			}
		}
	}
	object, err := gojose.ParseEncryptedCompact(compact, []gojose.KeyAlgorithm{gojose.ECDH_ES}, []gojose.ContentEncryption{gojose.A256GCM})
	if err != nil {
		t.Fatal(err)
	}
	if object.Header.KeyID != "reports-1" || object.Header.ExtraHeaders["cty"] != "JWT" {
		t.Errorf("header %v", object.Header)
	}
	plain, err := object.Decrypt(r.key)
	if err != nil {
		t.Fatal(err)
	}
	m := claims(t, string(plain))
	if m["aud"] != reports || m["scope"] != "reports.read" || m["sub"] != r.user.ID {
		t.Errorf("claims %v", m)
	}
	if _, err := r.verifyStock(string(plain)); err == nil {
		t.Error("the token of one API is good for another")
	}
	// Nobody but the API reads it: not the issuer, not userinfo.
	if r.active(res.AccessToken) {
		t.Error("the issuer opens it")
	}
	_, err = r.UserInfo(t.Context(), oauth.Request{Authorization: []string{"Bearer " + compact}})
	wantCode(t, err, oauth.InvalidToken)
	wantCode(t, r.Revoke(t.Context(), r.form("client_id", "app", "token", compact)), oauth.UnsupportedTokenType)
	// Userinfo is asked with a token of its own.
	own, err := r.refresh(res.RefreshToken, "scope", "openid profile")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.UserInfo(t.Context(), oauth.Request{Authorization: []string{"Bearer " + own.AccessToken.Reveal()}}); err != nil {
		t.Errorf("userinfo: %v", err)
	}
}

// Keys that cannot be had are answered 503, and cost the app nothing: its code
// is still good.
func TestNestedTokensWithoutKeys(t *testing.T) {
	t.Parallel()
	for _, why := range []error{jose.ErrKeysUnavailable, jose.ErrNoKey} {
		keys := &lostKeys{err: why}
		r := newFormatRig(t, keys)
		code := r.code("scope", "openid ledger.read")
		_, err := r.redeem(code)
		wantCode(t, err, oauth.TemporarilyUnavailable)
		keys.err, keys.set = nil, r.set
		if res, err := r.redeem(code); err != nil || strings.Count(res.AccessToken.Reveal(), ".") != 4 {
			t.Errorf("after the keys came back: %v", err)
		}
	}
}
