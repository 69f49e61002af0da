package token

import (
	"testing"

	"sallyport/internal/secret"
)

// J136: tokens that open leave a text behind, and those are bounded; what does
// not open leaves nothing.
func TestJ136RememberedTextsAreBounded(t *testing.T) {
	t.Parallel()
	var table internTable
	total := func() (n int) {
		for i := range table.shards {
			n += len(table.shards[i].m)
		}
		return n
	}
	for i := range 2 * internShards * internMax {
		id := secret.ID(secret.Random(16))
		if text := table.intern(id, id[:]); text != string(id[:]) {
			t.Fatalf("intern(%x) = %x", id, text)
		}
		if i%5000 == 0 && total() > internShards*internMax {
			t.Fatalf("%d texts are remembered, more than %d", total(), internShards*internMax)
		}
	}
	if n := total(); n > internShards*internMax || n == 0 {
		t.Errorf("%d texts are remembered, want at most %d", n, internShards*internMax)
	}
}
