package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
)

// SecretOwners implements oauth.LeakStore.
func (o OAuth) SecretOwners(ctx context.Context, h secret.Hash) ([]string, error) {
	var list []string
	err := o.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			list = append(list, id)
			return err
		}, `SELECT client_id FROM client_secrets WHERE hash = $1 ORDER BY client_id`, hex.EncodeToString(h[:]))
	})
	if err != nil {
		return nil, fmt.Errorf("find owners of a secret: %w", err)
	}
	return list, nil
}

// SessionOf implements oauth.LeakStore.
func (o OAuth) SessionOf(ctx context.Context, id secret.ID, h secret.Hash) (sid secret.ID, userID string, err error) {
	var text string
	err = o.s.one(ctx, "find session", oauth.ErrNotFound, []any{&text, &userID},
		`SELECT sid, user_id FROM sessions WHERE id = $1 AND hash = $2`, id.String(), hex.EncodeToString(h[:]))
	if err == nil {
		sid, err = secret.ParseID(text)
	}
	return sid, userID, err
}

// BrowserGrant implements oauth.LeakStore.
func (o OAuth) BrowserGrant(ctx context.Context, id secret.ID, h secret.Hash) (grantID secret.ID, err error) {
	var text string
	err = o.s.one(ctx, "find browser session", oauth.ErrNotFound, []any{&text},
		`SELECT grant_id FROM browser_sessions WHERE id = $1 AND hash = $2`, id.String(), hex.EncodeToString(h[:]))
	if err == nil {
		grantID, err = secret.ParseID(text)
	}
	return grantID, err
}

// leak runs one of the Leak transitions. end reports whether it found something
// alive, and what the feed must hear of it.
func (o OAuth) leak(ctx context.Context, doing string, e oauth.Ending, end func(ctx context.Context, t *tx) (bool, []revocation.Entry, error)) (oauth.Ended, error) {
	var done oauth.Ended
	err := o.s.write(ctx, doing, func(ctx context.Context, t *tx) error {
		done = oauth.Ended{}
		alive, entries, err := end(ctx, t)
		if err != nil || !alive {
			return err
		}
		done.Alive = true
		if done.Lost, err = t.tell(ctx, e.Notices, seconds(e.Now)); err != nil {
			return err
		}
		return t.append(ctx, entries...)
	})
	if err != nil {
		return oauth.Ended{}, err
	}
	return done, nil
}

// LeakSerial implements oauth.LeakStore.
func (o OAuth) LeakSerial(ctx context.Context, serial secret.ID, e oauth.Ending) (oauth.Ended, error) {
	return o.leak(ctx, "revoke leaked access token", e, func(ctx context.Context, t *tx) (bool, []revocation.Entry, error) {
		// The head of the feed is locked first: of two reports, one finds the entry of the other.
		if _, err := t.exec(ctx, `UPDATE feed_head SET seq = seq WHERE id = 1`); err != nil {
			return false, nil, err
		}
		known := 0
		err := row(ctx, t, []any{&known}, `SELECT count(*) FROM feed WHERE kind = 'serial' AND id = $1`, serial.String())
		return known == 0, []revocation.Entry{entry(revocation.Serial, serial.String(), e.Reason, e.Keep)}, err
	})
}

// LeakGrant implements oauth.LeakStore.
func (o OAuth) LeakGrant(ctx context.Context, id secret.ID, e oauth.Ending) (oauth.Ended, error) {
	return o.leak(ctx, "revoke leaked grant", e, func(ctx context.Context, t *tx) (bool, []revocation.Entry, error) {
		entries, err := t.endGrants(ctx, `id = $3`, id.String(), e.Reason, e.Now, e.Keep)
		return len(entries) > 0, entries, err
	})
}

// LeakCode implements oauth.LeakStore. The insert decides against RedeemCode.
func (o OAuth) LeakCode(ctx context.Context, g oauth.Grant, e oauth.Ending) (oauth.Ended, error) {
	return o.leak(ctx, "spend leaked code", e, func(ctx context.Context, t *tx) (bool, []revocation.Entry, error) {
		found := 0
		err := row(ctx, t, []any{&found}, `SELECT 1 FROM users WHERE id = $1`+t.forShare, g.UserID)
		if err != nil { // without its person it cannot be redeemed
			return false, nil, ignoreNone(err)
		}
		g.RevokedAt, g.RevokeReason = e.Now, e.Reason
		err = t.insertGrant(ctx, &g)
		if err == nil {
			return true, []revocation.Entry{entry(revocation.Grant, g.ID.String(), e.Reason, e.Keep)}, nil
		}
		if !errors.Is(err, oauth.ErrExists) {
			return false, nil, err
		}
		entries, err := t.endGrants(ctx, `id = $3`, g.ID.String(), e.Reason, e.Now, e.Keep)
		return len(entries) > 0, entries, err
	})
}

