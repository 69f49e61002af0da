package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// AddSession implements account.Store. ErrNotFound if the person is gone or
// disabled by now, ErrExists if the ID is taken.
func (a Account) AddSession(ctx context.Context, s account.Session, replaces secret.ID) error {
	return a.s.write(ctx, "add session", func(ctx context.Context, t *tx) error {
		var disabled int64
		err := row(ctx, t, []any{&disabled}, `SELECT disabled FROM users WHERE id = $1`+t.forShare, s.UserID)
		if errors.Is(err, sql.ErrNoRows) || err == nil && disabled != 0 {
			return account.ErrNotFound
		}
		if err != nil {
			return err
		}
		sid := s.SID
		if sid.IsZero() {
			sid = s.ID
		}
		err = changed(ctx, t, account.ErrExists, `INSERT INTO sessions
			(id, sid, hash, user_id, acr, amr, auth_time_s, created_s, last_seen_s, idle_until_s, absolute_until_s)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
			s.ID.String(), sid.String(), hex.EncodeToString(s.Hash[:]), s.UserID, s.ACR, s.AMR, seconds(s.AuthTime), seconds(s.CreatedAt),
			seconds(s.LastSeen), seconds(s.IdleUntil), seconds(s.AbsoluteUntil))
		if err != nil || replaces.IsZero() {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM sessions WHERE id = $1 AND id <> $2`, replaces.String(), s.ID.String())
		return err
	})
}

// Session implements account.Store. It does not look at the clock.
func (a Account) Session(ctx context.Context, id secret.ID) (account.Session, error) {
	s := account.Session{ID: id}
	var sid, hash string
	var authTime, created, seen, idle, absolute int64
	err := a.s.one(ctx, "find session", account.ErrNotFound,
		[]any{&sid, &hash, &s.UserID, &s.ACR, &s.AMR, &authTime, &created, &seen, &idle, &absolute},
		`SELECT sid, hash, user_id, acr, amr, auth_time_s, created_s, last_seen_s, idle_until_s, absolute_until_s FROM sessions WHERE id = $1`, id.String())
	if err != nil {
		return account.Session{}, err
	}
	if s.SID, err = secret.ParseID(sid); err == nil {
		s.Hash, err = parseHash(hash)
	}
	if err != nil {
		return account.Session{}, fmt.Errorf("read session %s: %w", id, err)
	}
	s.AuthTime, s.CreatedAt, s.LastSeen = at(authTime), at(created), at(seen)
	s.IdleUntil, s.AbsoluteUntil = at(idle), at(absolute)
	return s, nil
}

// TouchSession implements account.Store. ErrNotFound if the session has ended.
// Of two calls that overtake each other, the later moment counts.
func (a Account) TouchSession(ctx context.Context, id secret.ID, lastSeen, idleUntil time.Time) error {
	return a.s.write(ctx, "touch session", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, account.ErrNotFound, `UPDATE sessions SET
			last_seen_s = CASE WHEN last_seen_s < $2 THEN $2 ELSE last_seen_s END,
			idle_until_s = CASE WHEN last_seen_s < $2 THEN $3 ELSE idle_until_s END
			WHERE id = $1 AND idle_until_s > $2 AND absolute_until_s > $2`,
			id.String(), seconds(lastSeen), seconds(idleUntil))
	})
}
