package upstream_test

import (
	"errors"
	"maps"
	"testing"

	"sallyport/internal/upstream"
)

func TestLogoutTokens(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	h := newHouse(t, f)
	const event = "http://schemas.openid.net/event/backchannel-logout"
	make := func(typ string, change map[string]any) string {
		claims := map[string]any{
			"iss": f.server.URL, "aud": "us", "iat": start.Unix(), "exp": start.Unix() + 120, "jti": "j-1", "sub": "u-1", "sid": "s-1",
			"events": map[string]any{event: map[string]any{}},
		}
		maps.Copy(claims, change)
		for name, v := range claims {
			if v == nil {
				delete(claims, name)
			}
		}
		return f.sign(typ, claims)
	}
	good, err := h.SignedOut(t.Context(), "corp", make("logout+jwt", nil))
	if err != nil || good.Issuer != f.server.URL || good.Subject != "u-1" || good.SID != "s-1" {
		t.Fatalf("got %+v, %v", good, err)
	}
	for name, change := range map[string]map[string]any{"sub alone": {"sid": nil}, "sid alone": {"sub": nil}} {
		if _, err := h.SignedOut(t.Context(), "corp", make("logout+jwt", change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.SignedOut(t.Context(), "corp", make("JWT", nil)); err != nil {
		t.Errorf("the type of an older provider: %v", err)
	}
	for name, change := range map[string]map[string]any{
		"iss of another": {"iss": "https://evil.example"}, "aud of another": {"aud": "them"}, "aud missing": {"aud": nil}, "no jti": {"jti": nil}, "no iat": {"iat": nil},
		"no exp": {"exp": nil}, "old": {"iat": start.Unix() - 3600, "exp": start.Unix() - 3000}, "a nonce": {"nonce": "n"}, "an ID token": {"events": nil, "nonce": "n"},
		"no events": {"events": nil}, "another event": {"events": map[string]any{"x": map[string]any{}}}, "event is no object": {"events": map[string]any{event: true}},
		"neither sub nor sid": {"sub": nil, "sid": nil}, "sid is no string": {"sid": 1},
	} {
		if _, err := h.SignedOut(t.Context(), "corp", make("logout+jwt", change)); !errors.Is(err, upstream.ErrRefused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := h.SignedOut(t.Context(), "corp", make("at+jwt", nil)); !errors.Is(err, upstream.ErrRefused) {
		t.Errorf("T046 an access token: %v", err)
	}
	if _, err := h.SignedOut(t.Context(), "nobody", make("logout+jwt", nil)); !errors.Is(err, upstream.ErrUnknown) {
		t.Errorf("unknown provider: %v", err)
	}
	again, err := h.SignedOut(t.Context(), "corp", make("logout+jwt", map[string]any{"jti": "j-2"}))
	if err != nil || again.Once == good.Once {
		t.Errorf("two messages have one name: %v", err)
	}
}
