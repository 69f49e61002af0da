package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/revocation"
	"sallyport/internal/token"
)

func revocationOf(a token.Access) revocation.Entry {
	return revocation.Entry{Kind: revocation.Grant, ID: a.GrantID.String(), Reason: revocation.ReasonLogout, ExpiresAt: time.Now().Add(2 * time.Hour)}
}

func TestGW13Policy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mfa := func(a *token.Access) { a.ACR = token.ACRMFA }
	old := func(a *token.Access) { a.AuthTime -= 301 }
	machine := func(a *token.Access) { a.Subject, a.ACR, a.AMR, a.AuthTime = "client:job", "", "", 0 }
	for _, tt := range []struct {
		name, target string
		mods         []func(*token.Access)
		status       int
		code, in     string
	}{
		{"scope is there", "/catalog/items/1", nil, 200, "", ""},
		{"client for itself", "/catalog/items/1", []func(*token.Access){machine}, 200, "", ""},
		{"scope prefix is not the scope", "/catalog/items/1", []func(*token.Access){func(a *token.Access) { a.Scope = "catalog.rea catalog.readx catalog" }}, 403, "insufficient_scope", `scope="catalog.read"`},
		{"scope in another case", "/catalog/items/1", []func(*token.Access){func(a *token.Access) { a.Scope = "Catalog.Read" }}, 403, "insufficient_scope", ""},
		{"no scope at all", "/catalog/items/1", []func(*token.Access){func(a *token.Access) { a.Scope = "" }}, 403, "insufficient_scope", ""},
		{"acr too weak", "/catalog/strong", nil, 401, "insufficient_user_authentication", `acr_values="urn:sallyport:mfa", max_age="300"`},
		{"acr strong enough", "/catalog/strong", []func(*token.Access){mfa}, 200, "", ""},
		{"acr stronger", "/catalog/strong", []func(*token.Access){func(a *token.Access) { a.ACR = token.ACRPhishing }}, 200, "", ""},
		{"acr unknown but higher-sounding", "/catalog/strong", []func(*token.Access){func(a *token.Access) { a.ACR = "urn:sallyport:mfa2" }}, 401, "insufficient_user_authentication", ""},
		{"acr as a list", "/catalog/strong", []func(*token.Access){func(a *token.Access) { a.ACR = token.ACRPassword + " " + token.ACRMFA }}, 401, "insufficient_user_authentication", ""},
		{"acr absent", "/catalog/strong", []func(*token.Access){func(a *token.Access) { a.ACR = "" }}, 401, "insufficient_user_authentication", ""},
		{"a client cannot be strong", "/catalog/strong", []func(*token.Access){machine}, 401, "insufficient_user_authentication", ""},
		{"signed in long ago", "/catalog/recent", []func(*token.Access){old}, 401, "insufficient_user_authentication", `max_age="300"`},
		{"signed in lately", "/catalog/recent", nil, 200, "", ""},
		{"sign-in time unknown", "/catalog/recent", []func(*token.Access){func(a *token.Access) { a.AuthTime = 0 }}, 401, "insufficient_user_authentication", ""},
		{"strong but long ago", "/catalog/strong", []func(*token.Access){mfa, old}, 401, "insufficient_user_authentication", ""},
		{"scope comes before acr", "/catalog/strong", []func(*token.Access){func(a *token.Access) { a.Scope = "x" }}, 403, "insufficient_scope", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.get(tt.target, f.bearer(tt.mods...))
			if got.Status != tt.status || got.Code != tt.code || !strings.Contains(got.Header.Get("WWW-Authenticate"), tt.in) {
				t.Errorf("got %d %q %q, want %d %q with %q", got.Status, got.Code, got.Header.Get("WWW-Authenticate"), tt.status, tt.code, tt.in)
			}
			if n := len(f.taken()); (n == 1) != (tt.status == 200) {
				t.Errorf("the backend got %d calls", n)
			}
		})
	}
}

