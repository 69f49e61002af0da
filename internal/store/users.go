package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
)

const selectUsers = `SELECT id, username, name, email, email_verified, password_hash, disabled, created_s, version, locale FROM users`

// UserByName implements account.Store.
func (a Account) UserByName(ctx context.Context, folded string) (account.User, error) {
	return a.user(ctx, selectUsers+` WHERE folded = $1`, folded)
}

// UserByID implements account.Store.
func (a Account) UserByID(ctx context.Context, id string) (account.User, error) {
	return a.user(ctx, selectUsers+` WHERE id = $1`, id)
}

func (a Account) user(ctx context.Context, q, key string) (account.User, error) {
	list, err := a.users(ctx, q, key)
	if err == nil && (len(list) == 0 || !storable(key)) {
		err = account.ErrNotFound
	}
	if err != nil {
		return account.User{}, fmt.Errorf("find user: %w", err)
	}
	return list[0], nil
}

// Users implements account.Store, in the order of folded names.
func (a Account) Users(ctx context.Context) ([]account.User, error) {
	list, err := a.users(ctx, selectUsers+` ORDER BY folded`)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return list, nil
}

func (a Account) users(ctx context.Context, q string, keys ...any) ([]account.User, error) {
	for _, k := range keys {
		if s, ok := k.(string); ok && !storable(s) {
			return nil, nil
		}
	}
	var list []account.User
	err := a.s.engine.read(ctx, func(ctx context.Context, on queryer) error {
		return on.each(ctx, func(scan func(...any) error) error {
			var u account.User
			var verified, disabled, created int64
			err := scan(&u.ID, &u.Username, &u.Name, &u.Email, &verified, &u.PasswordHash, &disabled, &created, &u.Version, &u.Locale)
			u.EmailVerified, u.Disabled, u.CreatedAt = verified != 0, disabled != 0, at(created)
			list = append(list, u)
			return err
		}, q, keys...)
	})
	return list, err
}

// User implements oauth.Users.
func (o OAuth) User(ctx context.Context, id string) (oauth.User, error) {
	u, err := Account(o).UserByID(ctx, id)
	if errors.Is(err, account.ErrNotFound) {
		err = fmt.Errorf("find user: %w", oauth.ErrNotFound)
	}
	if err != nil {
		return oauth.User{}, err
	}
	return oauth.User{ID: u.ID, Username: u.Username, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Disabled: u.Disabled}, nil
}

// PeopleByEmail implements oauth.Store.
func (o OAuth) PeopleByEmail(ctx context.Context, email string) ([]string, error) {
	var list []string
	if email == "" || !storable(email) {
		return nil, nil
	}
	err := o.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			list = append(list, id)
			return err
		}, `SELECT id FROM users WHERE lower(email) = lower($1) ORDER BY id`, email)
	})
	if err != nil {
		return nil, fmt.Errorf("find people by address: %w", err)
	}
	return list, nil
}

// AddUser implements account.Store.
func (a Account) AddUser(ctx context.Context, u account.User) error {
	folded, err := account.FoldUsername(u.Username)
	if err != nil {
		return fmt.Errorf("add user: %w", err)
	}
	return a.s.write(ctx, "add user", func(ctx context.Context, t *tx) error {
		return t.insertUser(ctx, folded, &u)
	})
}

// insertUser returns account.ErrExists if the ID or the name is taken.
func (t *tx) insertUser(ctx context.Context, folded string, u *account.User) error {
	err := changed(ctx, t, account.ErrExists, `INSERT INTO users
		(id, folded, username, name, email, email_verified, password_hash, disabled, created_s, locale)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
		u.ID, folded, u.Username, u.Name, u.Email, number(u.EmailVerified), u.PasswordHash, number(u.Disabled), seconds(u.CreatedAt), u.Locale)
	if err != nil || !u.EmailVerified || u.Email == "" {
		return err
	}
	// Whoever has proven before that it is theirs keeps it.
	_, err = t.exec(ctx, `INSERT INTO verified_addresses (folded, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, strings.ToLower(u.Email), u.ID)
	return err
}

// SetPassword implements account.Store. ErrNotFound for an unknown person.
func (a Account) SetPassword(ctx context.Context, userID, hash string, now, keep time.Time) error {
	return a.s.write(ctx, "set password", func(ctx context.Context, t *tx) error {
		if err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET password_hash = $2, version = version + 1 WHERE id = $1`, userID, hash); err != nil {
			return err
		}
		if err := t.recoveryOver(ctx, userID); err != nil {
			return err
		}
		return a.s.endUser(ctx, t, userID, revocation.ReasonPassword, now, keep)
	})
}

// UpgradePassword implements account.Store.
func (a Account) UpgradePassword(ctx context.Context, userID, old, new string) error {
	return a.s.write(ctx, "upgrade password", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, account.ErrNotFound, `UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2`, userID, old, new)
	})
}

// SetDisabled implements account.Store. Setting what is set already changes
// nothing. ErrNotFound for an unknown person.
func (a Account) SetDisabled(ctx context.Context, userID string, disabled bool, now, keep time.Time) error {
	return a.s.write(ctx, "set user disabled", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE users SET disabled = $2, version = version + 1 WHERE id = $1 AND disabled <> $2`, userID, number(disabled))
		switch {
		case err != nil:
			return err
		case n == 0:
			var before int64
			err := row(ctx, t, []any{&before}, `SELECT disabled FROM users WHERE id = $1`, userID)
			if errors.Is(err, sql.ErrNoRows) {
				return account.ErrNotFound
			}
			return err
		case disabled:
			return a.s.endUser(ctx, t, userID, revocation.ReasonDisabled, now, keep)
		}
		return nil
	})
}

// ofPerson are the tables whose rows go with a person.
var ofPerson = []string{
	"consents", "grants", "authenticators", "recovery_codes", "factor_tries", "passkeys", "identities", "addresses", "verified_addresses",
	"recoveries", "mail_codes", "user_events", "known_browsers", "asked",
}

// Factors implements account.Store.
func (a Account) Factors(ctx context.Context, userID string) (account.Factors, error) {
	var f account.Factors
	err := a.s.one(ctx, "find factors", account.ErrNotFound, []any{&f.Passkeys, &f.Authenticators, &f.RecoveryCodes, &f.Identities},
		`SELECT (SELECT count(*) FROM passkeys WHERE user_id = $1),
			(SELECT count(*) FROM authenticators WHERE user_id = $1 AND confirmed_s > 0),
			(SELECT count(*) FROM recovery_codes WHERE user_id = $1),
			(SELECT count(*) FROM identities WHERE user_id = $1)`, userID)
	return f, err
}

// EndSessions implements account.Store. ErrNotFound for an unknown person.
func (a Account) EndSessions(ctx context.Context, userID string, now, keep time.Time) error {
	return a.s.write(ctx, "end sessions", func(ctx context.Context, t *tx) error {
		// The person is locked first: whoever signs in waits, and stays signed in.
		if err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET disabled = disabled WHERE id = $1`, userID); err != nil {
			return err
		}
		return a.s.endUser(ctx, t, userID, revocation.ReasonAdmin, now, keep)
	})
}

// endUser ends all sessions and grants of a person, and so every token: each
// carries its grant, and no clock decides.
func (s *Store) endUser(ctx context.Context, t *tx, userID, reason string, now, keep time.Time) error {
	_, err := s.endSessions(ctx, t, `user_id`, userID, reason, now, keep)
	return err
}
