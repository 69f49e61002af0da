package storetest

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var keyTests = []test{
	{"the first key of a purpose stays", firstKey},
	{"keys come oldest first", keyOrder},
	{"KY08 a successor follows the newest key and no other", keySuccessor},
	{"a pending key is brought forward once", keyActivated},
	{"KY08 a compromised key loses its material and the next is there at once", keyCompromised},
	{"KY08 grants end that a compromised key of codes could have made", codeKeyCompromised},
	{"a compromised key that makes nothing has no successor", keyCompromisedPending},
	{"KY08 a compromised key dies without a successor too, and the next comes later", keyCompromisedAlone},
	{"a key that is active far ahead stops no rotation", keyAhead},
	{"KY06 all keys are wrapped anew or none", keyRewrapped},
	{"KY08 keys end when what they made has, and not before", keyExpired},
	{"KY08 what a compromised key retired stays retired", keyExpiredByCompromised},
	{"every change of keys is in the feed", keyFeed},
}

func (r *rig) key(p token.Purpose) token.KeyRecord {
	return token.KeyRecord{
		ID: secret.NewID(r.clock()), Purpose: p, Algorithm: token.XAES256GCM, Wrapped: secret.Random(72), WrappedBy: "aa00", CreatedAt: r.clock(), ActiveAt: r.clock(),
	}
}

func (r *rig) heir(p token.Purpose) *token.KeyRecord { k := r.key(p); return &k }

// first stores the first key of a purpose, and lets a second pass.
func (r *rig) first(p token.Purpose) token.KeyRecord {
	r.t.Helper()
	k := r.key(p)
	r.ok(r.Keys.AddFirstKey(r.ctx(), k))
	r.advance(time.Second)
	return k
}

// next stores a successor of k that is active after a while.
func (r *rig) next(k token.KeyRecord, active time.Duration) token.KeyRecord {
	r.t.Helper()
	n := r.key(k.Purpose)
	n.ActiveAt = r.clock().Add(active)
	r.ok(r.Keys.SucceedKey(r.ctx(), n, k.ID))
	return n
}

func (r *rig) keys() []token.KeyRecord {
	r.t.Helper()
	list, err := r.Keys.Keys(r.ctx())
	r.ok(err)
	return list
}

func (r *rig) wantKeys(want ...token.KeyRecord) {
	r.t.Helper()
	if d := cmp.Diff(want, r.keys()); d != "" {
		r.t.Error(d)
	}
}

// died is k after it was compromised now.
func (r *rig) died(k token.KeyRecord) token.KeyRecord {
	k.Wrapped, k.CompromisedAt = []byte{}, r.clock()
	return k
}

func firstKey(r *rig) {
	r.wantKeys()
	first := r.first(token.SealAccess)
	r.advance(time.Second)
	r.first(token.SealAccess)
	other := r.first(token.SealFlow)
	r.wantKeys(first, other)
}

func keyOrder(r *rig) {
	late := r.key(token.SealAccess)
	r.advance(-time.Hour)
	early := r.key(token.SealFlow)
	r.ok(r.Keys.AddFirstKey(r.ctx(), late))
	r.ok(r.Keys.AddFirstKey(r.ctx(), early))
	r.wantKeys(early, late)
}

func keySuccessor(r *rig) {
	a, other := r.first(token.SealAccess), r.first(token.SealFlow)
	r.advance(time.Second)
	b := r.next(a, time.Minute)
	r.is("a second successor", r.Keys.SucceedKey(r.ctx(), r.key(token.SealAccess), a.ID), token.ErrKeyStale)
	r.is("a successor of another purpose's", r.Keys.SucceedKey(r.ctx(), r.key(token.SealFlow), b.ID), token.ErrKeyStale)
	r.is("a successor of nothing", r.Keys.SucceedKey(r.ctx(), r.key(token.MACForm), a.ID), token.ErrKeyStale)
	wrong := r.key(token.SealAccess)
	wrong.WrappedBy = "bb11"
	r.is("one that is wrapped by another master key", r.Keys.SucceedKey(r.ctx(), wrong, b.ID), token.ErrKeyStale)
	r.wantKeys(a, other, b)
}

func keyActivated(r *rig) {
	a := r.first(token.SealAccess)
	r.advance(time.Second)
	b := r.next(a, time.Hour)
	r.ok(r.Keys.ActivateKey(r.ctx(), b.ID, r.clock()))
	b.ActiveAt = r.clock()
	r.is("again", r.Keys.ActivateKey(r.ctx(), b.ID, r.clock()), token.ErrKeyStale)
	r.is("an active one", r.Keys.ActivateKey(r.ctx(), a.ID, r.clock()), token.ErrKeyStale)
	r.wantKeys(a, b)
}

