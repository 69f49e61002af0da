package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
)

const selectIdentities = `SELECT provider, subject, user_id, name, linked_s, last_used_s FROM identities`

// Identity implements account.IdentityStore.
func (a Account) Identity(ctx context.Context, provider, subject string) (account.Identity, error) {
	if !storable(provider) || !storable(subject) {
		return account.Identity{}, fmt.Errorf("find identity: %w", account.ErrNotFound)
	}
	list, err := a.identities(ctx, selectIdentities+` WHERE provider = $1 AND subject = $2`, provider, subject)
	if err == nil && len(list) == 0 {
		err = account.ErrNotFound
	}
	if err != nil {
		return account.Identity{}, fmt.Errorf("find identity: %w", err)
	}
	return list[0], nil
}

// Identities implements account.IdentityStore.
func (a Account) Identities(ctx context.Context, userID string) ([]account.Identity, error) {
	list, err := a.identities(ctx, selectIdentities+` WHERE user_id = $1 ORDER BY linked_s, provider, subject`, userID)
	if err != nil {
		return nil, fmt.Errorf("list identities: %w", err)
	}
	return list, nil
}

func (a Account) identities(ctx context.Context, q string, args ...any) ([]account.Identity, error) {
	var list []account.Identity
	err := a.s.engine.read(ctx, func(ctx context.Context, on queryer) error {
		list = nil
		return on.each(ctx, func(scan func(...any) error) error {
			var i account.Identity
			var linked, used int64
			err := scan(&i.Provider, &i.Subject, &i.UserID, &i.Name, &linked, &used)
			i.LinkedAt, i.LastUsed = at(linked), at(used)
			list = append(list, i)
			return err
		}, q, args...)
	})
	return list, err
}

// LinkIdentity implements account.IdentityStore.
func (a Account) LinkIdentity(ctx context.Context, i account.Identity) error {
	return a.s.write(ctx, "link identity", func(ctx context.Context, t *tx) error {
		// The person is locked first, so that two links cannot both be the last that fits.
		var disabled, have int64
		err := row(ctx, t, []any{&disabled}, `SELECT disabled FROM users WHERE id = $1`+t.forUpdate, i.UserID)
		if errors.Is(err, sql.ErrNoRows) || err == nil && disabled != 0 {
			return account.ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := row(ctx, t, []any{&have}, `SELECT count(*) FROM identities WHERE user_id = $1`, i.UserID); err != nil {
			return err
		}
		if have >= account.MostIdentities {
			return account.ErrNotFound
		}
		return t.insertIdentity(ctx, i)
	})
}

func (t *tx) insertIdentity(ctx context.Context, i account.Identity) error {
	return changed(ctx, t, account.ErrExists, `INSERT INTO identities (provider, subject, user_id, name, linked_s, last_used_s)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		i.Provider, i.Subject, i.UserID, i.Name, seconds(i.LinkedAt), seconds(i.LastUsed))
}

// UseIdentity implements account.IdentityStore.
func (a Account) UseIdentity(ctx context.Context, i account.Identity) error {
	return a.s.write(ctx, "use identity", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, account.ErrNotFound, `UPDATE identities SET name = $4, last_used_s = $5
			WHERE provider = $1 AND subject = $2 AND user_id = $3`, i.Provider, i.Subject, i.UserID, i.Name, seconds(i.LastUsed))
	})
}

// UnlinkIdentity implements account.IdentityStore.
func (a Account) UnlinkIdentity(ctx context.Context, i account.Identity, keepSID secret.ID, now, keep time.Time) error {
	return a.s.write(ctx, "unlink identity", func(ctx context.Context, t *tx) error {
		// The person is locked first: of two last ways, one stays.
		if err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET version = version + 1 WHERE id = $1`, i.UserID); err != nil {
			return err
		}
		err := changed(ctx, t, account.ErrNotFound, `DELETE FROM identities WHERE provider = $1 AND subject = $2 AND user_id = $3`, i.Provider, i.Subject, i.UserID)
		if err != nil {
			return err
		}
		var ways int64
		err = row(ctx, t, []any{&ways}, `SELECT (SELECT count(*) FROM identities WHERE user_id = $1) + (SELECT count(*) FROM passkeys WHERE user_id = $1)
			+ (SELECT count(*) FROM users WHERE id = $1 AND password_hash <> '')`, i.UserID)
		if err != nil {
			return err
		}
		if ways == 0 {
			return account.ErrLastWay
		}
		sids, err := t.sessionsOf(ctx, `user_id = $1 AND provider = $2`, i.UserID, i.Provider)
		if err != nil {
			return err
		}
		for _, sid := range sids {
			if sid == keepSID.String() {
				continue
			}
			if _, err := a.s.endSessions(ctx, t, `sid`, sid, revocation.ReasonLogout, now, keep); err != nil {
				return err
			}
		}
		return nil
	})
}

