package store

import (
	"context"
	"fmt"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// AddPushed implements oauth.Store.
func (o OAuth) AddPushed(ctx context.Context, p oauth.Pushed) error {
	return o.s.write(ctx, "add pushed request", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO pushed_requests (id, handle, client_id, request, expires_s, kept_until_s) VALUES ($1, $2, $3, $4, $5, $6)`,
			p.ID.String(), fmt.Sprintf("%x", p.Handle[:]), p.ClientID, p.Request, seconds(p.ExpiresAt), seconds(p.KeptUntil))
		return err
	})
}

// Pushed implements oauth.Store.
func (o OAuth) Pushed(ctx context.Context, handle secret.Hash) (oauth.Pushed, error) {
	p := oauth.Pushed{Handle: handle}
	var id string
	var expires, kept int64
	err := o.s.one(ctx, "find pushed request", oauth.ErrNotFound, []any{&id, &p.ClientID, &p.Request, &expires, &kept},
		`SELECT id, client_id, request, expires_s, kept_until_s FROM pushed_requests WHERE handle = $1`, fmt.Sprintf("%x", handle[:]))
	if err != nil {
		return oauth.Pushed{}, err
	}
	p.ExpiresAt, p.KeptUntil = at(expires), at(kept)
	if p.ID, err = secret.ParseID(id); err != nil {
		return oauth.Pushed{}, fmt.Errorf("read pushed request: %w", err)
	}
	return p, nil
}

// TakePushed implements oauth.Store.
func (o OAuth) TakePushed(ctx context.Context, id secret.ID) error {
	return o.s.write(ctx, "take pushed request", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, oauth.ErrStale, `DELETE FROM pushed_requests WHERE id = $1`, id.String())
	})
}