func (r *rig) compromise(p token.Purpose, id secret.ID) (dead []secret.ID, successor token.KeyRecord) {
	r.t.Helper()
	successor = r.key(p)
	dead, err := r.Keys.CompromiseKeys(r.ctx(), p, id, &successor, r.clock())
	r.ok(err)
	return dead, successor
}

// codeKeyCompromised: with the key, codes could be made for anybody, and they
// have no row. What began while it was in use ends; what is older goes on.
func codeKeyCompromised(r *rig) {
	s := r.addSession(r.addUser("ann"))
	before := r.grant(s)
	r.ok(r.OAuth.RedeemCode(r.ctx(), before))
	r.advance(time.Minute)
	r.first(token.SealFlow)
	old := r.first(token.SealAccess)
	during := r.grant(s)
	r.ok(r.OAuth.RedeemCode(r.ctx(), during))
	r.compromise(token.SealAccess, old.ID)
	if g, err := r.OAuth.Grant(r.ctx(), during.ID); err != nil || !g.RevokedAt.IsZero() {
		r.t.Errorf("the key of another purpose ended it: %v, %v", g.RevokedAt, err)
	}
	r.advance(time.Second)
	r.compromise(token.SealFlow, secret.ID{})
	if g, err := r.OAuth.Grant(r.ctx(), during.ID); err != nil || g.RevokedAt.IsZero() {
		r.t.Errorf("a grant of a time in which codes could be forged lives on: %v", err)
	}
	if g, err := r.OAuth.Grant(r.ctx(), before.ID); err != nil || !g.RevokedAt.IsZero() {
		r.t.Errorf("a grant from before the key has ended: %v", err)
	}
	after := r.grant(s)
	r.ok(r.OAuth.RedeemCode(r.ctx(), after))
}

func keyCompromised(r *rig) {
	other := r.first(token.SealFlow)
	a := r.first(token.SealAccess)
	r.advance(time.Second)
	b := r.next(a, 0)
	r.advance(time.Second)
	c := r.next(b, time.Hour)
	r.advance(time.Second)
	_, err := r.Keys.CompromiseKeys(r.ctx(), token.SealFlow, b.ID, r.heir(token.SealFlow), r.clock())
	r.is("a key of another purpose", err, token.ErrKeyStale)
	dead, d := r.compromise(token.SealAccess, b.ID)
	if diff := cmp.Diff([]secret.ID{b.ID}, dead); diff != "" {
		r.t.Error(diff)
	}
	b = r.died(b)
	r.wantKeys(other, a, b, c, d)
	_, err = r.Keys.CompromiseKeys(r.ctx(), token.SealAccess, b.ID, r.heir(token.SealAccess), r.clock())
	r.is("again", err, token.ErrKeyStale)
	r.is("activating it", r.Keys.ActivateKey(r.ctx(), b.ID, r.clock()), token.ErrKeyStale)

	r.advance(time.Second)
	dead, e := r.compromise(token.SealAccess, secret.ID{})
	if len(dead) != 3 {
		r.t.Errorf("%d keys of the purpose died, want 3", len(dead))
	}
	r.wantKeys(other, r.died(a), b, r.died(c), r.died(d), e)
}

func keyCompromisedPending(r *rig) {
	a := r.first(token.SealAccess)
	r.advance(time.Second)
	b := r.next(a, time.Hour)
	r.compromise(token.SealAccess, b.ID)
	b = r.died(b)
	r.wantKeys(a, b)
	r.is("activating it", r.Keys.ActivateKey(r.ctx(), b.ID, r.clock().Add(time.Second)), token.ErrKeyStale)
	r.advance(2 * time.Hour) // b would have retired a by now
	n, err := r.Keys.ExpireKeys(r.ctx(), token.SealAccess, r.clock(), start)
	r.ok(err)
	if n != 0 {
		r.t.Errorf("%d keys ended, but the one that makes has no successor", n)
	}
	r.wantKeys(a, b, r.next(a, 0))
}

func keyCompromisedAlone(r *rig) {
	other := r.first(token.SealFlow)
	a := r.first(token.SealAccess)
	r.is("a successor of nobody", r.Keys.SucceedKey(r.ctx(), r.key(token.SealAccess), secret.ID{}), token.ErrKeyStale)
	foreign := r.heir(token.SealAccess)
	foreign.WrappedBy = "bb11"
	for name, successor := range map[string]*token.KeyRecord{"none": nil, "one under another master key": foreign} {
		dead, err := r.Keys.CompromiseKeys(r.ctx(), token.SealAccess, secret.ID{}, successor, r.clock())
		r.ok(err)
		if len(dead) != 1 {
			r.t.Errorf("%s: %d keys died, want 1", name, len(dead))
		}
		a = r.died(a)
		r.wantKeys(other, a)
		r.advance(time.Second)
		r.is("the successor of a dead key", r.Keys.SucceedKey(r.ctx(), r.key(token.SealAccess), a.ID), token.ErrKeyStale)
		b := r.key(token.SealAccess)
		r.ok(r.Keys.SucceedKey(r.ctx(), b, secret.ID{}))
		r.is("a second one", r.Keys.SucceedKey(r.ctx(), r.key(token.SealAccess), secret.ID{}), token.ErrKeyStale)
		r.wantKeys(other, a, b)
		_, err = r.Keys.ExpireKeys(r.ctx(), token.SealAccess, start, r.clock())
		r.ok(err)
		a = b
	}
}

