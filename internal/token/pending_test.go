package token_test

import (
	"errors"
	"testing"
	"time"

	"sallyport/internal/token"
)

// A pending key that is compromised has made nothing and retires nothing: the
// key that makes goes on, long after the moment at which it would have ended.
func TestKY08ACompromisedPendingKeyRetiresNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := policy(t, token.SealAccess)
	ring := h.node()
	live := h.maker(p.Purpose)
	h.advance(time.Second)
	pending, err := h.keeper.RotateNow(t.Context(), p, false)
	h.ok(err)
	if s := h.maker(p.Purpose); s.ID != live.ID || s.Until.IsZero() {
		t.Fatalf("with a successor that is pending: %+v", s)
	}
	h.advance(time.Second)
	done, err := h.keeper.Compromise(t.Context(), p, pending.ID)
	h.ok(err)
	if done.Successor != nil {
		t.Errorf("a successor of the key that makes: %+v", done.Successor)
	}
	if err := h.store.Keys().ActivateKey(t.Context(), pending.ID, h.now()); !errors.Is(err, token.ErrKeyStale) {
		t.Errorf("the compromised key is brought forward: %v", err)
	}
	h.ok(ring.Reload(t.Context()))
	a := sample()
	sealed, err := ring.SealAccess(&a)
	h.ok(err)
	for _, after := range []time.Duration{0, p.Lead, p.Lead + p.Keep, 2 * p.Keep} {
		h.advance(after)
		if s := h.maker(p.Purpose); s.ID != live.ID || !s.Until.IsZero() {
			t.Errorf("%v later the key that makes is %s until %v, want %s without an end", after, s.ID, s.Until, live.ID)
		}
		for name, node := range map[string]*token.Ring{"the same node": ring, "a new node": h.node()} {
			h.ok(node.Reload(t.Context()))
			if err := node.OpenAccess(sealed.Reveal(), &a); err != nil {
				t.Errorf("%v later %s: %v", after, name, err)
			}
		}
	}
	if n, err := h.store.Keys().ExpireKeys(t.Context(), p.Purpose, h.now(), now.Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("%d keys ended, %v", n, err)
	}
	// One that is compromised after it has made retires the one before it.
	next, err := h.keeper.RotateNow(t.Context(), p, true)
	h.ok(err)
	h.advance(time.Minute)
	_, err = h.keeper.Compromise(t.Context(), p, next.ID)
	h.ok(err)
	states, err := h.keeper.States(t.Context())
	h.ok(err)
	for _, s := range states {
		if s.ID == live.ID && (s.State != token.Retiring || !s.Until.Equal(next.ActiveAt.Add(p.Keep))) {
			t.Errorf("the key before is %s until %v", s.State, s.Until)
		}
	}
}
