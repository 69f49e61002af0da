package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// allTiers puts an API of each tier beside the first.
func allTiers(o *gateway.Options) {
	for tier, name := range map[token.Tier]string{token.TierLow: "low", token.TierStandard: "other", token.TierHigh: "high"} {
		api := o.APIs[0]
		api.Name, api.Audience, api.Path, api.Tier = name, "https://api.example.com/"+name, "/"+name, tier
		api.Operations = []gateway.Operation{
			{Method: "GET", Path: "/things/{id}", Scope: name + ".read"}, {Method: "POST", Path: "/things", Scope: name + ".write"},
		}
		o.APIs = append(o.APIs, api)
	}
}

// J026: whatever is asked for, and however, an operation verifies the token.
func TestJ026EveryOperationVerifiesEveryKindOfToken(t *testing.T) {
	t.Parallel()
	var apis []gateway.API
	f := newFixture(t, nil, allTiers, func(o *gateway.Options) { apis = o.APIs })
	other := newFixture(t, nil)
	all := func(a *token.Access) {
		a.Lifetime, a.ACR = 300, token.ACRMFA
		for _, api := range apis {
			a.Audience += " " + api.Audience
			for _, op := range api.Operations {
				a.Scope += " " + op.Scope
			}
		}
		a.Audience = strings.TrimPrefix(a.Audience, audience+" ")
	}
	forged := map[string]string{
		"nothing": "", "an unsigned JWT": "Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJyb290In0.",
		"another ring's":       other.bearer(all),
		"another ring's JWT":   other.jwt(all),
		"a flipped bit":        "Bearer " + flip(f.seal(f.access())),
		"expired":              f.bearer(all, func(a *token.Access) { a.IssuedAt -= 3600 }),
		"expired, as a JWT":    f.jwt(all, func(a *token.Access) { a.IssuedAt -= 3600 }),
		"a refresh token":      "Bearer " + secret.NewHandle(secret.RefreshToken).Reveal(),
		"Basic":                "Basic dTpw",
		"a DPoP without proof": "DPoP " + strings.TrimPrefix(f.bearer(all), "Bearer "),
	}
	ways := map[string][]string{
		"plain": nil, "WebSocket": {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="},
		"stream": {"Accept: text/event-stream"}, "browser": {"Origin: https://app.example.com"}, "health check": {"User-Agent: kube-probe/1.30"},
		"overridden": {"X-HTTP-Method-Override: GET", "X-Original-URL: /", "X-Forwarded-Uri: /"}, "from inside": {"X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1"},
	}
	for _, api := range apis {
		for _, op := range api.Operations {
			target := api.Path + strings.ReplaceAll(op.Path, "{id}", "1")
			for how, lines := range ways {
				f.catchUp() // tier high forgives one second
				for what, authorization := range forged {
					headers := lines
					if authorization != "" {
						headers = append([]string{"Authorization: " + authorization}, lines...)
					}
					if op.Method != "GET" {
						headers = append([]string{"Content-Length: 0"}, headers...)
					}
					got := f.call(op.Method, target, headers...)
					if n := len(f.taken()); n != 0 || got.Status < 400 || got.Status >= 500 {
						t.Errorf("J026 %s %s, %s, with %s: status %d, the backend got %d calls", op.Method, target, how, what, got.Status, n)
					}
				}
			}
			if api.Tier == token.TierHigh {
				continue // asks for more than a bearer token
			}
			headers := []string{"Authorization: " + f.bearer(all)}
			if op.Method != "GET" {
				headers = append(headers, "Content-Length: 0")
			}
			if got := f.call(op.Method, target, headers...); op.ACR == "" && (got.Status != 200 || len(f.taken()) != 1) {
				t.Errorf("%s %s with a good token: %d %s", op.Method, target, got.Status, got.Body)
			}
			f.taken()
		}
	}
}

// J100: what counts is what the API asks for now, not when the token was made.
func TestJ100TheRulesOfTodayCount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*gateway.Options)
		status int
		code   string
	}{
		{"nothing has changed", func(*gateway.Options) {}, 200, ""},
		{"J100 tier raised to high", func(o *gateway.Options) { o.APIs[0].Tier = token.TierHigh }, 401, "invalid_token"},
		{"J100 a second factor is asked for", func(o *gateway.Options) { o.APIs[0].Operations[0].ACR = token.ACRMFA }, 401, "insufficient_user_authentication"},
		{"J100 the sign-in must be recent", func(o *gateway.Options) { o.APIs[0].Operations[0].MaxAge = time.Second }, 401, "insufficient_user_authentication"},
		{"J100 another scope", func(o *gateway.Options) { o.APIs[0].Operations[0].Scope = "catalog.see" }, 403, "insufficient_scope"},
		{"J100 another audience", func(o *gateway.Options) { o.APIs[0].Audience += "/v2" }, 401, "invalid_token"},
		{"J100 the operation is gone", func(o *gateway.Options) { o.APIs[0].Operations = o.APIs[0].Operations[1:2] }, 405, "method_not_allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := newFixture(t, nil)
			tok := before.bearer()
			if got := before.get("/catalog/items/1", tok); got.Status != 200 {
				t.Fatalf("before the change: status %d", got.Status)
			}
			f := newFixture(t, nil, func(o *gateway.Options) {
				o.Ring, o.Proofs = before.ring, newProofs(t, before.ring, before.now)
				tt.change(o)
			})
			got := f.get("/catalog/items/1", tok)
			if calls := len(f.taken()); got.Status != tt.status || got.Code != tt.code || (calls == 1) != (tt.status == 200) {
				t.Errorf("got %d %q and %d calls, want %d %q", got.Status, got.Code, calls, tt.status, tt.code)
			}
		})
	}
	t.Run("J100 a token that was to live for an hour lives as long as the tier of today allows", func(t *testing.T) {
		f := newFixture(t, nil)
		long := func(a *token.Access) { a.Lifetime, a.Tier = 3600, token.TierLow }
		if got := f.get("/catalog/items/1", f.bearer(long)); got.Status != 200 {
			t.Errorf("fresh: status %d", got.Status)
		}
		if got := f.get("/catalog/items/1", f.bearer(long, func(a *token.Access) { a.IssuedAt -= 601 })); got.Status != 401 {
			t.Errorf("after ten minutes: status %d", got.Status)
		}
	})
}

