package oauth

import (
	"context"
	"slices"
	"strings"
	"sync"

	"sallyport/internal/secret"
)

// clientCache remembers clients until the feed says that they changed.
type clientCache struct {
	store  Store
	docs   *documents
	static map[string]Client
	hashes map[secret.Hash][]string // of the configuration's secrets, dead ones too, to their clients
	mu     sync.RWMutex
	m      map[string]*Client
	epoch  uint64 // moves with each forget, so that a slow read does not store what is old
}

// maxCachedClients bounds the cache; a full one is emptied.
const maxCachedClients = 10_000

func newClientCache(store Store, static []Client) *clientCache {
	c := &clientCache{store: store, static: map[string]Client{}, hashes: map[secret.Hash][]string{}, m: map[string]*Client{}}
	for _, client := range static {
		client.FromConfig = true
		c.static[client.ID] = client
		for _, s := range client.Secrets {
			c.hashes[s.Hash] = append(c.hashes[s.Hash], client.ID)
		}
	}
	return c
}

// get returns a client that must not be changed, or ErrNotFound.
func (c *clientCache) get(ctx context.Context, id string) (*Client, error) {
	if strings.HasPrefix(id, documentScheme) {
		return c.docs.get(ctx, id)
	}
	c.mu.RLock()
	client, epoch := c.m[id], c.epoch
	c.mu.RUnlock()
	if client != nil {
		return client, nil
	}
	if len(id) == 0 || len(id) > maxClientID {
		return nil, ErrNotFound
	}
	read, err := c.read(ctx, id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch {
		if len(c.m) >= maxCachedClients {
			c.m = map[string]*Client{}
		}
		c.m[id] = &read
	}
	return &read, nil
}

// remembered is get that asks no address: a client whose ID is one is not found
// unless it is known from before.
func (c *clientCache) remembered(ctx context.Context, id string) (*Client, error) {
	if strings.HasPrefix(id, documentScheme) {
		return c.docs.remembered(id)
	}
	return c.get(ctx, id)
}

// read asks the store. Of a client of the configuration it has the epoch, and
// which secrets are refused although the file names them.
func (c *clientCache) read(ctx context.Context, id string) (Client, error) {
	client, static := c.static[id]
	if !static {
		return c.store.Client(ctx, id)
	}
	hashes := make([]secret.Hash, 0, len(client.Secrets))
	for _, s := range client.Secrets {
		hashes = append(hashes, s.Hash)
	}
	epoch, dead, err := c.store.ConfigClient(ctx, id, hashes)
	if err != nil {
		return Client{}, err
	}
	client.Epoch = epoch
	client.Secrets = slices.DeleteFunc(slices.Clone(client.Secrets), func(s ClientSecret) bool { return slices.Contains(dead, s.Hash) })
	return client, nil
}

func (c *clientCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	delete(c.m, id)
}

// isStatic reports whether h is a secret of the configuration.
func (c *clientCache) isStatic(h secret.Hash) bool { return len(c.hashes[h]) > 0 }

func (c *clientCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.m = map[string]*Client{}
}
