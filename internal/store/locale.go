package store

import (
	"context"

	"sallyport/internal/account"
)

// SetLocale implements account.LocaleStore.
func (a Account) SetLocale(ctx context.Context, userID, tag string) error {
	return a.s.write(ctx, "set language", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, account.ErrNotFound, `UPDATE users SET locale = $2 WHERE id = $1`, userID, tag)
	})
}
