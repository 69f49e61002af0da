package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sallyport/internal/apikey"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

// APIKeys implements apikey.Store.
type APIKeys struct{ s *Store }

// APIKeys is the store as API keys see it.
func (s *Store) APIKeys() APIKeys { return APIKeys{s} }

const apiKeyColumns = `id, hash, api, operations, owner, successor, created_s, expires_s, revoked_s, used_s`

// APIKey implements apikey.Finder.
func (a APIKeys) APIKey(ctx context.Context, h secret.Hash) (apikey.Key, error) {
	list, err := a.keys(ctx, ` WHERE hash = $1`, hashText(h))
	if err == nil && len(list) == 0 {
		err = apikey.ErrNotFound
	}
	if err != nil {
		return apikey.Key{}, fmt.Errorf("find API key: %w", err)
	}
	return list[0], nil
}

// APIKeys implements apikey.Store.
func (a APIKeys) APIKeys(ctx context.Context) ([]apikey.Key, error) {
	list, err := a.keys(ctx, ` ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return list, nil
}

func (a APIKeys) keys(ctx context.Context, where string, args ...any) ([]apikey.Key, error) {
	var list []apikey.Key
	err := a.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		list = nil
		return q.each(ctx, func(scan func(...any) error) error {
			var k apikey.Key
			var id, hash, operations string
			var created, expires, revoked, used int64
			err := scan(&id, &hash, &k.API, &operations, &k.Owner, &k.Successor, &created, &expires, &revoked, &used)
			if err == nil {
				k.ID, err = secret.ParseID(id)
			}
			if err == nil {
				k.Hash, err = parseHash(hash)
			}
			if err == nil {
				k.Operations, err = parseList(operations)
			}
			k.CreatedAt, k.ExpiresAt, k.RevokedAt, k.UsedAt = at(created), at(expires), at(revoked), at(used)
			list = append(list, k)
			return err
		}, `SELECT `+apiKeyColumns+` FROM api_keys`+where, args...)
	})
	return list, err
}

// AddAPIKey implements apikey.Store.
func (a APIKeys) AddAPIKey(ctx context.Context, k apikey.Key) error {
	operations, err := listText(k.Operations)
	if err != nil {
		return fmt.Errorf("add API key: %w", err)
	}
	return a.s.write(ctx, "add API key", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO api_keys (id, hash, api, operations, owner, created_s, expires_s) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			k.ID.String(), hashText(k.Hash), k.API, operations, k.Owner, seconds(k.CreatedAt), seconds(k.ExpiresAt))
		return err
	})
}

// RevokeAPIKey implements apikey.Store.
func (a APIKeys) RevokeAPIKey(ctx context.Context, id secret.ID, reason string, now, keep time.Time) error {
	return a.s.write(ctx, "revoke API key", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE api_keys SET revoked_s = $2 WHERE id = $1 AND revoked_s = 0 AND expires_s > $2`, id.String(), seconds(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return t.endedKey(ctx, id)
		}
		return t.append(ctx, entry(revocation.APIKey, id.String(), reason, keep))
	})
}

// endedKey says why a key could not be changed.
func (t *tx) endedKey(ctx context.Context, id secret.ID) error {
	n := 0
	if err := row(ctx, t, []any{&n}, `SELECT count(*) FROM api_keys WHERE id = $1`, id.String()); err != nil {
		return err
	}
	if n == 0 {
		return apikey.ErrNotFound
	}
	return apikey.ErrStale
}

// SucceedAPIKey implements apikey.Store.
func (a APIKeys) SucceedAPIKey(ctx context.Context, id secret.ID, client string, until, now, keep time.Time) error {
	return a.s.write(ctx, "upgrade API key", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE api_keys SET successor = $2, expires_s = CASE WHEN expires_s > $3 THEN $3 ELSE expires_s END
			WHERE id = $1 AND successor = '' AND revoked_s = 0 AND expires_s > $4`, id.String(), client, seconds(until), seconds(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return t.endedKey(ctx, id)
		}
		return t.append(ctx, entry(revocation.Changed, "key:"+id.String(), revocation.ReasonAdmin, keep))
	})
}

// APIKeysUsed implements apikey.Store, in the order of IDs, so that two nodes do
// not wait for each other.
func (a APIKeys) APIKeysUsed(ctx context.Context, used map[secret.ID]time.Time) error {
	at := make(map[string]time.Time, len(used))
	for id, when := range used {
		at[id.String()] = when
	}
	for chunk := range slices.Chunk(sortedNames(at), expireChunk) {
		err := a.s.write(ctx, "note use of API keys", func(ctx context.Context, t *tx) error {
			for _, id := range chunk {
				if _, err := t.exec(ctx, `UPDATE api_keys SET used_s = $2 WHERE id = $1 AND used_s < $2`, id, seconds(at[id])); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// APIKeyOf implements oauth.LeakStore.
func (o OAuth) APIKeyOf(ctx context.Context, h secret.Hash) (secret.ID, error) {
	var id string
	if err := o.s.one(ctx, "find API key", oauth.ErrNotFound, []any{&id}, `SELECT id FROM api_keys WHERE hash = $1`, hashText(h)); err != nil {
		return secret.ID{}, err
	}
	return secret.ParseID(id)
}

// LeakAPIKey implements oauth.LeakStore.
func (o OAuth) LeakAPIKey(ctx context.Context, id secret.ID, e oauth.Ending) (oauth.Ended, error) {
	return o.leak(ctx, "end leaked API key", e, func(ctx context.Context, t *tx) (bool, []revocation.Entry, error) {
		n, err := t.exec(ctx, `UPDATE api_keys SET revoked_s = $2 WHERE id = $1 AND revoked_s = 0 AND expires_s > $2`, id.String(), seconds(e.Now))
		return n > 0, []revocation.Entry{entry(revocation.APIKey, id.String(), e.Reason, e.Keep)}, err
	})
}