// LeakSession implements oauth.LeakStore.
func (o OAuth) LeakSession(ctx context.Context, sid secret.ID, e oauth.Ending) (oauth.Ended, error) {
	return o.leak(ctx, "end leaked session", e, func(ctx context.Context, t *tx) (bool, []revocation.Entry, error) {
		userID := ""
		err := row(ctx, t, []any{&userID}, `DELETE FROM sessions WHERE sid = $1 AND idle_until_s > $2 AND absolute_until_s > $2 RETURNING user_id`, sid.String(), seconds(e.Now))
		if err != nil {
			return false, nil, ignoreNone(err)
		}
		if err := o.s.signal(ctx, t, e.Now, signals.Ended(userID, sid, e.Reason, e.Now)); err != nil {
			return false, nil, err
		}
		entries, err := t.endGrants(ctx, `sid = $3`, sid.String(), e.Reason, e.Now, e.Keep)
		if err != nil {
			return false, nil, err
		}
		_, err = o.s.farewell(ctx, t, []string{sid.String()}, e.Now)
		return true, entries, err
	})
}

// LeakSecret implements oauth.LeakStore.
func (o OAuth) LeakSecret(ctx context.Context, clientID string, h secret.Hash, fromConfig bool, e oauth.Ending) (oauth.Ended, error) {
	return o.leak(ctx, "end leaked secret", e, func(ctx context.Context, t *tx) (alive bool, entries []revocation.Entry, err error) {
		if fromConfig {
			if err := t.ensureConfigClient(ctx, clientID, secret.NewID(e.Now)); err != nil {
				return false, nil, err
			}
			alive, err = t.bury(ctx, clientID, h, seconds(e.Now))
		} else {
			var expires int64
			err = row(ctx, t, []any{&expires}, `DELETE FROM client_secrets WHERE client_id = $1 AND hash = $2 RETURNING expires_s`, clientID, hex.EncodeToString(h[:]))
			alive, err = err == nil && (expires == 0 || expires > seconds(e.Now)), ignoreNone(err)
		}
		if err != nil || !alive {
			return false, nil, err
		}
		entries, err = t.endEpoch(ctx, clientID, fromConfig, e)
		return true, entries, err
	})
}

// bury notes that a secret of the configuration is dead, and reports whether
// that is news.
func (t *tx) bury(ctx context.Context, clientID string, h secret.Hash, now int64) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO dead_secrets (hash, client_id, died_s) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		hex.EncodeToString(h[:]), clientID, now)
	return n > 0, err
}

// endEpoch gives a client the next epoch and returns what the feed must hear.
func (t *tx) endEpoch(ctx context.Context, clientID string, fromConfig bool, e oauth.Ending) ([]revocation.Entry, error) {
	table := "clients"
	if fromConfig {
		table = "config_clients"
	}
	// A write that changes nothing locks the row: each epoch is ended by one.
	err := changed(ctx, t, oauth.ErrNotFound, `UPDATE `+table+` SET epoch = epoch WHERE id = $1`, clientID)
	if err != nil {
		return nil, err
	}
	var epoch string
	if err := row(ctx, t, []any{&epoch}, `SELECT epoch FROM `+table+` WHERE id = $1`, clientID); err != nil {
		return nil, err
	}
	if _, err := t.exec(ctx, `UPDATE `+table+` SET epoch = $2 WHERE id = $1`, clientID, secret.NewID(e.Now).String()); err != nil {
		return nil, err
	}
	return []revocation.Entry{entry(revocation.Grant, epoch, e.Reason, e.Keep), entry(revocation.Changed, clientID, e.Reason, e.Keep)}, nil
}

func (t *tx) ensureConfigClient(ctx context.Context, clientID string, epoch secret.ID) error {
	_, err := t.exec(ctx, `INSERT INTO config_clients (id, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING`, clientID, epoch.String())
	return err
}