func TestTierHighIsClosedWithoutBinding(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) { o.APIs[0].Tier = token.TierHigh })
	for _, tt := range []struct {
		name   string
		mod    func(*token.Access)
		code   string
		reason string
	}{
		{"password only", func(*token.Access) {}, "invalid_token", "token_not_bound"},
		{"a strong sign-in still needs a bound token", func(a *token.Access) { a.ACR = token.ACRMFA }, "invalid_token", "token_not_bound"},
		{"a client too", func(a *token.Access) { a.Subject, a.ACR, a.AuthTime = "client:job", "", 0 }, "invalid_token", "token_not_bound"},
		{"PP12 a bound token without proof is worth nothing", func(a *token.Access) { a.ACR, a.Confirm.Method = token.ACRMFA, token.ConfirmJKT }, "invalid_token", "dpop_token_as_bearer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.catchUp()
			got := f.get("/catalog/items/1", f.bearer(func(a *token.Access) { a.Lifetime = 300 }, tt.mod))
			if got.Status != 401 || got.Code != tt.code || strings.Join(f.reasons(), ",") != "request.refused "+tt.reason {
				t.Errorf("got %d %s %v", got.Status, got.Code, f.reasons())
			}
			if challenge := strings.Join(got.Header["Www-Authenticate"], "|"); !strings.Contains(challenge, "bound to a key") || !strings.Contains(challenge, "|DPoP algs=") {
				t.Errorf("FAPI §5.3.4: challenge %q", challenge)
			}
			if len(f.taken()) != 0 {
				t.Error("the backend was called")
			}
		})
	}
}

func TestGW21StaleKnowledgeRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tier    token.Tier
		behind  time.Duration
		refused bool
	}{
		{token.TierLow, 55 * time.Second, false},
		{token.TierLow, 61 * time.Second, true},
		{token.TierStandard, 9 * time.Second, false},
		{token.TierStandard, 11 * time.Second, true},
	} {
		t.Run(tt.tier.String()+" "+tt.behind.String(), func(t *testing.T) {
			f := newFixture(t, nil, func(o *gateway.Options) { o.APIs[0].Tier = tt.tier })
			f.ahead.Store(int64(tt.behind))
			// The user agent of a health check changes nothing (CVE-2026-34457).
			got := f.call("GET", "/catalog/items/1", "Authorization: "+f.bearer(), "User-Agent: kube-probe/1.30")
			if !tt.refused {
				if got.Status != 200 {
					t.Errorf("status %d", got.Status)
				}
				return
			}
			if got.Status != 503 || got.Header.Get("Retry-After") == "" || len(f.taken()) != 0 {
				t.Errorf("got %d, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
			}
			if why := strings.Join(f.reasons(), ","); why != "feed.stale feed_stale" {
				t.Errorf("reason %q", why)
			}
			f.catchUp()
			if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
				t.Errorf("status %d after catching up", got.Status)
			}
		})
	}
}

func TestRV07RevokedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	a := f.access()
	tok := "Bearer " + f.seal(a)
	if got := f.get("/catalog/items/1", tok); got.Status != 200 {
		t.Fatalf("status %d", got.Status)
	}
	f.log.add(revocationOf(a))
	f.catchUp()
	if got := f.get("/catalog/items/1", tok); got.Status != 401 {
		t.Errorf("status %d after the grant was revoked", got.Status)
	}
}

// The gateway keeps no verdicts: what one route or scope may says nothing of
// another, and a revocation that has been read counts for the next call.
func TestIN08NoVerdictIsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	a := f.access()
	tok := "Bearer " + f.seal(a)
	for _, step := range []struct {
		method, path string
		status       int
	}{{"GET", "/catalog/items/1", 200}, {"PUT", "/catalog/items/1", 403}, {"GET", "/catalog/items/secret", 403}, {"GET", "/catalog/items/1", 200}, {"GET", "/catalog/strong", 401}} {
		if got := f.call(step.method, step.path, "Authorization: "+tok); got.Status != step.status {
			t.Errorf("IN08 %s %s: %d, want %d", step.method, step.path, got.Status, step.status)
		}
	}
	f.log.add(revocationOf(a))
	f.catchUp()
	if got := f.get("/catalog/items/1", tok); got.Status != 401 {
		t.Errorf("IN08 status %d after the grant was revoked", got.Status)
	}
}

// A signed introspection answer says of a token all that the token says.
func TestIN06J092IntrospectionAnswersAreNoTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	now := f.now().Unix()
	inner := fmt.Sprintf(`{"active":true,"iss":%q,"sub":"u1","client_id":"shop-app","scope":"catalog.read","aud":%q,"jti":"x","iat":%d,"exp":%d}`, issuer, audience, now, now+60)
	answer := fmt.Sprintf(`{"iss":%q,"aud":%q,"iat":%d,"token_introspection":%s}`, issuer, audience, now, inner)
	for _, payload := range []string{answer, inner} {
		for _, purpose := range []token.Purpose{token.SignIDToken, token.SignAccess} {
			jwt, err := f.ring.Signer(purpose).Sign("token-introspection+jwt", []byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := f.get("/catalog/items/1", "Bearer "+jwt); got.Status != 401 || got.Code != "invalid_token" {
				t.Errorf("IN06 %s, signed for %s: %d %s", payload, purpose, got.Status, got.Code)
			}
		}
	}
	if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
		t.Errorf("the pair: %d", got.Status)
	}
}
