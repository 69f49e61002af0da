package oauth

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"sallyport/internal/secret"
)

// J136: what this package remembers of strangers' requests is bounded.
func TestJ136CachesAreBounded(t *testing.T) {
	t.Parallel()
	t.Run("J136 grants", func(t *testing.T) {
		var c grantCache
		for range 3 * maxCachedGrants {
			c.put(Grant{ID: secret.ID(secret.Random(16))})
			if len(c.m) > maxCachedGrants {
				t.Fatalf("%d grants are remembered, more than %d", len(c.m), maxCachedGrants)
			}
		}
		last := Grant{ID: secret.ID(secret.Random(16)), Generation: 7}
		c.put(last)
		if g, ok := c.at(last.ID, 7); !ok || g.ID != last.ID {
			t.Error("the last one is forgotten")
		}
	})
	t.Run("J136 clients", func(t *testing.T) {
		store := &anyClient{}
		c := newClientCache(store, nil)
		for i := range 3 * maxCachedClients {
			if _, err := c.get(t.Context(), strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
			if len(c.m) > maxCachedClients {
				t.Fatalf("%d clients are remembered, more than %d", len(c.m), maxCachedClients)
			}
		}
	})
	t.Run("J136 clients that do not exist are not remembered", func(t *testing.T) {
		c := newClientCache(&anyClient{none: true}, nil)
		for i := range 1000 {
			if _, err := c.get(t.Context(), "stranger"+strconv.Itoa(i)); !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
		}
		if len(c.m) != 0 {
			t.Errorf("%d strangers are remembered", len(c.m))
		}
	})
}

// anyClient is a store with every client, or with none.
type anyClient struct {
	Store
	none bool
}

func (s *anyClient) Client(_ context.Context, id string) (Client, error) {
	if s.none {
		return Client{}, ErrNotFound
	}
	return Client{ID: id}, nil
}
