package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/revocation"
	"sallyport/internal/signals"
)

const authenticatorColumns = `id, user_id, name, sealed, last_step, created_s, confirmed_s, last_used_s`

// Authenticators implements account.FactorStore.
func (a Account) Authenticators(ctx context.Context, userID string) ([]account.Authenticator, error) {
	var list []account.Authenticator
	err := a.s.engine.read(ctx, func(ctx context.Context, q queryer) (err error) {
		list, err = readAuthenticators(ctx, q, `SELECT `+authenticatorColumns+` FROM authenticators WHERE user_id = $1 ORDER BY created_s, id`, userID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list authenticators: %w", err)
	}
	return list, nil
}

func readAuthenticators(ctx context.Context, q queryer, query string, args ...any) ([]account.Authenticator, error) {
	var list []account.Authenticator
	err := q.each(ctx, func(scan func(...any) error) error {
		var a account.Authenticator
		var created, confirmed, used int64
		err := scan(&a.ID, &a.UserID, &a.Name, &a.Sealed, &a.LastStep, &created, &confirmed, &used)
		a.CreatedAt, a.ConfirmedAt, a.LastUsed = at(created), at(confirmed), at(used)
		list = append(list, a)
		return err
	}, query, args...)
	return list, err
}

// AddAuthenticator implements account.FactorStore.
func (a Account) AddAuthenticator(ctx context.Context, n account.Authenticator, most int) error {
	return a.s.write(ctx, "add authenticator", func(ctx context.Context, t *tx) error {
		if err := t.roomForAuthenticator(ctx, n.UserID, most); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM authenticators WHERE user_id = $1 AND confirmed_s = 0`, n.UserID); err != nil {
			return err
		}
		return changed(ctx, t, account.ErrExists, `INSERT INTO authenticators (`+authenticatorColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, 0, 0) ON CONFLICT DO NOTHING`, n.ID, n.UserID, n.Name, n.Sealed, n.LastStep, seconds(n.CreatedAt))
	})
}

// ConfirmAuthenticator implements account.FactorStore.
func (a Account) ConfirmAuthenticator(ctx context.Context, n account.Authenticator, most int) error {
	return a.s.write(ctx, "confirm authenticator", func(ctx context.Context, t *tx) error {
		if err := t.roomForAuthenticator(ctx, n.UserID, most); err != nil {
			return err
		}
		err := changed(ctx, t, account.ErrNotFound, `UPDATE authenticators SET name = $3, last_step = $4, confirmed_s = $5
			WHERE id = $1 AND user_id = $2 AND confirmed_s = 0`, n.ID, n.UserID, n.Name, n.LastStep, seconds(n.ConfirmedAt))
		if err != nil {
			return err
		}
		return t.forgetTries(ctx, n.UserID)
	})
}

// roomForAuthenticator locks the person: of two that come at once, one waits.
func (t *tx) roomForAuthenticator(ctx context.Context, userID string, most int) error {
	if err := t.lockUser(ctx, userID); err != nil {
		return err
	}
	var n int64
	err := row(ctx, t, []any{&n}, `SELECT count(*) FROM authenticators WHERE user_id = $1 AND confirmed_s > 0`, userID)
	if err == nil && n >= int64(most) {
		err = account.ErrTooMany
	}
	return err
}

func (t *tx) lockUser(ctx context.Context, userID string) error {
	return changed(ctx, t, account.ErrNotFound, `UPDATE users SET disabled = disabled WHERE id = $1`, userID)
}

// UseStep implements account.FactorStore.
func (a Account) UseStep(ctx context.Context, userID, id string, step int64, now time.Time) error {
	return a.s.write(ctx, "use code", func(ctx context.Context, t *tx) error {
		err := changed(ctx, t, account.ErrNotFound, `UPDATE authenticators SET last_step = $3, last_used_s = $4
			WHERE id = $1 AND user_id = $2 AND confirmed_s > 0 AND last_step < $3`, id, userID, step, seconds(now))
		if err != nil {
			return err
		}
		return t.forgetTries(ctx, userID)
	})
}

// RemoveAuthenticator implements account.FactorStore.
func (a Account) RemoveAuthenticator(ctx context.Context, id string, r account.Removal) (gone account.Authenticator, err error) {
	if !storable(id) { // it comes from a form
		return gone, fmt.Errorf("remove authenticator: %w", account.ErrNotFound)
	}
	err = a.s.write(ctx, "remove authenticator", func(ctx context.Context, t *tx) error {
		if err := t.lockUser(ctx, r.UserID); err != nil {
			return err
		}
		list, err := readAuthenticators(ctx, t, `DELETE FROM authenticators WHERE id = $1 AND user_id = $2 RETURNING `+authenticatorColumns, id, r.UserID)
		if err == nil && len(list) == 0 {
			err = account.ErrNotFound
		}
		if err != nil {
			return err
		}
		if gone = list[0]; gone.ConfirmedAt.IsZero() {
			return nil
		}
		return a.s.factorRemoved(ctx, t, r, account.TOTP)
	})
	return gone, err
}

// factorRemoved is what follows when the row of a passkey or an authenticator was
// deleted, in the same transaction and with the person locked: what was proven with
// it no longer counts. With the last one the recovery codes go, so that they do not
// come back to life with the next.
func (s *Store) factorRemoved(ctx context.Context, t *tx, r account.Removal, methods ...account.Method) error {
	var left int64
	err := row(ctx, t, []any{&left}, `SELECT (SELECT count(*) FROM passkeys WHERE user_id = $1)
		+ (SELECT count(*) FROM authenticators WHERE user_id = $1 AND confirmed_s > 0)`, r.UserID)
	switch {
	case err != nil:
		return err
	case left == 0 && r.Needed:
		return account.ErrLastFactor
	case left == 0:
		if _, err := t.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, r.UserID); err != nil {
			return err
		}
	}
	if _, err := t.exec(ctx, `UPDATE users SET version = version + 1 WHERE id = $1`, r.UserID); err != nil {
		return err
	}
	if err := t.forgetTries(ctx, r.UserID); err != nil {
		return err
	}
	for _, m := range methods {
		if err := s.endOthers(ctx, t, r.Spare, m, revocation.ReasonRevoked, r.Now, r.Keep); err != nil {
			return err
		}
	}
	return nil
}

// endOthers ends the sessions of a person but one, with their grants: all of them,
// also grants whose session is over, or those that were opened with a method.
func (s *Store) endOthers(ctx context.Context, t *tx, spare account.Session, m account.Method, reason string, now, keep time.Time) error {
	var sids []string
	add := func(scan func(...any) error) error {
		var sid string
		err := scan(&sid)
		sids = append(sids, sid)
		return err
	}
	const with = ` AND ($3 = '' OR ' ' || methods || ' ' LIKE '% ' || $3 || ' %')`
	err := t.each(ctx, add, `SELECT DISTINCT sid FROM sessions WHERE user_id = $1 AND sid <> $2`+with, spare.UserID, spare.SID.String(), string(m))
	if err == nil && m == "" {
		err = t.each(ctx, add, `SELECT DISTINCT sid FROM grants WHERE user_id = $1 AND sid <> $2 AND revoked_s = 0`, spare.UserID, spare.SID.String())
	}
	if err != nil {
		return err
	}
	for _, sid := range sids { // one that is there twice has nothing left the second time
		if _, err := s.endSessions(ctx, t, `sid`, sid, reason, now, keep); err != nil {
			return err
		}
	}
	return nil
}

// ChangePassword implements account.FactorStore.
func (a Account) ChangePassword(ctx context.Context, c account.PasswordChange) error {
	return a.s.write(ctx, "change password", func(ctx context.Context, t *tx) error {
		err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET password_hash = $3, version = version + 1 WHERE id = $1 AND version = $2 AND disabled = 0`,
			c.UserID, c.Version, c.Hash)
		if err == nil {
			err = changed(ctx, t, account.ErrNotFound, `DELETE FROM sessions WHERE id = $1 AND user_id = $2`, c.Replaces.String(), c.UserID)
		}
		if err == nil {
			err = t.recoveryOver(ctx, c.UserID)
		}
		if err == nil {
			err = a.s.endOthers(ctx, t, c.Next, "", revocation.ReasonPassword, c.Now, c.Keep)
		}
		if err == nil {
			err = a.s.signal(ctx, t, c.Now, signals.PasswordChanged(c.UserID, c.Now))
		}
		if err != nil {
			return err
		}
		return t.addSession(ctx, c.Next, c.Replaces)
	})
}

// ResetFactors implements account.FactorStore.
func (a Account) ResetFactors(ctx context.Context, userID string, now, keep time.Time) error {
	return a.s.write(ctx, "reset factors", func(ctx context.Context, t *tx) error {
		if err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET version = version + 1 WHERE id = $1`, userID); err != nil {
			return err
		}
		for _, table := range []string{"passkeys", "authenticators", "recovery_codes", "factor_tries"} {
			if _, err := t.exec(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, userID); err != nil {
				return err
			}
		}
		return a.s.endUser(ctx, t, userID, revocation.ReasonAdmin, now, keep)
	})
}

