package oauth

import (
	"sync"

	"sallyport/internal/secret"
)

// grantCache remembers grants that this node has rotated, so that the next
// rotation needs no read. It decides nothing: what it holds of a grant never
// changes but for the generation and its times, a presented token of another
// generation goes to the store, and RotateRefresh moves only a row that is
// alive and still where the cache believes it to be. Safe for concurrent use.
type grantCache struct {
	mu sync.Mutex
	m  map[secret.ID]Grant
}

// maxCachedGrants bounds the cache, at about half a KiB each; a full one is
// emptied.
const maxCachedGrants = 10_000

// at returns the grant if it is known to be at this generation.
func (c *grantCache) at(id secret.ID, generation uint32) (Grant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.m[id]
	return g, ok && g.Generation == generation
}

func (c *grantCache) put(g Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxCachedGrants {
		c.m = map[secret.ID]Grant{}
	}
	c.m[g.ID] = g
}

func (c *grantCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m = nil
}
