package store

import (
	"context"
	"fmt"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// AddEvent implements account.Store.
func (a Account) AddEvent(ctx context.Context, e account.UserEvent) error {
	return a.s.write(ctx, "add event", func(ctx context.Context, t *tx) error { return t.happened(ctx, e) })
}

// happened stores an event in the transaction of what has happened.
func (t *tx) happened(ctx context.Context, e account.UserEvent) error {
	err := changed(ctx, t, account.ErrNotFound, `INSERT INTO user_events (id, user_id, kind, device, place, detail, created_s)
		SELECT $1, id, $3, $4, $5, $6, $7 FROM users WHERE id = $2`+t.forShare,
		e.ID.String(), e.UserID, string(e.Kind), e.Device, e.Place, e.Detail, seconds(e.CreatedAt))
	if err != nil {
		return err
	}
	// The limit lets later ones catch up on what two at once have left.
	_, err = t.exec(ctx, `DELETE FROM user_events WHERE id IN
		(SELECT id FROM user_events WHERE user_id = $1 ORDER BY id DESC LIMIT 100 OFFSET $2)`, e.UserID, account.MostEvents)
	return err
}

// Events implements account.Store.
func (a Account) Events(ctx context.Context, userID string) ([]account.UserEvent, error) {
	var list []account.UserEvent
	err := a.s.engine.read(ctx, func(ctx context.Context, on queryer) error {
		list = nil
		return on.each(ctx, func(scan func(...any) error) error {
			e := account.UserEvent{UserID: userID}
			var id, kind string
			var created int64
			err := scan(&id, &kind, &e.Device, &e.Place, &e.Detail, &created)
			if err == nil {
				e.ID, err = secret.ParseID(id)
			}
			e.Kind, e.CreatedAt = account.EventKind(kind), at(created)
			list = append(list, e)
			return err
		}, `SELECT id, kind, device, place, detail, created_s FROM user_events WHERE user_id = $1 ORDER BY id DESC LIMIT $2`, userID, account.MostEvents)
	})
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return list, nil
}

// KnowBrowser implements account.Store.
func (a Account) KnowBrowser(ctx context.Context, b account.KnownBrowser) (known, others bool, err error) {
	err = a.s.write(ctx, "know browser", func(ctx context.Context, t *tx) error {
		// The person is locked: of two that come at once, one is the first.
		if err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET disabled = disabled WHERE id = $1`, b.UserID); err != nil {
			return err
		}
		var same, all int64
		if err := row(ctx, t, []any{&all, &same}, `SELECT count(*), coalesce(sum(CASE WHEN mark = $2 THEN 1 ELSE 0 END), 0)
			FROM known_browsers WHERE user_id = $1`, b.UserID, b.Mark); err != nil {
			return err
		}
		known, others = same > 0, all > same
		_, err := t.exec(ctx, `INSERT INTO known_browsers (user_id, mark, device, place, first_s, last_s) VALUES ($1, $2, $3, $4, $5, $5)
			ON CONFLICT (user_id, mark) DO UPDATE SET device = excluded.device, place = excluded.place, last_s = excluded.last_s`,
			b.UserID, b.Mark, b.Device, b.Place, seconds(b.At))
		if err != nil || known || all < account.MostBrowsers {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM known_browsers WHERE user_id = $1 AND mark IN
			(SELECT mark FROM known_browsers WHERE user_id = $1 AND mark <> $2 ORDER BY last_s DESC, mark LIMIT 100 OFFSET $3)`,
			b.UserID, b.Mark, account.MostBrowsers-1)
		return err
	})
	return known, others, err
}

// BrowserKnown implements account.Store.
func (a Account) BrowserKnown(ctx context.Context, folded, mark string) (bool, error) {
	if !storable(folded) || !storable(mark) {
		return false, nil
	}
	var n int64
	err := a.s.one(ctx, "find browser", account.ErrNotFound, []any{&n},
		`SELECT count(*) FROM known_browsers WHERE mark = $2 AND user_id = (SELECT id FROM users WHERE folded = $1)`, folded, mark)
	return n > 0, err
}
