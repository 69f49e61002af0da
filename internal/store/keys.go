package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const keyColumns = `id, purpose, algorithm, wrapped, wrapped_by, created_s, active_s, compromised_s`

// Keys implements token.KeyStore.
func (k Keys) Keys(ctx context.Context) ([]token.KeyRecord, error) {
	var list []token.KeyRecord
	err := k.s.engine.read(ctx, func(ctx context.Context, q queryer) (err error) {
		list, err = readKeys(ctx, q, `SELECT `+keyColumns+` FROM token_keys ORDER BY created_s, id`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return list, nil
}

func readKeys(ctx context.Context, q queryer, query string, args ...any) ([]token.KeyRecord, error) {
	var list []token.KeyRecord
	err := q.each(ctx, func(scan func(...any) error) error {
		var r token.KeyRecord
		var id, wrapped string
		var created, active, compromised int64
		err := scan(&id, &r.Purpose, &r.Algorithm, &wrapped, &r.WrappedBy, &created, &active, &compromised)
		if err != nil {
			return err
		}
		if r.ID, err = secret.ParseID(id); err != nil {
			return err
		}
		r.Wrapped, err = base64.StdEncoding.DecodeString(wrapped)
		r.CreatedAt, r.ActiveAt, r.CompromisedAt = at(created), at(active), at(compromised)
		list = append(list, r)
		return err
	}, query, args...)
	return list, err
}

// change runs a transition of keys, one at a time in the whole deployment, and
// adds what it returns to the feed.
func (k Keys) change(ctx context.Context, doing string, f func(context.Context, *tx) ([]revocation.Entry, error)) error {
	return k.s.write(ctx, doing, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `UPDATE key_head SET changes = changes + 1 WHERE id = 1`); err != nil {
			return err
		}
		entries, err := f(ctx, t)
		if err != nil {
			return err
		}
		return t.append(ctx, entries...)
	})
}

func keyEntry(id, reason string, now time.Time) revocation.Entry {
	keep := token.KeepRevocation(now)
	if reason == revocation.KeyCompromised {
		keep = token.KeepKeyEntry(now)
	}
	return entry(revocation.Keys, id, reason, keep)
}

// AddFirstKey implements token.KeyStore.
func (k Keys) AddFirstKey(ctx context.Context, r token.KeyRecord) error {
	return k.change(ctx, "add key", func(ctx context.Context, t *tx) ([]revocation.Entry, error) {
		known := 0
		err := row(ctx, t, []any{&known}, `SELECT count(*) FROM token_keys WHERE purpose = $1`, string(r.Purpose))
		if err != nil || known > 0 {
			return nil, err
		}
		return insertKey(ctx, t, r, string(r.Purpose))
	})
}

// insertKey refuses a key that is wrapped by another master key than the rest:
// the master key is being changed, and the old one may be gone soon.
func insertKey(ctx context.Context, t *tx, r token.KeyRecord, firstOf any) ([]revocation.Entry, error) {
	others := 0
	err := row(ctx, t, []any{&others}, `SELECT count(*) FROM token_keys WHERE compromised_s = 0 AND wrapped_by <> '' AND wrapped_by <> $1`, r.WrappedBy)
	if err != nil {
		return nil, err
	}
	if others > 0 {
		return nil, token.ErrKeyStale
	}
	_, err = t.exec(ctx, `INSERT INTO token_keys (`+keyColumns+`, first_of) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		r.ID.String(), string(r.Purpose), string(r.Algorithm), base64.StdEncoding.EncodeToString(r.Wrapped), r.WrappedBy,
		seconds(r.CreatedAt), seconds(r.ActiveAt), 0, firstOf)
	return []revocation.Entry{keyEntry(r.ID.String(), revocation.KeyMade, r.CreatedAt)}, err
}

// SucceedKey implements token.KeyAdmin.
func (k Keys) SucceedKey(ctx context.Context, r token.KeyRecord, newest secret.ID) error {
	return k.change(ctx, "add key", func(ctx context.Context, t *tx) ([]revocation.Entry, error) {
		id := secret.ID{}.String()
		err := row(ctx, t, []any{&id}, `SELECT id FROM token_keys WHERE purpose = $1 AND compromised_s = 0 AND active_s <= $2 ORDER BY active_s DESC, id DESC LIMIT 1`,
			string(r.Purpose), seconds(r.CreatedAt.Add(token.MaxAhead)))
		switch {
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return nil, err
		case id != newest.String():
			return nil, token.ErrKeyStale
		}
		return insertKey(ctx, t, r, nil)
	})
}

// ActivateKey implements token.KeyAdmin.
func (k Keys) ActivateKey(ctx context.Context, id secret.ID, at time.Time) error {
	return k.change(ctx, "activate key", func(ctx context.Context, t *tx) ([]revocation.Entry, error) {
		err := changed(ctx, t, token.ErrKeyStale, `UPDATE token_keys SET active_s = $1 WHERE id = $2 AND compromised_s = 0 AND active_s > $1`,
			seconds(at), id.String())
		return []revocation.Entry{keyEntry(id.String(), revocation.KeyActivated, at)}, err
	})
}

// CompromiseKeys implements token.KeyAdmin.
func (k Keys) CompromiseKeys(ctx context.Context, p token.Purpose, id secret.ID, successor *token.KeyRecord, at time.Time) (dead []secret.ID, err error) {
	err = k.change(ctx, "compromise keys", func(ctx context.Context, t *tx) ([]revocation.Entry, error) {
		dead = nil
		live, err := readKeys(ctx, t, `SELECT `+keyColumns+` FROM token_keys WHERE purpose = $1 AND compromised_s = 0 ORDER BY active_s, id`, string(p))
		if err != nil {
			return nil, err
		}
		var entries []revocation.Entry
		makerDies, since := false, at
		for _, r := range live {
			dies := id.IsZero() || r.ID == id
			if !r.ActiveAt.After(at) {
				makerDies = dies // the last one that is active counts
			}
			if !dies {
				continue
			}
			_, err := t.exec(ctx, `UPDATE token_keys SET compromised_s = $1, wrapped = '' WHERE id = $2`, seconds(at), r.ID.String())
			if err != nil {
				return nil, err
			}
			dead = append(dead, r.ID)
			if r.ActiveAt.Before(since) {
				since = r.ActiveAt
			}
			entries = append(entries, keyEntry(r.ID.String(), revocation.KeyCompromised, at))
		}
		if len(dead) == 0 {
			return nil, token.ErrKeyStale
		}
		if p == token.SealFlow {
			ended, err := t.endGrantsSince(ctx, since, at)
			if err != nil {
				return nil, err
			}
			entries = append(entries, ended...)
		}
		if successor != nil && (makerDies || len(dead) == len(live)) {
			made, err := insertKey(ctx, t, *successor, nil)
			if err != nil && !errors.Is(err, token.ErrKeyStale) {
				return nil, err
			}
			entries = append(entries, made...) // none if stale: that is found before anything is written
		}
		return entries, nil
	})
	return dead, err
}

// endGrantsSince ends the grants that were made while a key of codes was in
// use: a code has no row, so whoever had the key could make one for anybody.
func (t *tx) endGrantsSince(ctx context.Context, since, at time.Time) ([]revocation.Entry, error) {
	return t.endGrants(ctx, `created_s >= CAST($3 AS BIGINT)`, strconv.FormatInt(seconds(since), 10), token.ReasonAdmin, at, token.KeepRevocation(at))
}

// RewrapKeys implements token.KeyAdmin.
func (k Keys) RewrapKeys(ctx context.Context, by string, at time.Time, f func(token.KeyRecord) (token.KeyRecord, error)) error {
	return k.change(ctx, "rewrap keys", func(ctx context.Context, t *tx) ([]revocation.Entry, error) {
		live, err := readKeys(ctx, t, `SELECT `+keyColumns+` FROM token_keys WHERE compromised_s = 0 ORDER BY created_s, id`)
		if err != nil {
			return nil, err
		}
		for _, r := range live {
			if r, err = f(r); err != nil {
				return nil, err
			}
			_, err = t.exec(ctx, `UPDATE token_keys SET wrapped = $1, wrapped_by = $2 WHERE id = $3 AND compromised_s = 0`,
				base64.StdEncoding.EncodeToString(r.Wrapped), r.WrappedBy, r.ID.String())
			if err != nil {
				return nil, err
			}
		}
		return []revocation.Entry{keyEntry(by, revocation.KeysRewrapped, at)}, nil
	})
}

// ExpireKeys implements token.KeyAdmin.
func (k Keys) ExpireKeys(ctx context.Context, p token.Purpose, retired, compromised time.Time) (n int64, err error) {
	// A key that was compromised before it made anything has retired none.
	const ended = `purpose = $1 AND (compromised_s > 0 AND compromised_s <= $3 OR compromised_s = 0 AND EXISTS (
		SELECT 1 FROM token_keys n WHERE n.purpose = $1 AND n.active_s > token_keys.active_s AND n.active_s <= $2
		AND (n.compromised_s = 0 OR n.compromised_s >= n.active_s)))`
	err = k.change(ctx, "delete ended keys", func(ctx context.Context, t *tx) ([]revocation.Entry, error) {
		n, err = t.exec(ctx, `DELETE FROM token_keys WHERE `+ended, string(p), seconds(retired), seconds(compromised))
		return nil, err
	})
	return n, err
}