func keyAhead(r *rig) {
	a := r.first(token.SealAccess)
	far := r.next(a, 24*365*time.Hour)
	b := r.next(a, token.MaxAhead)
	r.is("a second one", r.Keys.SucceedKey(r.ctx(), r.key(token.SealAccess), a.ID), token.ErrKeyStale)
	r.is("after the one far ahead", r.Keys.SucceedKey(r.ctx(), r.key(token.SealAccess), far.ID), token.ErrKeyStale)
	if n := len(r.keys()); n != 3 {
		r.t.Errorf("%d keys, want 3", n)
	}
	r.next(b, token.MaxAhead)
}

func keyRewrapped(r *rig) {
	a, b := r.first(token.SealAccess), r.first(token.SealFlow)
	r.advance(time.Second)
	r.compromise(token.SealFlow, b.ID)
	fault := errors.New("no")
	err := r.Keys.RewrapKeys(r.ctx(), "bb11", r.clock(), func(k token.KeyRecord) (token.KeyRecord, error) {
		if k.ID != a.ID {
			return k, fault
		}
		k.Wrapped, k.WrappedBy = []byte("new"), "bb11"
		return k, nil
	})
	r.is("one that does not unwrap", err, fault)
	if got := r.keys()[0]; got.WrappedBy != "aa00" {
		r.t.Error("some keys were wrapped anew, others not")
	}
	seen := 0
	r.ok(r.Keys.RewrapKeys(r.ctx(), "bb11", r.clock(), func(k token.KeyRecord) (token.KeyRecord, error) {
		seen++
		k.Wrapped, k.WrappedBy, k.ActiveAt = []byte("new"), "bb11", r.clock().Add(time.Hour)
		return k, nil
	}))
	for _, k := range r.keys() {
		switch {
		case !k.CompromisedAt.IsZero():
			if len(k.Wrapped) > 0 || k.WrappedBy != "aa00" {
				r.t.Error("rewrapping has touched a compromised key")
			}
		case string(k.Wrapped) != "new" || k.WrappedBy != "bb11" || k.ActiveAt.After(r.clock()):
			r.t.Errorf("key after rewrapping: %+v", k)
		}
	}
	r.is("a successor under the old one", r.Keys.SucceedKey(r.ctx(), r.key(token.SealAccess), a.ID), token.ErrKeyStale)
	r.is("a first one under the old one", r.Keys.AddFirstKey(r.ctx(), r.key(token.MACForm)), token.ErrKeyStale)
}

func keyExpired(r *rig) {
	a := r.first(token.SealAccess)
	r.first(token.SealFlow)
	r.advance(time.Second)
	b := r.next(a, time.Hour)
	expire := func(retired time.Time, want int64) {
		r.t.Helper()
		n, err := r.Keys.ExpireKeys(r.ctx(), token.SealAccess, retired, r.clock().Add(-24*time.Hour))
		r.ok(err)
		if n != want {
			r.t.Errorf("%d keys ended, want %d", n, want)
		}
	}
	expire(b.ActiveAt.Add(-time.Second), 0)
	expire(b.ActiveAt, 1)
	r.advance(2 * time.Hour)
	r.compromise(token.SealAccess, b.ID)
	r.advance(24*time.Hour - time.Second)
	expire(start, 0)
	r.advance(time.Second)
	expire(start, 1)
	if n := len(r.keys()); n != 2 {
		r.t.Errorf("%d keys, want one a purpose", n)
	}
}

// A key that was compromised after it had become active retired the one before
// it at that moment, not when its own successor came.
func keyExpiredByCompromised(r *rig) {
	for _, after := range []time.Duration{0, time.Hour} {
		p := map[time.Duration]token.Purpose{0: token.SealAccess, time.Hour: token.SealFlow}[after]
		a := r.first(p)
		b := r.next(a, time.Minute)
		r.advance(time.Minute + after)
		_, c := r.compromise(p, b.ID)
		for _, step := range []struct {
			retired time.Time
			want    int64
		}{{b.ActiveAt.Add(-time.Second), 0}, {b.ActiveAt, 1}, {c.ActiveAt, 0}} {
			n, err := r.Keys.ExpireKeys(r.ctx(), p, step.retired, start)
			r.ok(err)
			if n != step.want {
				r.t.Errorf("compromised %v after it was active: %d keys ended by %v, want %d", after, n, step.retired.Sub(b.ActiveAt), step.want)
			}
		}
	}
}

