package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var keyTests = []test{
	{"the first key of a purpose stays", firstKey},
	{"keys come oldest first", keyOrder},
}

func (r *rig) key(p token.Purpose) token.KeyRecord {
	return token.KeyRecord{ID: secret.NewID(r.clock()), Purpose: p, Algorithm: token.XAES256GCM, Wrapped: secret.Random(72), CreatedAt: r.clock()}
}

func (r *rig) wantKeys(want ...token.KeyRecord) {
	r.t.Helper()
	got, err := r.Keys.Keys(r.ctx())
	r.ok(err)
	if d := cmp.Diff(want, got); d != "" {
		r.t.Error(d)
	}
}

func firstKey(r *rig) {
	r.wantKeys()
	first := r.key(token.SealAccess)
	r.ok(r.Keys.AddFirstKey(r.ctx(), first))
	r.advance(time.Second)
	r.ok(r.Keys.AddFirstKey(r.ctx(), r.key(token.SealAccess)))
	other := r.key(token.SealFlow)
	r.ok(r.Keys.AddFirstKey(r.ctx(), other))
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