// ReplaceRecoveryCodes implements account.FactorStore.
func (a Account) ReplaceRecoveryCodes(ctx context.Context, userID string, hashes []string, now time.Time) error {
	return a.s.write(ctx, "replace recovery codes", func(ctx context.Context, t *tx) error {
		if err := t.lockUser(ctx, userID); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, userID); err != nil {
			return err
		}
		for _, h := range hashes {
			if _, err := t.exec(ctx, `INSERT INTO recovery_codes (user_id, hash, created_s) VALUES ($1, $2, $3)`, userID, h, seconds(now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// UseRecoveryCode implements account.FactorStore.
func (a Account) UseRecoveryCode(ctx context.Context, userID, hash string) (left int, err error) {
	err = a.s.write(ctx, "use recovery code", func(ctx context.Context, t *tx) error {
		if err := changed(ctx, t, account.ErrNotFound, `DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2`, userID, hash); err != nil {
			return err
		}
		if err := t.forgetTries(ctx, userID); err != nil {
			return err
		}
		return row(ctx, t, []any{&left}, `SELECT count(*) FROM recovery_codes WHERE user_id = $1`, userID)
	})
	return left, err
}

// RecoveryCodesMade implements account.FactorStore.
func (a Account) RecoveryCodesMade(ctx context.Context, userID string) (time.Time, error) {
	var made int64
	err := a.s.one(ctx, "find recovery codes", account.ErrNotFound, []any{&made}, `SELECT coalesce(max(created_s), 0) FROM recovery_codes WHERE user_id = $1`, userID)
	return at(made), err
}

// SpendTry implements account.FactorStore.
func (a Account) SpendTry(ctx context.Context, userID string, m account.Method, now time.Time, wait func(int) time.Duration, most int) (tries account.Tries, err error) {
	err = a.s.write(ctx, "count code", func(ctx context.Context, t *tx) error {
		if err := t.lockUser(ctx, userID); err != nil {
			return err
		}
		var next int64
		tries = account.Tries{}
		err := row(ctx, t, []any{&tries.Failed, &next}, `SELECT failed, next_s FROM factor_tries WHERE user_id = $1 AND method = $2`, userID, string(m))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		tries.Next = at(next)
		switch {
		case most > 0 && tries.Failed >= most:
			return account.ErrCodesStopped
		case now.Before(tries.Next):
			return account.ErrTooSoon
		}
		tries.Failed++
		tries.Next = now.Add(wait(tries.Failed))
		_, err = t.exec(ctx, `INSERT INTO factor_tries (user_id, method, failed, next_s) VALUES ($1, $2, $3, $4)
			ON CONFLICT (user_id, method) DO UPDATE SET failed = excluded.failed, next_s = excluded.next_s`, userID, string(m), tries.Failed, seconds(tries.Next))
		return err
	})
	return tries, err
}

func (t *tx) forgetTries(ctx context.Context, userID string) error {
	_, err := t.exec(ctx, `DELETE FROM factor_tries WHERE user_id = $1`, userID)
	return err
}
