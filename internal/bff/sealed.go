package bff

import (
	"encoding/json"
	"time"

	"sallyport/internal/secret"
)

// kept is what a session's row has sealed.
type kept struct {
	AccessToken  string                     `json:"a"`
	RefreshToken string                     `json:"r"`
	Expires      int64                      `json:"e"` // Unix seconds
	Life         int64                      `json:"l"` // seconds
	Claims       map[string]json.RawMessage `json:"c,omitempty"`
	Subject      string                     `json:"s"`
}

// Refresh is the refresh token.
func (k *kept) Refresh() secret.Value { return secret.New(k.RefreshToken) }

// Access is the access token.
func (k *kept) Access() secret.Value { return secret.New(k.AccessToken) }

// expires is when the access token ends.
func (k *kept) expires() time.Time { return time.Unix(k.Expires, 0) }

// renewAt is a little before that, so that no call goes out with a token that ends
// on its way.
func (k *kept) renewAt() time.Time {
	return k.expires().Add(-min(30*time.Second, time.Duration(k.Life)*time.Second/10))
}

// keep is what is kept of t: no ID token, and of its claims those that the app's
// pages may know.
func (a *app) keep(t *Tokens) kept {
	return kept{
		AccessToken: t.Access.Reveal(), RefreshToken: t.Refresh.Reveal(), Expires: t.Expires.Unix(), Life: int64(t.Lifetime / time.Second),
		Claims: about(t.Claims, a.Claims), Subject: t.claim("sub"),
	}
}

// label names the place of sealed tokens: those of one session are nothing in the
// row of another.
func label(id secret.ID) string { return "browser_session:" + id.String() }

func (a *app) seal(id secret.ID, k kept) (string, error) {
	plain, err := json.Marshal(k)
	if err != nil {
		return "", err
	}
	return a.Ring.SealBrowser(label(id), plain)
}

func (a *app) unseal(s *Session) (kept, error) {
	var k kept
	plain, err := a.Ring.OpenBrowser(label(s.ID), s.Tokens)
	if err == nil {
		err = json.Unmarshal(plain, &k)
	}
	return k, err
}