// CompromiseSecret implements oauth.ClientAdmin. ErrNotFound for a stored client
// that is not there.
func (o OAuth) CompromiseSecret(ctx context.Context, c oauth.Compromise, e oauth.Ending) (oauth.Ended, error) {
	fromConfig := len(c.FromConfig) > 0
	return o.leak(ctx, "compromise client secret", e, func(ctx context.Context, t *tx) (bool, []revocation.Entry, error) {
		if fromConfig {
			if err := t.ensureConfigClient(ctx, c.ClientID, secret.NewID(e.Now)); err != nil {
				return false, nil, err
			}
		}
		entries, err := t.endEpoch(ctx, c.ClientID, fromConfig, e)
		if err != nil {
			return false, nil, err
		}
		for _, h := range c.FromConfig {
			if _, err := t.bury(ctx, c.ClientID, h, seconds(e.Now)); err != nil {
				return false, nil, err
			}
		}
		if !fromConfig {
			if _, err := t.exec(ctx, `DELETE FROM client_secrets WHERE client_id = $1`, c.ClientID); err != nil {
				return false, nil, err
			}
			if err := t.addSecret(ctx, c.ClientID, c.New); err != nil {
				return false, nil, err
			}
		}
		if !c.KillGrants {
			return true, entries, nil
		}
		grants, err := t.endGrants(ctx, `client_id = $3`, c.ClientID, e.Reason, e.Now, e.Keep)
		return true, append(grants, entries...), err
	})
}

// ConfigClient implements oauth.Store. It writes only the first time.
func (o OAuth) ConfigClient(ctx context.Context, clientID string, hashes []secret.Hash) (epoch secret.ID, dead []secret.Hash, err error) {
	var text string
	read := func() error {
		return o.s.one(ctx, "find client of the configuration", oauth.ErrNotFound, []any{&text}, `SELECT epoch FROM config_clients WHERE id = $1`, clientID)
	}
	err = read()
	if errors.Is(err, oauth.ErrNotFound) {
		err = o.s.write(ctx, "add client of the configuration", func(ctx context.Context, t *tx) error {
			return t.ensureConfigClient(ctx, clientID, secret.NewID(o.s.now()))
		})
		if err == nil {
			err = read()
		}
	}
	if err != nil {
		return secret.ID{}, nil, err
	}
	if epoch, err = secret.ParseID(text); err != nil {
		return secret.ID{}, nil, fmt.Errorf("client %s: epoch: %w", clientID, err)
	}
	dead, err = o.DeadSecrets(ctx, hashes)
	return epoch, dead, err
}

// DeadSecrets returns those of the hashes that have been compromised.
func (o OAuth) DeadSecrets(ctx context.Context, hashes []secret.Hash) ([]secret.Hash, error) {
	var dead []secret.Hash
	for _, h := range hashes {
		known := 0
		err := o.s.one(ctx, "find dead secret", sql.ErrNoRows, []any{&known}, `SELECT count(*) FROM dead_secrets WHERE hash = $1`, hex.EncodeToString(h[:]))
		if err != nil {
			return nil, err
		}
		if known > 0 {
			dead = append(dead, h)
		}
	}
	return dead, nil
}

// Tell implements oauth.LeakStore.
func (o OAuth) Tell(ctx context.Context, notices []oauth.Notice) (lost int, err error) {
	err = o.s.write(ctx, "tell of a leak", func(ctx context.Context, t *tx) (err error) {
		lost, err = t.tell(ctx, notices, seconds(o.s.now()))
		return err
	})
	return lost, err
}

// maxWaiting bounds the messages that wait for one recipient, and for one address
// of a recipient. Each stands for a credential of ours that was found alive, so
// only a mail server that is away for long makes so many.
const maxWaiting = 10_000

// gather is how long a message waits for more to the same recipient, in seconds.
const gather = 2

// tell puts notices into the outbox and returns how many it did not take. The
// record of a leak is always taken: it is what is left of one.
func (t *tx) tell(ctx context.Context, notices []oauth.Notice, now int64) (lost int, err error) {
	waiting := map[string]int{}
	for _, n := range notices {
		if _, known := waiting[n.To]; !known && n.To != oauth.ToRecord {
			if waiting[n.To], err = t.waiting(ctx, n.To, ""); err != nil {
				return 0, err
			}
		}
		if n.To != oauth.ToRecord && waiting[n.To] >= maxWaiting {
			lost++
			continue
		}
		waiting[n.To]++
		_, err := t.exec(ctx, `INSERT INTO outbox (id, recipient, address, body, created_s, due_s, claimed_s, attempts) VALUES ($1, $2, '', $3, $4, $5, 0, 0)`,
			n.ID.String(), n.To, string(n.Body), now, now+gather)
		if err != nil {
			return 0, fmt.Errorf("put a notice into the outbox: %w", err)
		}
	}
	return lost, nil
}

// waiting counts, up to the limit.
func (t *tx) waiting(ctx context.Context, to, address string) (n int, err error) {
	err = row(ctx, t, []any{&n}, `SELECT count(*) FROM (SELECT id FROM outbox WHERE recipient = $1 AND address = $2 LIMIT $3) AS waiting`, to, address, maxWaiting)
	return n, err
}
