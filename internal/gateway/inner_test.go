package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

func withScope(s string) func(*token.Access) { return func(a *token.Access) { a.Scope = s } }

// keys is the key set of inner tokens.
func (f *fixture) keys() []byte {
	set, err := f.gateway.JWKS()
	if err != nil {
		panic(err)
	}
	return set
}

// verified is what a backend finds that verifies with a library and the
// published keys.
func verified(t *testing.T, keys []byte, authorization string) map[string]any {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil {
		t.Fatal(err)
	}
	raw, _ := strings.CutPrefix(authorization, "Bearer ")
	tok, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatalf("%v: %q", err, authorization)
	}
	if typ := tok.Headers[0].ExtraHeaders[jose.HeaderType]; typ != "sallyport-inner+jwt" {
		t.Errorf("typ %v", typ)
	}
	claims := map[string]any{}
	if err := tok.Claims(set.Key(tok.Headers[0].KeyID)[0].Key, &claims); err != nil {
		t.Fatalf("verify: %v", err)
	}
	return claims
}

// Backends compare spellings, as docs/reference/token-format.md promises them.
func TestInnerTokenHasOneSpelling(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	a := f.access()
	a.Subject = "zo\u00eb \"<&>\u2028\u0007"
	if got := f.get("/catalog/items/1", "Bearer "+f.seal(a)); got.Status != 200 {
		t.Fatalf("status %d", got.Status)
	}
	raw := strings.TrimPrefix(f.taken()[0].Header.Get("Authorization"), "Bearer ")
	verified(t, f.keys(), raw)
	parts := strings.Split(raw, ".")
	header, err1 := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	payload, err2 := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if !regexp.MustCompile(`^\{"alg":"EdDSA","kid":"[0-9a-v]+","typ":"sallyport-inner\+jwt"\}$`).Match(header) {
		t.Errorf("header %s", header)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, payload); err != nil || !bytes.Equal(compact.Bytes(), payload) {
		t.Errorf("payload %s: %v", payload, err)
	}
	if want := `"sub":"zo` + "\u00eb" + ` \"<&>` + "\u2028" + `\u0007"`; !strings.Contains(string(payload), want) {
		t.Errorf("payload %s, want %s in it", payload, want)
	}
	if number := regexp.MustCompile(`:-?[0-9]+[^0-9,}\]]`).Find(payload); number != nil {
		t.Errorf("a number that is not whole: %s", number)
	}
}

func TestT058GW19InnerToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	published := f.get("/.well-known/sallyport-gateway/jwks.json", "")
	if published.Body != string(f.keys()) || published.Header.Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("published keys: %+v", published)
	}
	if strings.Contains(published.Body, `"d"`) {
		t.Error("the private key is published")
	}
	a := f.access()
	a.Scope = "openid catalog.read maps.read catalog.write"
	a.Audience = audience + " https://api.example.com/other"
	outer := f.seal(a)
	inner := func() string {
		if got := f.get("/catalog/items/1", "Bearer "+outer); got.Status != 200 {
			t.Fatalf("status %d", got.Status)
		}
		return f.taken()[0].Header.Get("Authorization")
	}
	first := inner()
	claims := verified(t, []byte(published.Body), first)
	now := float64(time.Now().Unix())
	for name, want := range map[string]any{
		"iss": issuer, "aud": audience, "sub": "u1", "client_id": "shop-app", "scope": "catalog.read catalog.write", "acr": token.ACRPassword,
		"auth_time": float64(a.AuthTime), "grant": a.GrantID.String(),
	} {
		if claims[name] != want {
			t.Errorf("%s: %v, want %v", name, claims[name], want)
		}
	}
	iat, exp := claims["iat"].(float64), claims["exp"].(float64)
	if iat > now || iat < now-3 || exp-iat != 60 {
		t.Errorf("iat %v, exp %v, now %v", iat, exp, now)
	}
	if jti, _ := claims["jti"].(string); len(jti) < 20 {
		t.Errorf("jti %v", claims["jti"])
	}
	if len(claims) != 12 {
		t.Errorf("claims %v", claims)
	}
	if amr, ok := claims["amr"].([]any); !ok || len(amr) != 1 || amr[0] != "pwd" {
		t.Errorf("amr %v", claims["amr"])
	}
	t.Run("minted once", func(t *testing.T) {
		if inner() != first {
			t.Error("a second call has another inner token")
		}
	})
	t.Run("KY08 and again after any key was compromised", func(t *testing.T) {
		for _, r := range f.stored.rows {
			if r.Purpose == token.MACForm {
				f.ring.Drop(r.ID)
			}
		}
		second := inner()
		if second == first {
			t.Error("it is still the one from before")
		}
		if first = inner(); first != second {
			t.Error("it is minted for each call now")
		}
		claims = verified(t, f.keys(), first)
	})
	t.Run("renewed beside the calls at 80 % of its life", func(t *testing.T) {
		f.ahead.Store(int64(49 * time.Second))
		f.catchUp()
		if inner() != first {
			t.Error("a call waits for the next one")
		}
		for range 200 {
			if second := inner(); second != first {
				if verified(t, f.keys(), second)["jti"] == claims["jti"] {
					t.Error("it has the same jti")
				}
				f.ahead.Store(0)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Error("it is never renewed")
	})
	t.Run("the first call after it has ended carries a valid one", func(t *testing.T) {
		for _, ahead := range []time.Duration{54, 60, 61, 200} {
			f.ahead.Store(int64(ahead * time.Second))
			f.catchUp()
			c := verified(t, f.keys(), inner())
			if left := c["exp"].(float64) - float64(f.now().Unix()); left < 5 || left > 60 {
				t.Errorf("%v s later it has %v s left", int(ahead), left)
			}
		}
		f.ahead.Store(0)
	})
	t.Run("never longer than the outer one", func(t *testing.T) {
		f.get("/catalog/items/1", f.bearer(func(a *token.Access) { a.Lifetime = 7 }))
		c := verified(t, f.keys(), f.taken()[0].Header.Get("Authorization"))
		if life := c["exp"].(float64) - c["iat"].(float64); life > 7 {
			t.Errorf("it lives %v s", life)
		}
	})
	t.Run("T055 the front door refuses it", func(t *testing.T) {
		if got := f.get("/catalog/items/1", first); got.Status != 401 || got.Code != "invalid_token" {
			t.Errorf("got %d %s", got.Status, got.Code)
		}
	})
}

func TestInnerTokenOfAClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.get("/catalog/items/1", f.bearer(func(a *token.Access) {
		*a = token.Access{Serial: a.Serial, ClientID: "job", Subject: "client:job", Audience: a.Audience, Scope: a.Scope, IssuedAt: a.IssuedAt, Lifetime: 60}
	}))
	c := verified(t, f.keys(), f.taken()[0].Header.Get("Authorization"))
	for _, name := range []string{"acr", "amr", "auth_time", "grant"} {
		if v, there := c[name]; there {
			t.Errorf("%s: %v, though nobody signed in", name, v)
		}
	}
	if c["sub"] != "client:job" {
		t.Errorf("sub %v", c["sub"])
	}
}

