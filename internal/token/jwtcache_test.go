package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// A JWT that was right once is remembered, and yet refused as soon as it must be.
func TestARememberedJWTEndsWithItsKeyAndItsTime(t *testing.T) {
	t.Parallel()
	const issuer = "https://auth.example.com"
	h := newHouse(t)
	ring := h.node()
	h.advance(time.Second)
	reader, err := token.NewAccessReader(ring, issuer, h.now)
	h.ok(err)
	sign := func() string {
		a := sample()
		a.IssuedAt = h.now().Unix()
		a.AuthTime = a.IssuedAt
		jwt, err := ring.SignAccess(&a, issuer)
		h.ok(err)
		return jwt.Reveal()
	}
	open := func(tok string) error {
		var a token.Access
		_, err := reader.Open(t.Context(), tok, &a)
		if err == nil && a.ClientID != sample().ClientID {
			t.Errorf("it says %+v", a)
		}
		return err
	}
	tok := sign()
	for range 2 {
		h.ok(open(tok))
	}
	at := strings.LastIndexByte(tok, '.') + 10
	other := byte('A')
	if tok[at] == other {
		other = 'B'
	}
	if err := open(tok[:at] + string(other) + tok[at+1:]); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another signature of a remembered token: %v", err)
	}
	h.advance(599 * time.Second)
	h.ok(open(tok))
	h.advance(time.Second)
	if err := open(tok); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("a remembered token that has ended: %v", err)
	}
	tok = sign()
	for range 2 {
		h.ok(open(tok))
	}
	done := h.compromise(token.SignAccess, secret.ID{})
	ring.Drop(done.Dead[len(done.Dead)-1])
	if err := open(tok); err == nil {
		t.Error("a remembered token of a leaked key passes")
	}
}
