package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/bff"
	"sallyport/internal/secret"
)

// Browser implements bff.Store.
type Browser struct{ s *Store }

// Browser is the store as browser apps see it.
func (s *Store) Browser() Browser { return Browser{s} }

// AddBrowserSession implements bff.Store.
func (b Browser) AddBrowserSession(ctx context.Context, s bff.Session, replaces secret.ID) error {
	return b.s.write(ctx, "add browser session", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO browser_sessions
			(id, hash, app, grant_id, tokens, version, claimed_until_s, created_s, last_seen_s, idle_until_s, absolute_until_s)
			VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)`,
			s.ID.String(), hex.EncodeToString(s.Hash[:]), s.App, s.GrantID.String(), s.Tokens, s.Version,
			seconds(s.CreatedAt), seconds(s.LastSeen), seconds(s.IdleUntil), seconds(s.AbsoluteUntil))
		if err == nil && !replaces.IsZero() {
			_, err = t.exec(ctx, `DELETE FROM browser_sessions WHERE id = $1 AND id <> $2`, replaces.String(), s.ID.String())
		}
		return err
	})
}

// BrowserSession implements bff.Store.
func (b Browser) BrowserSession(ctx context.Context, id secret.ID) (bff.Session, error) {
	s := bff.Session{ID: id}
	var hash, grant string
	var created, seen, idle, absolute int64
	err := b.s.one(ctx, "find browser session", bff.ErrNotFound,
		[]any{&hash, &s.App, &grant, &s.Tokens, &s.Version, &created, &seen, &idle, &absolute},
		`SELECT hash, app, grant_id, tokens, version, created_s, last_seen_s, idle_until_s, absolute_until_s
			FROM browser_sessions WHERE id = $1`, id.String())
	if err != nil {
		return bff.Session{}, err
	}
	s.CreatedAt, s.LastSeen, s.IdleUntil, s.AbsoluteUntil = at(created), at(seen), at(idle), at(absolute)
	if s.Hash, err = parseHash(hash); err == nil {
		s.GrantID, err = secret.ParseID(grant)
	}
	if err != nil {
		return bff.Session{}, fmt.Errorf("read browser session %s: %w", id, err)
	}
	return s, nil
}

// TouchBrowserSession implements bff.Store.
func (b Browser) TouchBrowserSession(ctx context.Context, id secret.ID, lastSeen, idleUntil time.Time) error {
	return b.s.write(ctx, "touch browser session", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, bff.ErrNotFound, `UPDATE browser_sessions SET
			last_seen_s = CASE WHEN last_seen_s < $2 THEN $2 ELSE last_seen_s END,
			idle_until_s = CASE WHEN last_seen_s < $2 THEN $3 ELSE idle_until_s END
			WHERE id = $1 AND idle_until_s > $2`, id.String(), seconds(lastSeen), seconds(idleUntil))
	})
}

// ClaimRenewal implements bff.Store.
func (b Browser) ClaimRenewal(ctx context.Context, id secret.ID, version int64, now, until time.Time) error {
	return b.s.write(ctx, "claim renewal", func(ctx context.Context, t *tx) error {
		return t.renewal(ctx, id, `UPDATE browser_sessions SET claimed_until_s = $4 WHERE id = $1 AND version = $2 AND claimed_until_s <= $3`,
			id.String(), version, seconds(now), seconds(until))
	})
}

// SaveRenewal implements bff.Store.
func (b Browser) SaveRenewal(ctx context.Context, id secret.ID, version int64, tokens string, lastSeen, idleUntil time.Time) error {
	return b.s.write(ctx, "save renewal", func(ctx context.Context, t *tx) error {
		return t.renewal(ctx, id, `UPDATE browser_sessions
			SET tokens = $3, version = version + 1, claimed_until_s = 0, last_seen_s = $4, idle_until_s = $5
			WHERE id = $1 AND version = $2`, id.String(), version, tokens, seconds(lastSeen), seconds(idleUntil))
	})
}

// ReleaseRenewal implements bff.Store.
func (b Browser) ReleaseRenewal(ctx context.Context, id secret.ID, version int64) error {
	return b.s.write(ctx, "release renewal", func(ctx context.Context, t *tx) error {
		return t.renewal(ctx, id, `UPDATE browser_sessions SET claimed_until_s = 0 WHERE id = $1 AND version = $2`, id.String(), version)
	})
}

// renewal is a write that one of those who want it makes.
func (t *tx) renewal(ctx context.Context, id secret.ID, q string, args ...any) error {
	err := changed(ctx, t, bff.ErrStale, q, args...)
	if !errors.Is(err, bff.ErrStale) {
		return err
	}
	var one int
	switch missing := row(ctx, t, []any{&one}, `SELECT 1 FROM browser_sessions WHERE id = $1`, id.String()); {
	case errors.Is(missing, sql.ErrNoRows):
		return bff.ErrNotFound
	case missing != nil:
		return missing
	}
	return err
}

// EndBrowserSession implements bff.Store.
func (b Browser) EndBrowserSession(ctx context.Context, id secret.ID) error {
	return b.s.write(ctx, "end browser session", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, bff.ErrNotFound, `DELETE FROM browser_sessions WHERE id = $1`, id.String())
	})
}