func TestInnerTokenCannotBeInjected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	const evil = "x\",\"sub\":\"root\",\"a\":\"\\\u2028\n<é\xff"
	f.get("/catalog/items/1", f.bearer(func(a *token.Access) {
		a.ClientID, a.Subject, a.AMR, a.ACR, a.Scope = evil, evil, "pwd "+evil, evil, "catalog.read "+evil
	}))
	c := verified(t, f.keys(), f.taken()[0].Header.Get("Authorization"))
	clean := strings.ToValidUTF8(evil, "\ufffd")
	if c["sub"] != clean || c["client_id"] != clean || c["scope"] != "catalog.read" || c["a"] != nil {
		t.Errorf("claims %q", c)
	}
}

func TestInnerTokenIsForOneAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) {
		other := o.APIs[0]
		other.Name, other.Audience, other.Path = "other", "https://api.example.com/other", "/other"
		other.Operations = []gateway.Operation{{Method: "GET", Path: "/{x}", Scope: "other.read"}}
		o.APIs = append(o.APIs, other)
	})
	authorization := f.bearer(func(a *token.Access) {
		a.Audience, a.Scope = audience+" https://api.example.com/other", "catalog.read other.read"
	})
	f.get("/catalog/items/1", authorization)
	f.get("/other/1", authorization)
	var auds, scopes []any
	for _, r := range f.taken() {
		c := verified(t, f.keys(), r.Header.Get("Authorization"))
		auds, scopes = append(auds, c["aud"]), append(scopes, c["scope"])
	}
	if !slices.Equal(auds, []any{audience, "https://api.example.com/other"}) || !slices.Equal(scopes, []any{"catalog.read", "other.read"}) {
		t.Errorf("aud %v, scope %v", auds, scopes)
	}
}

func TestInnerTokenSignedOnceForMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	authorization := f.bearer()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			req, _ := http.NewRequest("GET", f.front.URL+"/catalog/items/1", nil)
			req.Header.Set("Authorization", authorization)
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
		})
	}
	wg.Wait()
	got := map[string]bool{}
	for _, r := range f.taken() {
		got[r.Header.Get("Authorization")] = true
	}
	if len(got) != 1 {
		t.Errorf("%d different inner tokens for one token", len(got))
	}
}

// The backend sees who acts and what was agreed to in detail, of the latter only
// what is for its API. The subject stays the subject (RFC 8693 §4.1).
func TestJ097TheInnerTokenNamesTheActor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	const actor = `{"sub":"client:orders","act":{"sub":"client:shop"}}`
	f.get("/catalog/items/1", f.bearer(func(a *token.Access) {
		a.Actor = actor
		a.Details = `[{"type":"a"},{"type":"b","locations":["https://api.example.com/other"]},{"type":"c","locations":["` + audience + `"]}]`
	}))
	raw := f.taken()[0].Header.Get("Authorization")
	c := verified(t, f.keys(), raw)
	if c["sub"] != "u1" {
		t.Errorf("J097 the subject is %v", c["sub"])
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"act":` + actor, `"authorization_details":[{"type":"a"},{"type":"c","locations":["` + audience + `"]}]`} {
		if !strings.Contains(string(payload), want) {
			t.Errorf("%s is not in %s", want, payload)
		}
	}
	f.get("/catalog/items/1", f.bearer())
	if c := verified(t, f.keys(), f.taken()[0].Header.Get("Authorization")); c["act"] != nil || c["authorization_details"] != nil {
		t.Errorf("claims %v of a token without an actor", c)
	}
}
