package bff

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"time"

	"sallyport/internal/secret"
)

// Client speaks to the issuer as the confidential client of one app. Whether the
// issuer is in this process or another it alone knows.
type Client interface {
	// Begin returns the address to send a browser to with an authorization request.
	// remote is where the browser is.
	Begin(ctx context.Context, remote netip.Addr, params url.Values) (address string, err error)
	// Redeem exchanges a code (RFC 6749 §4.1.3).
	Redeem(ctx context.Context, code secret.Value, redirectURI string, verifier secret.Value) (Tokens, error)
	// Renew exchanges a refresh token. An error that is ErrEnded is final.
	Renew(ctx context.Context, refresh secret.Value) (Tokens, error)
	// Revoke ends the grant of a refresh token (RFC 7009).
	Revoke(ctx context.Context, refresh secret.Value) error
	// Logout ends the session at the issuer that a grant came from, with all grants
	// of it.
	Logout(ctx context.Context, grant secret.ID) error
}

// ErrEnded says that there will be no more tokens: what the person agreed to has
// ended, or the code was not to be redeemed.
var ErrEnded = errors.New("the grant has ended")

// Tokens are what the issuer gives for one grant.
type Tokens struct {
	Access, Refresh secret.Value
	Expires         time.Time // of Access
	Lifetime        time.Duration
	Grant           secret.ID
	// Claims are those of the ID token, which the Client has found to be the issuer's.
	Claims map[string]json.RawMessage
}

// claim is a claim that is a text, or "".
func (t *Tokens) claim(name string) string {
	var text string
	_ = json.Unmarshal(t.Claims[name], &text)
	return text
}

// about is what the pages of an app may know of the person, as JSON: what the
// list names, and never what only the app's server is to see.
func about(claims map[string]json.RawMessage, allowed []string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, name := range allowed {
		v := claims[name]
		if len(v) > 0 && len(v) <= maxClaim && v[0] != '{' && v[0] != '[' {
			out[name] = v
		}
	}
	return out
}

const maxClaim = 512 // bytes of one, as JSON

// idClaims come with every ID token; the others are asked for.
var idClaims = map[string]bool{"sub": true, "acr": true, "auth_time": true}

// claimsParameter asks for claims in the ID token (OpenID Connect Core §5.5).
func claimsParameter(names []string) string {
	asked := map[string]any{}
	for _, n := range names {
		if !idClaims[n] {
			asked[n] = nil
		}
	}
	if len(asked) == 0 {
		return ""
	}
	b, _ := json.Marshal(map[string]any{"id_token": asked}) //nolint:errchkjson // names and nothing
	return string(b)
}
