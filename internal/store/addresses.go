package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"sallyport/internal/account"
)

// Addresses implements account.AddressStore.
func (a Account) Addresses(ctx context.Context, userID string) ([]account.Address, error) {
	var list []account.Address
	err := a.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		list = nil
		return q.each(ctx, func(scan func(...any) error) error {
			var one account.Address
			var primary, verified, created int64
			err := scan(&one.Address, &primary, &verified, &created)
			one.Primary, one.Verified, one.CreatedAt = primary != 0, verified != 0, at(created)
			list = append(list, one)
			return err
		}, `SELECT email AS address, 1 AS main, email_verified AS verified, created_s FROM users WHERE id = $1 AND email <> ''
			UNION ALL SELECT address, 0, CASE WHEN verified_s > 0 THEN 1 ELSE 0 END, created_s FROM addresses WHERE user_id = $1
			ORDER BY main DESC, address`, userID)
	})
	return list, err
}

// PersonByAddress implements account.AddressStore. An address that two have been
// given by an administrator names neither.
func (a Account) PersonByAddress(ctx context.Context, folded string) (account.User, error) {
	if !storable(folded) {
		return account.User{}, account.ErrNotFound
	}
	list, err := a.users(ctx, selectUsers+` WHERE (lower(email) = $1 AND email <> '' AND email_verified <> 0)
		OR id IN (SELECT user_id FROM addresses WHERE folded = $1 AND verified_s > 0) LIMIT 2`, folded)
	if err == nil && len(list) != 1 {
		err = account.ErrNotFound
	}
	if err != nil {
		return account.User{}, err
	}
	return list[0], nil
}

// AddAddress implements account.AddressStore.
func (a Account) AddAddress(ctx context.Context, userID, address string, now time.Time) error {
	return a.s.write(ctx, "add address", func(ctx context.Context, t *tx) error {
		email, _, err := t.lockPerson(ctx, userID)
		if err != nil {
			return err
		}
		if strings.EqualFold(email, address) {
			return account.ErrExists
		}
		n := 0
		if err := row(ctx, t, []any{&n}, `SELECT count(*) FROM addresses WHERE user_id = $1 AND folded <> $2`, userID, strings.ToLower(address)); err != nil {
			return err
		}
		if n+1 >= account.MostAddresses {
			return account.ErrTooMany
		}
		return changed(ctx, t, account.ErrExists, `INSERT INTO addresses (user_id, folded, address, created_s, verified_s) VALUES ($1, $2, $3, $4, 0)
			ON CONFLICT DO NOTHING`, userID, strings.ToLower(address), address, seconds(now))
	})
}

// lockPerson keeps others from changing the addresses of a person until the commit.
func (t *tx) lockPerson(ctx context.Context, userID string) (email string, verified bool, err error) {
	if err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET email = email WHERE id = $1`, userID); err != nil {
		return "", false, err
	}
	var v int64
	err = row(ctx, t, []any{&email, &v}, `SELECT email, email_verified FROM users WHERE id = $1`, userID)
	return email, v != 0, err
}

// claim makes a verified address one person's, or returns ErrAddressTaken.
func (t *tx) claim(ctx context.Context, userID, folded string) error {
	if _, err := t.exec(ctx, `INSERT INTO verified_addresses (folded, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, folded, userID); err != nil {
		return err
	}
	owner, others := "", 0
	if err := row(ctx, t, []any{&owner}, `SELECT user_id FROM verified_addresses WHERE folded = $1`, folded); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	// An administrator may have given it to somebody without asking who has it.
	err := row(ctx, t, []any{&others}, `SELECT count(*) FROM users WHERE lower(email) = $1 AND email_verified <> 0 AND id <> $2`, folded, userID)
	if err == nil && (owner != userID || others > 0) {
		err = account.ErrAddressTaken
	}
	return err
}

// VerifyAddress implements account.AddressStore.
func (a Account) VerifyAddress(ctx context.Context, userID, address string, now time.Time) error {
	return a.s.write(ctx, "verify address", func(ctx context.Context, t *tx) error {
		email, _, err := t.lockPerson(ctx, userID)
		if err != nil {
			return err
		}
		folded := strings.ToLower(address)
		if err := t.claim(ctx, userID, folded); err != nil {
			return err
		}
		if strings.EqualFold(email, address) {
			return changed(ctx, t, account.ErrNotFound, `UPDATE users SET email_verified = 1 WHERE id = $1`, userID)
		}
		return changed(ctx, t, account.ErrNotFound, `UPDATE addresses SET verified_s = $3 WHERE user_id = $1 AND folded = $2`, userID, folded, seconds(now))
	})
}

// SetPrimary implements account.AddressStore.
func (a Account) SetPrimary(ctx context.Context, userID, address string, now time.Time) error {
	return a.s.write(ctx, "set primary address", func(ctx context.Context, t *tx) error {
		email, verified, err := t.lockPerson(ctx, userID)
		if err != nil {
			return err
		}
		folded, stored := strings.ToLower(address), ""
		err = row(ctx, t, []any{&stored}, `SELECT address FROM addresses WHERE user_id = $1 AND folded = $2 AND verified_s > 0`, userID, folded)
		if errors.Is(err, sql.ErrNoRows) {
			return account.ErrNotFound
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM addresses WHERE user_id = $1 AND folded = $2`, userID, folded); err != nil {
			return err
		}
		if email != "" {
			since := int64(0)
			if verified {
				since = seconds(now)
			}
			_, err := t.exec(ctx, `INSERT INTO addresses (user_id, folded, address, created_s, verified_s) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
				userID, strings.ToLower(email), email, seconds(now), since)
			if err != nil {
				return err
			}
		}
		_, err = t.exec(ctx, `UPDATE users SET email = $2, email_verified = 1 WHERE id = $1`, userID, stored)
		return err
	})
}

// RemoveAddress implements account.AddressStore.
func (a Account) RemoveAddress(ctx context.Context, userID, address string) error {
	return a.s.write(ctx, "remove address", func(ctx context.Context, t *tx) error {
		if _, _, err := t.lockPerson(ctx, userID); err != nil {
			return err
		}
		folded := strings.ToLower(address)
		// What was proven by it no longer counts: neither a recovery nor a sign-in that
		// is under way, nor the time that a recovery has waited.
		n, err := t.exec(ctx, `UPDATE users SET version = version + 1
			WHERE id = $1 AND EXISTS (SELECT 1 FROM addresses WHERE user_id = $1 AND folded = $2 AND verified_s > 0)`, userID, folded)
		if err == nil && n > 0 {
			_, err = t.exec(ctx, `DELETE FROM recoveries WHERE user_id = $1`, userID)
		}
		if err != nil {
			return err
		}
		if err := changed(ctx, t, account.ErrNotFound, `DELETE FROM addresses WHERE user_id = $1 AND folded = $2`, userID, folded); err != nil {
			return err
		}
		return t.all(ctx, []string{
			`DELETE FROM verified_addresses WHERE user_id = $1 AND folded = $2`,
			`DELETE FROM mail_codes WHERE user_id = $1 AND lower(address) = $2`,
		}, userID, folded)
	})
}
