package gateway

import (
	"testing"

	"sallyport/internal/secret"
)

// J136: a cache that strangers can fill is bounded, and what does not open
// never gets there: the cache is asked after the token has been verified.
func TestJ136TheCacheOfInnerTokensIsBounded(t *testing.T) {
	t.Parallel()
	var c innerCache
	apis := [3]*route{{}, {}, {}}
	total := func() (n int) {
		for i := range c.shards {
			n += len(c.shards[i].m)
		}
		return n
	}
	for i := range 3 * innerShards * innerMax {
		serial := secret.ID(secret.Random(16))
		c.shards[serial[15]%innerShards].add(innerKey{serial, apis[i%3]}, 1000, 1060, 0)
		if i%10_000 == 0 && total() > innerShards*innerMax {
			t.Fatalf("after %d tokens there are %d entries, more than %d", i, total(), innerShards*innerMax)
		}
	}
	if n := total(); n > innerShards*innerMax || n == 0 {
		t.Errorf("there are %d entries, want at most %d", n, innerShards*innerMax)
	}
}
