package token_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// without runs f while the master key cannot be read.
func (h *house) without(f func()) {
	read := h.keeper.Master
	h.keeper.Master = func() (*token.Master, error) { return nil, errors.New("no master key") }
	defer func() { h.keeper.Master = read }()
	f()
}

func (h *house) compromise(p token.Purpose, id secret.ID) token.Compromised {
	h.t.Helper()
	done, err := h.keeper.Compromise(h.t.Context(), policy(h.t, p), id)
	h.ok(err)
	return done
}

// A leaked key does not live on because its successor cannot be made. In
// between nothing is made, not with a key that retires either.
func TestKY08ALeakedKeyDiesWithoutTheMasterKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		one, before bool // one key and not the purpose; with a key before it
	}{"the only key": {}, "the purpose": {before: true}, "one key, and the one before retires": {true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			here, there := h.node(), h.node()
			h.advance(time.Second)
			if c.before {
				_, err := h.keeper.RotateNow(t.Context(), policy(t, token.SealAccess), true)
				h.ok(err)
				h.ok(here.Reload(t.Context()))
				h.ok(there.Reload(t.Context()))
				h.advance(time.Second)
			}
			a := sample()
			sealed, err := here.SealAccess(&a)
			h.ok(err)
			h.ok(there.OpenAccess(sealed.Reveal(), &a))
			id := secret.ID{}
			if c.one {
				records := records(t, h)
				id = records[len(records)-1].ID
			}
			h.without(func() {
				done := h.compromise(token.SealAccess, id)
				if len(done.Dead) == 0 || done.Successor != nil || done.Missing == nil {
					t.Fatalf("compromised %+v", done)
				}
				if _, err := h.keeper.Tend(t.Context()); err == nil {
					t.Error("nobody hears that a successor is missing")
				}
				here.Drop(done.Dead[len(done.Dead)-1]) // one hears of it, the other reads the keys
				h.ok(there.Reload(t.Context()))
				for name, node := range map[string]*token.Ring{"dropped": here, "read": there, "started": h.node()} {
					if err := node.OpenAccess(sealed.Reveal(), &a); !errors.Is(err, token.ErrInvalid) {
						t.Errorf("%s: what the dead key made: %v", name, err)
					}
					if _, err := node.SealAccess(&a); !errors.Is(err, token.ErrNoKey) {
						t.Errorf("%s: something is made: %v", name, err)
					}
				}
			})
			h.advance(time.Second)
			if n := h.tend(); n != 1 {
				t.Fatalf("%d successors made once the master key is back, want 1", n)
			}
			if n := h.tend(); n != 0 {
				t.Errorf("%d more", n)
			}
			again, err := here.SealAccess(&a) // looks for it by itself
			h.ok(err)
			h.ok(there.Reload(t.Context()))
			h.ok(there.OpenAccess(again.Reveal(), &a))
			if there.OpenAccess(sealed.Reveal(), &a) == nil {
				t.Error("what the dead key made is accepted again")
			}
		})
	}
}

// A pending key needs no master key to be brought forward.
func TestKY08APendingKeyTakesOverWithoutTheMasterKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring := h.node()
	h.advance(time.Second)
	id := h.maker(token.SignIDToken).ID
	next, err := h.keeper.RotateNow(t.Context(), policy(t, token.SignIDToken), false)
	h.ok(err)
	h.without(func() {
		done := h.compromise(token.SignIDToken, id)
		if done.Missing != nil || done.Successor == nil || done.Successor.ID != next.ID {
			t.Errorf("compromised %+v", done)
		}
	})
	h.ok(ring.Reload(t.Context()))
	if got := ring.Signer(token.SignIDToken).KeyID; got != next.ID.String() {
		t.Errorf("%s signs, want %s", got, next.ID)
	}
}

func TestKY08OneNodeMakesTheMissingSuccessor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.node()
	h.advance(time.Second)
	h.without(func() { h.compromise(token.MACRefresh, secret.ID{}) })
	var nodes sync.WaitGroup
	for range 8 {
		nodes.Go(func() {
			if _, err := h.keeper.Tend(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
	live := 0
	for _, r := range records(t, h) {
		if r.Purpose == token.MACRefresh && r.CompromisedAt.IsZero() {
			live++
		}
	}
	if live != 1 {
		t.Errorf("%d keys, want 1", live)
	}
}

// A node whose clock is years ahead has made keys that are active then.
func TestKY08AKeyFarAheadStopsNoRotation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring := h.node()
	var told []token.KeyRecord
	p := policy(t, token.SealAccess)
	wrong := *h.keeper
	wrong.Now = func() time.Time { return h.now().Add(3 * 365 * 24 * time.Hour) }
	h.advance(time.Second)
	far, err := wrong.RotateNow(t.Context(), p, false)
	h.ok(err)
	h.keeper.Astray = func(r token.KeyRecord) { told = append(told, r) }
	h.advance(p.Rotate)
	if n := h.tend(); n != 4 {
		t.Fatalf("%d keys made, want 4: one for each purpose that is due", n)
	}
	if n := h.tend(); n != 0 {
		t.Errorf("%d keys made again", n)
	}
	if len(told) != 2 || told[0].ID != far.ID {
		t.Errorf("told of %+v, want the one far ahead, twice", told)
	}
	states, err := h.keeper.States(t.Context())
	h.ok(err)
	var got []token.State
	for _, s := range states {
		if s.Purpose == p.Purpose {
			got = append(got, s.State)
		}
	}
	if len(got) != 3 || got[0] != token.Active || got[1] != token.Pending || got[2] != token.Ahead {
		t.Errorf("states %v", got)
	}
	h.advance(p.Lead)
	h.ok(ring.Reload(t.Context()))
	a := sample()
	if _, err := ring.SealAccess(&a); err != nil {
		t.Error(err)
	}
	if got := h.maker(p.Purpose); got.ID == far.ID {
		t.Error("the key far ahead makes")
	}
	if _, err := h.keeper.RotateNow(t.Context(), p, true); err != nil {
		t.Errorf("rotate --now beside it: %v", err)
	}
	if done := h.compromise(p.Purpose, far.ID); done.Successor != nil || done.Missing != nil {
		t.Errorf("ending it: %+v", done)
	}
}
