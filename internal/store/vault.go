package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/vault"
)

// Vault implements vault.Store.
type Vault struct{ s *Store }

// Vault is the store as the vault sees it.
func (s *Store) Vault() Vault { return Vault{s} }

// Versions implements vault.Store.
func (v Vault) Versions(ctx context.Context, name string) ([]vault.Version, error) {
	if !storable(name) {
		return nil, nil
	}
	return v.versions(ctx, ` WHERE name = $1 ORDER BY version DESC`, name)
}

// AllVersions implements vault.Store.
func (v Vault) AllVersions(ctx context.Context) ([]vault.Version, error) {
	return v.versions(ctx, ` ORDER BY name, version DESC`)
}

func (v Vault) versions(ctx context.Context, where string, args ...any) ([]vault.Version, error) {
	var list []vault.Version
	err := v.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		list = nil
		return q.each(ctx, func(scan func(...any) error) error {
			var x vault.Version
			var id string
			var created, until, compromised, used int64
			err := scan(&x.Name, &x.Number, &id, &x.Kind, &x.Sealed, &x.SetBy, &created, &until, &compromised, &used)
			if err == nil {
				x.ID, err = secret.ParseID(id)
			}
			x.CreatedAt, x.Until, x.CompromisedAt, x.UsedAt = at(created), at(until), at(compromised), at(used)
			list = append(list, x)
			return err
		}, `SELECT name, version, id, kind, sealed, set_by, created_s, until_s, compromised_s, used_s FROM secrets`+where, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("read secrets: %w", err)
	}
	return list, nil
}

// endedVersions is how long the row of a version outlives its value, so that a
// person can see when it was changed, and how many there are of a name at most.
const (
	endedVersions = 365 * 24 * time.Hour
	mostVersions  = 50
)

// SetVersion implements vault.Store.
func (v Vault) SetVersion(ctx context.Context, x vault.Version, othersUntil, keep time.Time) error {
	return v.s.write(ctx, "set secret", func(ctx context.Context, t *tx) error {
		// The insert decides the race: the loser finds the number taken. A number
		// that skips one is refused as well, since it was not read from here.
		err := changed(ctx, t, vault.ErrStale, `INSERT INTO secrets (name, version, id, kind, sealed, set_by, created_s)
			SELECT $1, CAST($2 AS BIGINT), $3, $4, $5, $6, CAST($7 AS BIGINT)
			WHERE CAST($2 AS BIGINT) = 1 + coalesce((SELECT max(version) FROM secrets WHERE name = $1), 0) ON CONFLICT DO NOTHING`,
			x.Name, x.Number, x.ID.String(), string(x.Kind), x.Sealed, x.SetBy, seconds(x.CreatedAt))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE secrets SET until_s = $3 WHERE name = $1 AND version < $2 AND (until_s = 0 OR until_s > $3)`, x.Name, x.Number, seconds(othersUntil))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE secrets SET sealed = '' WHERE name = $1 AND version < $2 AND until_s <= $3`, x.Name, x.Number, seconds(x.CreatedAt))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM secrets WHERE name = $1 AND (version <= $2 OR version < $3 AND until_s <= $4)`,
			x.Name, x.Number-mostVersions, x.Number, seconds(x.CreatedAt.Add(-endedVersions)))
		if err != nil {
			return err
		}
		return t.append(ctx, entry(revocation.Secret, x.Name, revocation.SecretSet, keep))
	})
}

// CompromiseSecret implements vault.Store.
func (v Vault) CompromiseSecret(ctx context.Context, name string, at, keep time.Time) (int, error) {
	var lived int64
	err := v.s.write(ctx, "compromise secret", func(ctx context.Context, t *tx) (err error) {
		if lived, err = t.exec(ctx, `UPDATE secrets SET sealed = '', compromised_s = $2 WHERE name = $1 AND sealed <> ''`, name, seconds(at)); err != nil {
			return err
		}
		if lived == 0 {
			n := 0
			if err := row(ctx, t, []any{&n}, `SELECT count(*) FROM secrets WHERE name = $1`, name); err != nil || n > 0 {
				return err
			}
			return vault.ErrNoSecret
		}
		return t.append(ctx, entry(revocation.Secret, name, revocation.SecretCompromised, keep))
	})
	return int(lived), err
}

// RemoveSecret implements vault.Store.
func (v Vault) RemoveSecret(ctx context.Context, name string, keep time.Time) error {
	return v.s.write(ctx, "remove secret", func(ctx context.Context, t *tx) error {
		if err := changed(ctx, t, vault.ErrNoSecret, `DELETE FROM secrets WHERE name = $1`, name); err != nil {
			return err
		}
		return t.append(ctx, entry(revocation.Secret, name, revocation.SecretRemoved, keep))
	})
}

// SecretsUsed implements vault.Store. The names are taken in order, so that two
// nodes do not wait for each other.
func (v Vault) SecretsUsed(ctx context.Context, used map[string]time.Time) error {
	return v.s.write(ctx, "note use of secrets", func(ctx context.Context, t *tx) error {
		for _, name := range sortedNames(used) {
			_, err := t.exec(ctx, `UPDATE secrets SET used_s = $2 WHERE name = $1 AND used_s < $2
				AND version = (SELECT max(version) FROM secrets WHERE name = $1)`, name, seconds(used[name]))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
