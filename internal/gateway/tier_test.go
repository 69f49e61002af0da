package gateway_test

import (
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// TestT018AnOperationHasItsOwnTier holds one token against two operations of an API of
// tier standard, one of which is high.
func TestT018AnOperationHasItsOwnTier(t *testing.T) {
	t.Parallel()
	high, low := token.TierHigh, token.TierLow
	f := newFixture(t, nil, withOperations(
		gateway.Operation{Method: "GET", Path: "/items/{id}", Scope: "catalog.read"},
		gateway.Operation{Method: "GET", Path: "/payments/{id}", Scope: "catalog.read", Tier: &high},
		gateway.Operation{Method: "GET", Path: "/weather", Scope: "catalog.read", Tier: &low},
	))
	f.stopped = time.Now() // tier high asks for revocations of this second
	f.catchUp()
	mfa := func(a *token.Access) { a.ACR = token.ACRMFA }
	t.Run("a token that is not bound goes where the API's tier holds", func(t *testing.T) {
		if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
			t.Errorf("got %d %q", got.Status, got.Code)
		}
	})
	t.Run("and is told of DPoP where the operation is high", func(t *testing.T) {
		got := f.get("/catalog/payments/1", f.bearer(mfa))
		if challenge := strings.Join(got.Header.Values("WWW-Authenticate"), "\n"); got.Status != 401 || got.Code != "invalid_token" || !strings.Contains(challenge, "DPoP ") {
			t.Errorf("got %d %q %q", got.Status, got.Code, challenge)
		}
	})
	t.Run("without a token, each operation says what it takes", func(t *testing.T) {
		for target, bearer := range map[string]bool{"/catalog/items/1": true, "/catalog/payments/1": false} {
			challenge := strings.Join(f.get(target, "").Header.Values("WWW-Authenticate"), "\n")
			if strings.Contains(challenge, "Bearer ") != bearer || !strings.Contains(challenge, "DPoP ") {
				t.Errorf("%s offers %q", target, challenge)
			}
		}
	})
	f.taken()
	t.Run("revocations may be as old as the operation's tier allows", func(t *testing.T) {
		for _, tt := range []struct {
			ahead  time.Duration
			target string
			status int
		}{
			{5 * time.Second, "/catalog/payments/1", 503},
			{5 * time.Second, "/catalog/items/1", 200},
			{20 * time.Second, "/catalog/items/1", 503},
			{20 * time.Second, "/catalog/weather", 200},
		} {
			f.ahead.Store(int64(tt.ahead))
			if got := f.get(tt.target, f.bearer(mfa)); got.Status != tt.status {
				t.Errorf("%s with a feed of %s ago: %d %q, want %d", tt.target, tt.ahead, got.Status, got.Code, tt.status)
			}
		}
	})
}
