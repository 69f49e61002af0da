package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/revocation"
)

// ListUsers implements account.Store.
func (a Account) ListUsers(ctx context.Context, f account.UserFilter) ([]account.User, error) {
	if !storable(f.Text) || !storable(f.After) {
		return nil, nil
	}
	q, args := selectUsers+` WHERE folded > $1`, []any{f.After}
	if f.Text != "" {
		args = append(args, "%"+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(f.Text)+"%")
		q += ` AND (folded LIKE $2 ESCAPE '\' OR lower(name) LIKE $2 ESCAPE '\' OR lower(email) LIKE $2 ESCAPE '\')`
	}
	if f.Disabled != nil {
		args = append(args, number(*f.Disabled))
		q += fmt.Sprintf(` AND disabled = $%d`, len(args))
	}
	q += ` ORDER BY folded`
	if f.Limit > 0 {
		args = append(args, f.Limit)
		q += fmt.Sprintf(` LIMIT $%d`, len(args))
	}
	list, err := a.users(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return list, nil
}

// UserUse implements account.Store.
func (a Account) UserUse(ctx context.Context, userID string) (account.UserUse, error) {
	var u account.UserUse
	var seen, known int64
	err := a.s.one(ctx, "find use", account.ErrNotFound, []any{&u.Sessions, &seen, &known},
		`SELECT (SELECT count(*) FROM sessions WHERE user_id = $1),
			(SELECT coalesce(max(last_seen_s), 0) FROM sessions WHERE user_id = $1),
			(SELECT coalesce(max(last_s), 0) FROM known_browsers WHERE user_id = $1)`, userID)
	if last := max(seen, known); err == nil && last > 0 {
		u.LastSeen = at(last)
	}
	return u, err
}

// ImportUsers implements account.Store.
func (a Account) ImportUsers(ctx context.Context, list []account.User, update bool, now, keep time.Time) ([]account.ImportResult, error) {
	var results []account.ImportResult
	err := a.s.write(ctx, "import people", func(ctx context.Context, t *tx) error {
		results = make([]account.ImportResult, 0, len(list))
		for i := range list {
			r, err := a.s.importUser(ctx, t, &list[i], update, now, keep)
			if err != nil {
				return err
			}
			results = append(results, r)
		}
		return nil
	})
	return results, err
}

func (s *Store) importUser(ctx context.Context, t *tx, u *account.User, update bool, now, keep time.Time) (account.ImportResult, error) {
	folded, err := account.FoldUsername(u.Username)
	if err != nil {
		return account.Invalid, err
	}
	if err = t.insertUser(ctx, folded, u); !errors.Is(err, account.ErrExists) {
		return account.Imported, err
	}
	var id, hash string
	var disabled int64
	err = row(ctx, t, []any{&id, &hash, &disabled}, `SELECT id, password_hash, disabled FROM users WHERE folded = $1`+t.forUpdate, folded)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return account.IDTaken, nil
	case err != nil || !update:
		return account.Unchanged, err
	}
	if u.PasswordHash == "" {
		u.PasswordHash = hash // a list without passwords takes none away
	}
	if _, err := t.exec(ctx, `UPDATE users SET username = $2, name = $3, email = $4, email_verified = $5, password_hash = $6, disabled = $7, version = version + 1 WHERE id = $1`,
		id, u.Username, u.Name, u.Email, number(u.EmailVerified), u.PasswordHash, number(u.Disabled)); err != nil {
		return "", err
	}
	if u.PasswordHash != hash || u.Disabled && disabled == 0 {
		return account.Updated, s.endUser(ctx, t, id, revocation.ReasonAdmin, now, keep)
	}
	return account.Updated, nil
}