func keyFeed(r *rig) {
	a := r.first(token.SealAccess)
	r.first(token.SealAccess) // changes nothing
	r.advance(time.Second)
	b := r.next(a, time.Hour)
	r.ok(r.Keys.ActivateKey(r.ctx(), b.ID, r.clock()))
	_, c := r.compromise(token.SealAccess, b.ID)
	r.ok(r.Keys.RewrapKeys(r.ctx(), "bb11", r.clock(), func(k token.KeyRecord) (token.KeyRecord, error) { return k, nil }))
	soon, long := token.KeepRevocation(r.clock()), token.KeepKeyEntry(r.clock())
	r.wantFeed(
		revocation.Entry{Kind: revocation.Keys, ID: a.ID.String(), Reason: revocation.KeyMade, ExpiresAt: token.KeepRevocation(a.CreatedAt)},
		revocation.Entry{Kind: revocation.Keys, ID: b.ID.String(), Reason: revocation.KeyMade, ExpiresAt: soon},
		revocation.Entry{Kind: revocation.Keys, ID: b.ID.String(), Reason: revocation.KeyActivated, ExpiresAt: soon},
		revocation.Entry{Kind: revocation.Keys, ID: b.ID.String(), Reason: revocation.KeyCompromised, ExpiresAt: long},
		revocation.Entry{Kind: revocation.Keys, ID: c.ID.String(), Reason: revocation.KeyMade, ExpiresAt: soon},
		revocation.Entry{Kind: revocation.Keys, ID: "bb11", Reason: revocation.KeysRewrapped, ExpiresAt: soon},
	)
}

func raceSuccessor(r *rig) {
	newest := r.first(token.SealAccess)
	for range 20 {
		r.advance(time.Second)
		made := make([]token.KeyRecord, fighters)
		for n := range made {
			made[n] = r.key(token.SealAccess)
		}
		if won := r.fight(token.ErrKeyStale, func(n int) error { return r.Keys.SucceedKey(r.ctx(), made[n], newest.ID) }); won != 1 {
			r.t.Fatalf("%d made a successor", won)
		}
		keys := r.keys()
		newest = keys[len(keys)-1]
	}
	if n := len(r.keys()); n != 21 {
		r.t.Errorf("%d keys after 20 rotations", n)
	}
}

func raceCompromiseKeys(r *rig) {
	for _, p := range []token.Purpose{token.SealAccess, token.SealFlow, token.MACForm, token.MACNonce} {
		a := r.first(p)
		r.advance(time.Second)
		r.fight(token.ErrKeyStale, func(n int) error {
			if n%2 == 0 {
				return r.Keys.SucceedKey(r.ctx(), r.key(p), a.ID)
			}
			_, err := r.Keys.CompromiseKeys(r.ctx(), p, a.ID, r.heir(p), r.clock())
			return err
		})
		live := 0
		for _, k := range r.keys() {
			switch {
			case k.Purpose != p:
			case k.ID == a.ID:
				if len(k.Wrapped) > 0 || k.CompromisedAt.IsZero() {
					r.t.Errorf("%s: the compromised key is still there", p)
				}
			case k.CompromisedAt.IsZero():
				live++
			}
		}
		if live != 1 {
			r.t.Errorf("%s: %d keys live, want 1", p, live)
		}
	}
}

// raceRewrap lets rotations meet a change of the master key: whatever wins, no
// key may be left under the old one, which is about to be destroyed.
func raceRewrap(r *rig) {
	purposes := []token.Purpose{token.SealAccess, token.SealFlow, token.MACForm, token.MACNonce}
	var firsts []token.KeyRecord
	for _, p := range purposes {
		firsts = append(firsts, r.first(p))
	}
	r.advance(time.Second)
	r.fight(token.ErrKeyStale, func(n int) error {
		if n == fighters/2 {
			return r.Keys.RewrapKeys(r.ctx(), "bb11", r.clock(), func(k token.KeyRecord) (token.KeyRecord, error) {
				k.WrappedBy = "bb11"
				return k, nil
			})
		}
		a := firsts[n%len(firsts)]
		return r.Keys.SucceedKey(r.ctx(), r.key(a.Purpose), a.ID)
	})
	for _, k := range r.keys() {
		if k.WrappedBy != "bb11" {
			r.t.Errorf("a %s key is wrapped by %s", k.Purpose, k.WrappedBy)
		}
	}
}
