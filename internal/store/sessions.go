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

// AddSession implements account.Store. ErrNotFound also if the person is gone or
// disabled by now, ErrExists if the ID is taken.
func (a Account) AddSession(ctx context.Context, s account.Session, replaces secret.ID) error {
	return a.s.write(ctx, "add session", func(ctx context.Context, t *tx) error { return t.addSession(ctx, s, replaces) })
}

func (t *tx) addSession(ctx context.Context, s account.Session, replaces secret.ID) error {
	var disabled, version int64
	err := row(ctx, t, []any{&disabled, &version}, `SELECT disabled, version FROM users WHERE id = $1`+t.forUpdate, s.UserID)
	if errors.Is(err, sql.ErrNoRows) || err == nil && (disabled != 0 || version != s.UserVersion) {
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
		(id, sid, hash, user_id, acr, amr, auth_time_s, created_s, last_seen_s, idle_until_s, absolute_until_s,
			methods, tier, keep, purpose, device, place, provider, provider_sid)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING`,
		s.ID.String(), sid.String(), hex.EncodeToString(s.Hash[:]), s.UserID, s.ACR, s.AMR, seconds(s.AuthTime), seconds(s.CreatedAt),
		seconds(s.LastSeen), seconds(s.IdleUntil), seconds(s.AbsoluteUntil),
		string(s.Methods), s.Tier.String(), number(s.Keep), s.Purpose, s.Device, s.Place, s.Provider, s.ProviderSID)
	if err == nil && !replaces.IsZero() {
		_, err = t.exec(ctx, `DELETE FROM sessions WHERE id = $1 AND id <> $2`, replaces.String(), s.ID.String())
	}
	if err == nil && s.Most > 0 {
		_, err = t.exec(ctx, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 AND id <> $2
			ORDER BY last_seen_s DESC, id DESC LIMIT 1000 OFFSET $3)`, s.UserID, s.ID.String(), s.Most-1)
	}
	return err
}

const sessionColumns = `id, sid, hash, user_id, acr, amr, auth_time_s, created_s, last_seen_s, idle_until_s, absolute_until_s,
	methods, tier, keep, purpose, device, place, provider, provider_sid`

// Session implements account.Store. It does not look at the clock.
func (a Account) Session(ctx context.Context, id secret.ID) (account.Session, error) {
	list, err := a.sessions(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1`, id.String())
	if err == nil && len(list) == 0 {
		err = account.ErrNotFound
	}
	if err != nil {
		return account.Session{}, fmt.Errorf("find session: %w", err)
	}
	return list[0], nil
}

func (a Account) sessions(ctx context.Context, q string, args ...any) ([]account.Session, error) {
	var list []account.Session
	err := a.s.engine.read(ctx, func(ctx context.Context, on queryer) error {
		list = nil
		return on.each(ctx, func(scan func(...any) error) error {
			s, err := scanSession(scan)
			list = append(list, s)
			return err
		}, q, args...)
	})
	return list, err
}

func scanSession(scan func(...any) error) (account.Session, error) {
	var s account.Session
	var id, sid, hash, methods, tier string
	var authTime, created, seen, idle, absolute, keep int64
	err := scan(&id, &sid, &hash, &s.UserID, &s.ACR, &s.AMR, &authTime, &created, &seen, &idle, &absolute,
		&methods, &tier, &keep, &s.Purpose, &s.Device, &s.Place, &s.Provider, &s.ProviderSID)
	if err != nil {
		return s, err
	}
	if s.ID, err = secret.ParseID(id); err == nil {
		s.SID, err = secret.ParseID(sid)
	}
	if err == nil {
		s.Hash, err = parseHash(hash)
	}
	if err == nil {
		err = s.Tier.UnmarshalText([]byte(tier))
	}
	if err != nil {
		return s, fmt.Errorf("read session %s: %w", id, err)
	}
	s.Methods, s.Keep = account.Methods(methods), keep != 0
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