// J102: a token for one thing opens no other, whatever else fits.
func TestJ102ATokenForOneAPIOpensNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, allTiers)
	for _, tt := range []struct {
		name, target string
		mod          func(*token.Access)
		status       int
	}{
		{"its own API", "/other/things/1", func(a *token.Access) { a.Audience, a.Scope = "https://api.example.com/other", "other.read" }, 200},
		{"J102 another API with the same scope", "/catalog/items/1", func(a *token.Access) {
			a.Audience, a.Scope = "https://api.example.com/other", "catalog.read other.read"
		}, 401},
		{"J102 both APIs, the scope of one", "/other/things/1", func(a *token.Access) { a.Audience, a.Scope = audience+" https://api.example.com/other", "catalog.read" }, 403},
		{"J102 the audience as a part of a longer one", "/other/things/1", func(a *token.Access) { a.Audience, a.Scope = "https://api.example.com/others", "other.read" }, 401},
		{"J102 the path of another in a parameter", "/other/things/%2e%2e%2f%2e%2e%2fcatalog", func(a *token.Access) { a.Audience, a.Scope = "https://api.example.com/other", "other.read" }, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.get(tt.target, f.bearer(tt.mod))
			if n := len(f.taken()); got.Status != tt.status || (n == 1) != (tt.status == 200) {
				t.Errorf("status %d and %d calls, want %d", got.Status, n, tt.status)
			}
		})
	}
}

// J139: requests, revocations and the keys behind them meet in the same maps.
// The race detector watches (make race).
func TestJ139EverythingAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, allTiers)
	var answered atomic.Int64
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := range 40 {
				a := f.access()
				authorization := "Bearer " + f.seal(a)
				switch (worker + i) % 4 {
				case 0:
					f.log.add(revocationOf(a))
					if err := f.feed.CatchUp(t.Context()); err != nil {
						t.Error(err)
					}
				case 1:
					authorization = f.jwt()
				case 2:
					authorization = "Bearer " + secret.NewHandle(secret.AccessToken).Reveal()
				}
				r := httptest.NewRequest(http.MethodGet, "/catalog/items/1", nil)
				r.Header.Set("Authorization", authorization)
				rec := httptest.NewRecorder()
				f.gateway.ServeHTTP(rec, r)
				_, _ = f.gateway.JWKS()
				if rec.Code != 200 && rec.Code != 401 {
					t.Errorf("status %d: %s", rec.Code, rec.Body)
				}
				answered.Add(1)
			}
		})
	}
	all.Wait()
	if answered.Load() != 16*40 {
		t.Errorf("%d of %d were answered", answered.Load(), 16*40)
	}
}
