package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

const askedColumns = `id, hash, grant_type, client_id, epoch, user_code, user_id, hint, request, sealed, state, sid, acr, amr, auth_time_s, created_s, expires_s`

// maxAskedOf bounds what one person is shown.
const maxAskedOf = 50

// askedCounts is for how long a request counts at least, however soon it expires.
const askedCounts = 5 * time.Minute

// AddAsked implements oauth.Store. Two that are added at the same time may both
// find room for the last one: most is a bound on nuisance, not a promise.
func (o OAuth) AddAsked(ctx context.Context, a oauth.Asked, most int, notices []oauth.Notice) error {
	return o.s.write(ctx, "add request", func(ctx context.Context, t *tx) error {
		a, notices := a, notices // the transition may run again
		if most > 0 {
			full, err := t.askedFull(ctx, &a, `hint`, a.Hint, most)
			if err != nil {
				return err
			}
			if full {
				return oauth.ErrStale
			}
			if full, err = t.askedFull(ctx, &a, `user_id`, a.UserID, most); err != nil {
				return err
			}
			if full {
				a.State, a.UserID, notices = oauth.AskedNobody, "", nil
			}
		}
		err := changed(ctx, t, oauth.ErrExists, `INSERT INTO asked (`+askedColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING`,
			a.ID.String(), hex.EncodeToString(a.Hash[:]), a.GrantType, a.ClientID, a.ClientEpoch.String(), a.UserCode, a.UserID, a.Hint,
			string(a.Request), a.Sealed, string(a.State), "", "", "", int64(0), seconds(a.CreatedAt), seconds(a.ExpiresAt))
		if err != nil {
			return err
		}
		_, err = t.tell(ctx, notices, seconds(a.CreatedAt))
		return err
	})
}

// askedFull reports whether as many as most of a client wait, or have waited
// lately, for the person or the hint that is in column.
func (t *tx) askedFull(ctx context.Context, a *oauth.Asked, column, value string, most int) (bool, error) {
	if value == "" {
		return false, nil
	}
	n := 0
	err := row(ctx, t, []any{&n}, `SELECT count(*) FROM asked WHERE client_id = $1 AND `+column+` = $2
		AND state IN ('pending', 'nobody') AND (expires_s > $3 OR created_s > $4)`,
		a.ClientID, value, seconds(a.CreatedAt), seconds(a.CreatedAt.Add(-askedCounts)))
	return n >= most, err
}

func (o OAuth) readAsked(ctx context.Context, doing, where string, args ...any) ([]oauth.Asked, error) {
	var list []oauth.Asked
	err := o.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		list = nil
		return q.each(ctx, func(scan func(...any) error) error {
			a, err := scanAsked(scan)
			list = append(list, a)
			return err
		}, `SELECT `+askedColumns+` FROM asked WHERE `+where, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return list, nil
}

func scanAsked(scan func(...any) error) (oauth.Asked, error) {
	var a oauth.Asked
	var id, hash, epoch, request, state, sid string
	var authTime, created, expires int64
	err := scan(&id, &hash, &a.GrantType, &a.ClientID, &epoch, &a.UserCode, &a.UserID, &a.Hint, &request, &a.Sealed, &state, &sid, &a.By.ACR, &a.By.AMR, &authTime, &created, &expires)
	if err != nil {
		return a, err
	}
	a.Request, a.State, a.By.AuthTime = []byte(request), oauth.AskedState(state), at(authTime)
	a.CreatedAt, a.ExpiresAt = at(created), at(expires)
	digest, err := hex.DecodeString(hash)
	if err != nil || copy(a.Hash[:], digest) != len(a.Hash) {
		return a, fmt.Errorf("request %s: its hash is damaged", id)
	}
	for _, f := range []struct {
		text string
		into *secret.ID
	}{{id, &a.ID}, {epoch, &a.ClientEpoch}, {sid, &a.By.SID}} {
		if f.text == "" {
			continue
		}
		if *f.into, err = secret.ParseID(f.text); err != nil {
			return a, fmt.Errorf("request %s: %w", id, err)
		}
	}
	return a, nil
}

func only(list []oauth.Asked, err error) (oauth.Asked, error) {
	if err == nil && len(list) == 0 {
		err = oauth.ErrNotFound
	}
	if err != nil {
		return oauth.Asked{}, err
	}
	return list[0], nil
}

// Asked implements oauth.Store.
func (o OAuth) Asked(ctx context.Context, id secret.ID) (oauth.Asked, error) {
	return only(o.readAsked(ctx, "find request", `id = $1`, id.String()))
}

// AskedByUserCode implements oauth.Store.
func (o OAuth) AskedByUserCode(ctx context.Context, digests []string, now time.Time) (oauth.Asked, error) {
	for _, d := range digests {
		if d == "" {
			continue
		}
		a, err := only(o.readAsked(ctx, "find request of a user code", `user_code = $1 AND user_code <> '' AND state = 'pending' AND expires_s > $2`, d, seconds(now)))
		if !errors.Is(err, oauth.ErrNotFound) {
			return a, err
		}
	}
	return oauth.Asked{}, oauth.ErrNotFound
}

// AskedOf implements oauth.Store. What a device asks is nobody's until decided.
func (o OAuth) AskedOf(ctx context.Context, userID string, now time.Time) ([]oauth.Asked, error) {
	return o.readAsked(ctx, "list requests", `user_id = $1 AND user_id <> '' AND state = 'pending' AND expires_s > $2 ORDER BY id DESC LIMIT $3`, userID, seconds(now), maxAskedOf)
}

// DecideAsked implements oauth.Store.
func (o OAuth) DecideAsked(ctx context.Context, id secret.ID, to oauth.AskedState, by oauth.Session, now time.Time, posts []oauth.Post) error {
	if to != oauth.AskedAllowed && to != oauth.AskedDenied || to == oauth.AskedAllowed && (by.UserID == "" || by.SID.IsZero()) {
		return fmt.Errorf("decide request: %q without a decision", to)
	}
	return o.s.write(ctx, "decide request", func(ctx context.Context, t *tx) error {
		err := changed(ctx, t, oauth.ErrStale, `UPDATE asked SET state = $2, user_id = $3, sid = $4, acr = $5, amr = $6, auth_time_s = $7
			WHERE id = $1 AND state = 'pending' AND expires_s > $8 AND user_id IN ('', $3)`,
			id.String(), string(to), by.UserID, by.SID.String(), by.ACR, by.AMR, seconds(by.AuthTime), seconds(now))
		if err != nil {
			return err
		}
		_, err = t.post(ctx, posts, now)
		return err
	})
}

// RedeemAsked implements oauth.Store.
func (o OAuth) RedeemAsked(ctx context.Context, g oauth.Grant, allowedIn secret.ID) error {
	return o.s.write(ctx, "redeem request", func(ctx context.Context, t *tx) error {
		stands := g
		stands.SID = allowedIn                         // what the person allowed is in the row, not in a consent
		alive, err := mayStart(ctx, t, &stands, false) // locks what it depends on before its own row, as RedeemCode does
		if err != nil {
			return err
		}
		state := ""
		if err := row(ctx, t, []any{&state}, `SELECT state FROM asked WHERE id = $1`, g.ID.String()); ignoreNone(err) != nil {
			return err
		}
		switch {
		case state == string(oauth.AskedRedeemed):
			return oauth.ErrExists
		case !alive:
			return oauth.ErrStale
		}
		err = changed(ctx, t, oauth.ErrExists, `UPDATE asked SET state = 'redeemed' WHERE id = $1 AND state = 'allowed' AND user_id = $2 AND client_id = $3 AND expires_s > $4`,
			g.ID.String(), g.UserID, g.ClientID, seconds(g.CreatedAt))
		if err != nil {
			return err
		}
		return t.insertGrant(ctx, &g)
	})
}

// LeakAsked implements oauth.Store.
func (o OAuth) LeakAsked(ctx context.Context, id secret.ID, e oauth.Ending) (oauth.Ended, error) {
	return o.leak(ctx, "end leaked request", e, func(ctx context.Context, t *tx) (bool, []revocation.Entry, error) {
		n, err := t.exec(ctx, `UPDATE asked SET state = 'denied' WHERE id = $1 AND state IN ('pending', 'nobody', 'allowed') AND expires_s > $2`, id.String(), seconds(e.Now))
		if err != nil {
			return false, nil, err
		}
		entries, err := t.endGrants(ctx, `id = $3`, id.String(), e.Reason, e.Now, e.Keep)
		return n > 0 || len(entries) > 0, entries, err
	})
}

// UserByHint implements oauth.Store.
func (o OAuth) UserByHint(ctx context.Context, hint string) (oauth.User, error) {
	if !storable(hint) {
		return oauth.User{}, oauth.ErrNotFound
	}
	if folded, err := account.FoldUsername(hint); err == nil {
		u, err := Account(o).UserByName(ctx, folded)
		if err == nil {
			return o.User(ctx, u.ID)
		}
		if !errors.Is(err, account.ErrNotFound) {
			return oauth.User{}, err
		}
	}
	list, err := Account(o).users(ctx, selectUsers+` WHERE lower(email) = lower($1) AND email <> '' AND email_verified <> 0 LIMIT 2`, hint)
	if err != nil {
		return oauth.User{}, err
	}
	if len(list) != 1 { // an address that two share names neither
		return oauth.User{}, oauth.ErrNotFound
	}
	return o.User(ctx, list[0].ID)
}