// sessionsOf returns the SIDs of sessions, each once.
func (t *tx) sessionsOf(ctx context.Context, where string, args ...any) ([]string, error) {
	var sids []string
	err := t.each(ctx, func(scan func(...any) error) error {
		var sid string
		err := scan(&sid)
		sids = append(sids, sid)
		return err
	}, `SELECT DISTINCT sid FROM sessions WHERE `+where+` ORDER BY sid`, args...)
	return sids, err
}

// AddUserElsewhere implements account.IdentityStore.
func (a Account) AddUserElsewhere(ctx context.Context, u account.User, i account.Identity) error {
	folded, err := account.FoldUsername(u.Username)
	if err != nil {
		return fmt.Errorf("add user: %w", err)
	}
	return a.s.write(ctx, "add user", func(ctx context.Context, t *tx) error {
		if err := t.insertUser(ctx, folded, &u); err != nil {
			return err
		}
		return t.insertIdentity(ctx, i)
	})
}

// PeopleByVerifiedEmail implements account.IdentityStore.
func (a Account) PeopleByVerifiedEmail(ctx context.Context, email string) ([]string, error) {
	if email == "" || !storable(email) {
		return nil, nil
	}
	var list []string
	err := a.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		list = nil
		return q.each(ctx, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			list = append(list, id)
			return err
		}, `SELECT id FROM users WHERE lower(email) = lower($1) AND email_verified <> 0
			UNION SELECT user_id FROM addresses WHERE lower(address) = lower($1) AND verified_s > 0 ORDER BY 1`, email)
	})
	if err != nil {
		return nil, fmt.Errorf("find people by address: %w", err)
	}
	return list, nil
}

// EndElsewhere implements account.IdentityStore.
func (a Account) EndElsewhere(ctx context.Context, e account.EndedElsewhere, now, keep time.Time) ([]string, error) {
	var people []string
	if !storable(e.Subject) || !storable(e.SID) {
		return nil, nil
	}
	err := a.s.write(ctx, "end sessions of a provider", func(ctx context.Context, t *tx) error {
		people = nil
		err := t.spend(ctx, e.Once, e.Until)
		if errors.Is(err, oauth.ErrExists) {
			return account.ErrExists
		}
		if err != nil {
			return err
		}
		where, args := `provider = $1`, []any{e.Provider}
		if e.Subject != "" {
			args = append(args, e.Subject)
			where += ` AND user_id IN (SELECT user_id FROM identities WHERE provider = $1 AND subject = $2)`
		}
		if e.SID != "" {
			args = append(args, e.SID)
			where += fmt.Sprintf(` AND provider_sid = $%d`, len(args))
		}
		sids, err := t.sessionsOf(ctx, where, args...)
		if err != nil {
			return err
		}
		for _, sid := range sids {
			ended, err := a.s.endOnline(ctx, t, sid, now, keep)
			if err != nil {
				return err
			}
			for _, id := range ended {
				if !slices.Contains(people, id) {
					people = append(people, id)
				}
			}
		}
		return nil
	})
	return people, err
}

// endOnline ends a session and the grants that came from it, but for those that were
// made to last when nobody is there (C11: OpenID Connect Back-Channel Logout 1.0 §2.7).
// It tells the feed and the clients, and returns whose it was.
func (s *Store) endOnline(ctx context.Context, t *tx, sid string, now, keep time.Time) ([]string, error) {
	var people []string
	err := t.each(ctx, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		people = append(people, id)
		return err
	}, `DELETE FROM sessions WHERE sid = $1 RETURNING user_id`, sid)
	if err != nil {
		return nil, err
	}
	id, err := secret.ParseID(sid)
	if err != nil {
		return nil, fmt.Errorf("session %q: %w", sid, err)
	}
	for _, user := range people {
		if err := s.signal(ctx, t, now, signals.Ended(user, id, revocation.ReasonLogout, now)); err != nil {
			return nil, err
		}
	}
	err = t.revokeGrants(ctx, `sid = $3 AND ' ' || scope || ' ' NOT LIKE '% offline_access %'`, sid, revocation.ReasonLogout, now, keep)
	if err != nil {
		return nil, err
	}
	_, err = s.farewell(ctx, t, []string{sid}, now)
	return people, err
}
