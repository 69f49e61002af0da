package store

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

// Wait implements account.RecoveryStore.
func (a Account) Wait(ctx context.Context, w account.Waiting) (account.Waiting, error) {
	err := a.s.write(ctx, "wait for recovery", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO recoveries (user_id, stop, created_s, ripe_s, expires_s) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (user_id) DO UPDATE SET stop = $2, created_s = $3, ripe_s = $4, expires_s = $5 WHERE recoveries.expires_s <= $3`,
			w.UserID, hex.EncodeToString(w.Stop[:]), seconds(w.CreatedAt), seconds(w.RipeAt), seconds(w.ExpiresAt))
		return err
	})
	if err != nil {
		return account.Waiting{}, err
	}
	return a.Waiting(ctx, w.UserID, w.CreatedAt)
}

// Waiting implements account.RecoveryStore.
func (a Account) Waiting(ctx context.Context, userID string, now time.Time) (account.Waiting, error) {
	w := account.Waiting{UserID: userID}
	var stop string
	var created, ripe, expires int64
	err := a.s.one(ctx, "find recovery", account.ErrNotFound, []any{&stop, &created, &ripe, &expires},
		`SELECT stop, created_s, ripe_s, expires_s FROM recoveries WHERE user_id = $1 AND expires_s > $2`, userID, seconds(now))
	if err != nil {
		return account.Waiting{}, err
	}
	w.CreatedAt, w.RipeAt, w.ExpiresAt = at(created), at(ripe), at(expires)
	w.Stop, err = parseHash(stop)
	return w, err
}

// StopWaiting implements account.RecoveryStore. A sign-in that is under way has to
// begin anew as well.
func (a Account) StopWaiting(ctx context.Context, stop secret.Hash) (userID string, err error) {
	err = a.s.write(ctx, "stop recovery", func(ctx context.Context, t *tx) error {
		text := hex.EncodeToString(stop[:])
		if err := row(ctx, t, []any{&userID}, `SELECT user_id FROM recoveries WHERE stop = $1`, text); ignoreNone(err) != nil {
			return err
		}
		if err := changed(ctx, t, account.ErrNotFound, `DELETE FROM recoveries WHERE stop = $1`, text); err != nil {
			return err
		}
		_, err := t.exec(ctx, `UPDATE users SET version = version + 1 WHERE id = $1`, userID)
		return err
	})
	return userID, err
}

// Recover implements account.RecoveryStore.
func (a Account) Recover(ctx context.Context, r account.Recovered, now, keep time.Time) error {
	return a.s.write(ctx, "recover", func(ctx context.Context, t *tx) error {
		err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET password_hash = $2, version = version + 1 WHERE id = $1 AND version = $3 AND disabled = 0`,
			r.UserID, r.Hash, r.Version)
		if err != nil {
			return err
		}
		if !r.Reset.IsZero() {
			if err := changed(ctx, t, account.ErrNotFound, `DELETE FROM mail_codes WHERE id = $1 AND expires_s > $2`, r.Reset.String(), seconds(now)); err != nil {
				return err
			}
		}
		err = changed(ctx, t, account.ErrNotFound, `DELETE FROM recoveries WHERE user_id = $1 AND ripe_s <= $2 AND expires_s > $2`, r.UserID, seconds(now))
		if err != nil && (r.Waited || !errors.Is(err, account.ErrNotFound)) {
			return err
		}
		gone := []string{`DELETE FROM recoveries WHERE user_id = $1`, `DELETE FROM mail_codes WHERE user_id = $1`}
		if err := t.all(ctx, gone, r.UserID); err != nil {
			return err
		}
		if r.Lost {
			if err := a.s.appsLost(ctx, t, account.Removal{UserID: r.UserID, Now: now, Keep: keep}); err != nil {
				return err
			}
		}
		return a.s.endUser(ctx, t, r.UserID, revocation.ReasonPassword, now, keep)
	})
}

// appsLost removes every authenticator app. The sessions end in the same transition.
func (s *Store) appsLost(ctx context.Context, t *tx, r account.Removal) error {
	n, err := t.exec(ctx, `DELETE FROM authenticators WHERE user_id = $1`, r.UserID)
	if err != nil || n == 0 {
		return err
	}
	return s.factorRemoved(ctx, t, r)
}

// recoveryOver ends the recoveries of a person that wait or are approved: who has
// just chosen a password, or taken an address away, needs none that somebody else
// may have begun.
func (t *tx) recoveryOver(ctx context.Context, userID string) error {
	return t.all(ctx, []string{
		`DELETE FROM recoveries WHERE user_id = $1`,
		`DELETE FROM mail_codes WHERE user_id = $1 AND purpose IN ('reset', 'recover', 'recover_second')`,
	}, userID)
}
