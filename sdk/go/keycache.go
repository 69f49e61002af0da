package sallyport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// What the key cache promises.
const (
	keysFresh    = 5 * time.Minute  // after this, the set is fetched again before it is used
	keysUsable   = 15 * time.Minute // if that fails, the old set serves until it is this old
	keysCooldown = 30 * time.Second // between two fetches, whatever tokens ask for
	firstRetry   = time.Second      // between two tries as long as there has been no set
	fetchTimeout = 5 * time.Second
)

// keyCache keeps the gateway's key set. One fetch is under way at a time, and
// whoever needs it waits for it. A fetched set takes the place of the one before, so
// a key that was removed is gone. Safe for concurrent use.
type keyCache struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	set     map[string]*key
	fetched time.Time // when set was asked for
	tried   time.Time // when a fetch was last begun
	flight  chan struct{}
}

// errNoKey says that the set is known and has no such key.
var errNoKey = errors.New("no such key")

func (c *keyCache) key(ctx context.Context, kid string) (*key, error) {
	k, wait := c.look(kid) //nolint:contextcheck // a fetch belongs to no request: others wait for it too
	if k != nil {
		return k, nil
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, ctx.Err())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set == nil || c.now().Sub(c.fetched) >= keysUsable {
		return nil, ErrKeysUnavailable
	}
	if k := c.set[kid]; k != nil {
		return k, nil
	}
	return nil, errNoKey
}

// look returns the key, or what to wait for if a fetch may help.
func (c *keyCache) look(kid string) (*key, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if age := now.Sub(c.fetched); c.set != nil && age < keysFresh && age >= 0 {
		if k := c.set[kid]; k != nil {
			return k, nil
		}
	}
	if c.flight != nil {
		return nil, c.flight
	}
	least := keysCooldown
	if c.set == nil {
		least = firstRetry
	}
	if since := now.Sub(c.tried); !c.tried.IsZero() && since < least && since >= 0 {
		return nil, nil
	}
	c.tried, c.flight = now, make(chan struct{})
	go c.fetch(now, c.flight)
	return nil, c.flight
}

// fetch belongs to no request: it goes on when the one that began it ends.
func (c *keyCache) fetch(began time.Time, done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	set, err := c.get(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.set, c.fetched = set, began
	}
	c.flight = nil
	close(done)
}

func (c *keyCache) get(ctx context.Context) (map[string]*key, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("key set: status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	return parseKeySet(body)
}
