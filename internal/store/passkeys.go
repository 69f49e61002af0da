package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const passkeyColumns = `id, user_id, name, public_key, sign_count, transports, aaguid, backup_eligible, backed_up, created_s, last_used_s`

// AddPasskey implements account.PasskeyStore. The person is locked, so that what
// they have is counted right.
func (a Account) AddPasskey(ctx context.Context, c account.Credential, challenge secret.Hash, until time.Time, most int) error {
	transports, err := listText(c.Transports)
	if err != nil {
		return fmt.Errorf("add passkey: %w", err)
	}
	return a.s.write(ctx, "add passkey", func(ctx context.Context, t *tx) error {
		var disabled, have int64
		err := row(ctx, t, []any{&disabled}, `SELECT disabled FROM users WHERE id = $1`+t.forUpdate, c.UserID)
		if errors.Is(err, sql.ErrNoRows) || err == nil && disabled != 0 {
			return account.ErrNotFound
		}
		if err == nil {
			err = row(ctx, t, []any{&have}, `SELECT count(*) FROM passkeys WHERE user_id = $1`, c.UserID)
		}
		if err != nil {
			return err
		}
		if have >= int64(most) {
			return account.ErrTooMany
		}
		if err := t.spendChallenge(ctx, challenge, until); err != nil {
			return err
		}
		return changed(ctx, t, account.ErrExists, `INSERT INTO passkeys (`+passkeyColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
			c.ID, c.UserID, c.Name, base64.RawURLEncoding.EncodeToString(c.PublicKey), int64(c.SignCount), transports, c.AAGUID,
			number(c.BackupEligible), number(c.BackedUp), seconds(c.CreatedAt), seconds(c.LastUsed))
	})
}

// UsePasskey implements account.PasskeyStore.
func (a Account) UsePasskey(ctx context.Context, c account.Credential, challenge secret.Hash, until time.Time) error {
	return a.s.write(ctx, "use passkey", func(ctx context.Context, t *tx) error {
		if err := t.spendChallenge(ctx, challenge, until); err != nil {
			return err
		}
		n, err := t.exec(ctx, `UPDATE passkeys SET sign_count = $3, backed_up = $4, last_used_s = $5
			WHERE id = $1 AND user_id = $2 AND (sign_count < $3 OR sign_count = 0 AND $3 = 0)`,
			c.ID, c.UserID, int64(c.SignCount), number(c.BackedUp), seconds(c.LastUsed))
		if err != nil || n > 0 {
			return err
		}
		var before int64
		err = row(ctx, t, []any{&before}, `SELECT sign_count FROM passkeys WHERE id = $1 AND user_id = $2`, c.ID, c.UserID)
		if errors.Is(err, sql.ErrNoRows) {
			return account.ErrNotFound
		}
		if err == nil {
			err = account.ErrRegressed
		}
		return err
	})
}

func (t *tx) spendChallenge(ctx context.Context, challenge secret.Hash, until time.Time) error {
	err := t.spend(ctx, challenge, until)
	if errors.Is(err, oauth.ErrExists) {
		return account.ErrExists
	}
	return err
}

// Passkey implements account.PasskeyStore.
func (a Account) Passkey(ctx context.Context, id string) (account.Credential, error) {
	list, err := a.passkeys(ctx, `SELECT `+passkeyColumns+` FROM passkeys WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = account.ErrNotFound
	}
	if err != nil {
		return account.Credential{}, fmt.Errorf("find passkey: %w", err)
	}
	return list[0], nil
}

// Passkeys implements account.PasskeyStore.
func (a Account) Passkeys(ctx context.Context, userID string) ([]account.Credential, error) {
	list, err := a.passkeys(ctx, `SELECT `+passkeyColumns+` FROM passkeys WHERE user_id = $1 ORDER BY created_s, id`, userID)
	if err != nil {
		return nil, fmt.Errorf("find passkeys: %w", err)
	}
	return list, nil
}

func (a Account) passkeys(ctx context.Context, q, key string) ([]account.Credential, error) {
	if !storable(key) {
		return nil, nil
	}
	var list []account.Credential
	err := a.s.engine.read(ctx, func(ctx context.Context, on queryer) error {
		list = nil
		return on.each(ctx, func(scan func(...any) error) error {
			c, err := scanPasskey(scan)
			list = append(list, c)
			return err
		}, q, key)
	})
	return list, err
}

func scanPasskey(scan func(...any) error) (account.Credential, error) {
	var c account.Credential
	var key, transports string
	var count, eligible, backedUp, created, used int64
	err := scan(&c.ID, &c.UserID, &c.Name, &key, &count, &transports, &c.AAGUID, &eligible, &backedUp, &created, &used)
	if err != nil {
		return c, err
	}
	c.SignCount, c.BackupEligible, c.BackedUp = uint32(count), eligible != 0, backedUp != 0 //nolint:gosec // it was written from one
	c.CreatedAt, c.LastUsed = at(created), at(used)
	if c.PublicKey, err = base64.RawURLEncoding.DecodeString(key); err != nil {
		return c, fmt.Errorf("key of passkey: %w", err)
	}
	c.Transports, err = parseList(transports)
	return c, err
}

// RenamePasskey implements account.PasskeyStore.
func (a Account) RenamePasskey(ctx context.Context, userID, id, name string) error {
	if !storable(id) {
		return account.ErrNotFound
	}
	return a.s.write(ctx, "rename passkey", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, account.ErrNotFound, `UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2`, id, userID, name)
	})
}

// RemovePasskey implements account.PasskeyStore.
func (a Account) RemovePasskey(ctx context.Context, id string, r account.Removal) (gone account.Credential, err error) {
	if !storable(id) { // it comes from a form
		return gone, fmt.Errorf("remove passkey: %w", account.ErrNotFound)
	}
	err = a.s.write(ctx, "remove passkey", func(ctx context.Context, t *tx) error {
		if err := t.lockUser(ctx, r.UserID); err != nil {
			return err
		}
		found := false
		err := t.each(ctx, func(scan func(...any) error) (err error) {
			found = true
			gone, err = scanPasskey(scan)
			return err
		}, `DELETE FROM passkeys WHERE id = $1 AND user_id = $2 RETURNING `+passkeyColumns, id, r.UserID)
		if err == nil && !found {
			err = account.ErrNotFound
		}
		if err != nil {
			return err
		}
		return a.s.factorRemoved(ctx, t, r, gone.Method())
	})
	return gone, err
}
