package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

// selectClients gives one row for each secret, or one for a client without.
const selectClients = `SELECT c.id, c.name, c.type, c.redirect_uris, c.post_logout_redirect_uris, c.scope, c.resources, c.contacts, c.disabled, c.created_s, c.epoch, c.settings,
	c.dpop_bound, c.certificate_bound, c.origin, CASE WHEN r.expires_s > 0 THEN 1 ELSE 0 END, s.hash, s.created_s, s.expires_s
	FROM clients c LEFT JOIN client_secrets s ON s.client_id = c.id LEFT JOIN registrations r ON r.client_id = c.id`

// Client implements oauth.Store.
func (o OAuth) Client(ctx context.Context, clientID string) (oauth.Client, error) {
	if !storable(clientID) {
		return oauth.Client{}, fmt.Errorf("find client: %w", oauth.ErrNotFound)
	}
	list, err := o.clients(ctx, selectClients+` WHERE c.id = $1 ORDER BY s.created_s, s.hash`, clientID)
	if err == nil && len(list) == 0 {
		err = oauth.ErrNotFound
	}
	if err != nil {
		return oauth.Client{}, fmt.Errorf("find client: %w", err)
	}
	return list[0], nil
}

// Clients implements oauth.ClientAdmin, in the order of IDs.
func (o OAuth) Clients(ctx context.Context) ([]oauth.Client, error) {
	list, err := o.clients(ctx, selectClients+` ORDER BY c.id, s.created_s, s.hash`)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return list, nil
}

func (o OAuth) clients(ctx context.Context, q string, args ...any) ([]oauth.Client, error) {
	var list []oauth.Client
	err := o.s.engine.read(ctx, func(ctx context.Context, on queryer) error {
		return on.each(ctx, func(scan func(...any) error) error {
			c, err := scanClient(scan)
			if err != nil {
				return err
			}
			if n := len(list); n > 0 && list[n-1].ID == c.ID {
				list[n-1].Secrets = append(list[n-1].Secrets, c.Secrets...)
				return nil
			}
			list = append(list, c)
			return nil
		}, q, args...)
	})
	return list, err
}

func scanClient(scan func(...any) error) (oauth.Client, error) {
	var c oauth.Client
	var redirects, postLogout, resources, contacts, epoch, settings, origin string
	var disabled, created, dpopBound, certificateBound, unused int64
	var hash sql.NullString
	var secretCreated, secretExpires sql.NullInt64
	err := scan(&c.ID, &c.Name, &c.Type, &redirects, &postLogout, &c.Scope, &resources, &contacts, &disabled, &created, &epoch, &settings,
		&dpopBound, &certificateBound, &origin, &unused, &hash, &secretCreated, &secretExpires)
	if err != nil {
		return c, err
	}
	c.Origin, c.Unused = oauth.ClientOrigin(origin), unused != 0
	c.Disabled, c.CreatedAt, c.DPoPBound, c.CertificateBound = disabled != 0, at(created), dpopBound != 0, certificateBound != 0
	if c.Epoch, err = secret.ParseID(epoch); err != nil {
		return c, fmt.Errorf("client %s: epoch: %w", c.ID, err)
	}
	if err = json.Unmarshal([]byte(settings), &c.Settings); err != nil {
		return c, fmt.Errorf("client %s: settings: %w", c.ID, err)
	}
	for _, l := range []struct {
		to   *[]string
		text string
	}{{&c.RedirectURIs, redirects}, {&c.PostLogoutRedirectURIs, postLogout}, {&c.Resources, resources}, {&c.Contacts, contacts}} {
		if *l.to, err = parseList(l.text); err != nil {
			return c, fmt.Errorf("client %s: %w", c.ID, err)
		}
	}
	if !hash.Valid {
		return c, nil
	}
	s := oauth.ClientSecret{CreatedAt: at(secretCreated.Int64), ExpiresAt: at(secretExpires.Int64)}
	if s.Hash, err = parseHash(hash.String); err != nil {
		return c, fmt.Errorf("client %s: %w", c.ID, err)
	}
	c.Secrets = []oauth.ClientSecret{s}
	return c, nil
}

func parseHash(text string) (h secret.Hash, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		return h, errors.New("a stored hash is malformed")
	}
	return secret.Hash(b), nil
}

// AddClient implements oauth.ClientAdmin. The feed is told of a browser client,
// whose pages every node has to know.
func (o OAuth) AddClient(ctx context.Context, c oauth.Client) error {
	return o.s.write(ctx, "add client", func(ctx context.Context, t *tx) error {
		if err := o.insertClient(ctx, t, &c); err != nil || c.Type != oauth.Browser {
			return err
		}
		return t.append(ctx, entry(revocation.Changed, c.ID, revocation.ReasonAdmin, o.s.now().Add(clockError)))
	})
}

// insertClient returns oauth.ErrExists if the ID is taken.
func (o OAuth) insertClient(ctx context.Context, t *tx, c *oauth.Client) error {
	text, settings, err := clientTexts(c)
	if err != nil {
		return err
	}
	epoch := c.Epoch
	if epoch.IsZero() {
		epoch = secret.NewID(o.s.now())
	}
	err = changed(ctx, t, oauth.ErrExists, `INSERT INTO clients
		(id, name, type, redirect_uris, post_logout_redirect_uris, scope, resources, disabled, created_s, epoch, contacts, settings,
			dpop_bound, certificate_bound, origin)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING`,
		c.ID, c.Name, string(c.Type), text[0], text[1], c.Scope, text[2], number(c.Disabled), seconds(c.CreatedAt), epoch.String(), text[3], settings,
		number(c.DPoPBound), number(c.CertificateBound), string(c.Origin))
	if err != nil {
		return err
	}
	for _, s := range c.Secrets {
		if err := t.addSecret(ctx, c.ID, s); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) addSecret(ctx context.Context, clientID string, s oauth.ClientSecret) error {
	_, err := t.exec(ctx, `INSERT INTO client_secrets (client_id, hash, created_s, expires_s) VALUES ($1, $2, $3, $4)
		ON CONFLICT (client_id, hash) DO UPDATE SET expires_s = excluded.expires_s`,
		clientID, hex.EncodeToString(s.Hash[:]), seconds(s.CreatedAt), seconds(s.ExpiresAt))
	return err
}

// AddClientSecret implements oauth.ClientAdmin. Secrets that have ended by now
// are removed. ErrNotFound for an unknown client.
func (o OAuth) AddClientSecret(ctx context.Context, clientID string, s oauth.ClientSecret, othersUntil, now, keep time.Time) error {
	return o.s.write(ctx, "add client secret", func(ctx context.Context, t *tx) error {
		// A write that changes nothing, so that two rotations come one after the other.
		if err := changed(ctx, t, oauth.ErrNotFound, `UPDATE clients SET created_s = created_s WHERE id = $1`, clientID); err != nil {
			return err
		}
		_, err := t.exec(ctx, `UPDATE client_secrets SET expires_s = $2 WHERE client_id = $1 AND (expires_s = 0 OR expires_s > $2)`,
			clientID, seconds(othersUntil))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM client_secrets WHERE client_id = $1 AND expires_s > 0 AND expires_s <= $2`, clientID, seconds(now))
		if err != nil {
			return err
		}
		if err := t.addSecret(ctx, clientID, s); err != nil {
			return err
		}
		return t.append(ctx, entry(revocation.Changed, clientID, revocation.ReasonAdmin, keep))
	})
}

// SetClientDisabled implements oauth.ClientAdmin. Setting what is set already
// changes nothing. ErrNotFound for an unknown client.
func (o OAuth) SetClientDisabled(ctx context.Context, clientID string, disabled bool, now, keep time.Time) error {
	return o.s.write(ctx, "set client disabled", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE clients SET disabled = $2 WHERE id = $1 AND disabled <> $2`, clientID, number(disabled))
		switch {
		case err != nil:
			return err
		case n == 0:
			var before int64
			err := row(ctx, t, []any{&before}, `SELECT disabled FROM clients WHERE id = $1`, clientID)
			if errors.Is(err, sql.ErrNoRows) {
				return oauth.ErrNotFound
			}
			return err
		case disabled:
			return t.endClient(ctx, clientID, revocation.ReasonAdmin, now, keep)
		}
		return t.append(ctx, entry(revocation.Changed, clientID, revocation.ReasonAdmin, keep))
	})
}

// endClient ends all grants of a client, and its epoch: the tokens that it has
// for itself carry the epoch like a grant, and so do its codes. What it gets
// from now on belongs to the next one.
func (t *tx) endClient(ctx context.Context, clientID, reason string, now, keep time.Time) error {
	var epoch string
	if err := row(ctx, t, []any{&epoch}, `SELECT epoch FROM clients WHERE id = $1`, clientID); err != nil {
		return err
	}
	if _, err := t.exec(ctx, `UPDATE clients SET epoch = $2 WHERE id = $1`, clientID, secret.NewID(now).String()); err != nil {
		return err
	}
	if err := t.revokeGrants(ctx, `client_id = $3`, clientID, reason, now, keep); err != nil {
		return err
	}
	return t.append(ctx, entry(revocation.Grant, epoch, reason, keep), entry(revocation.Changed, clientID, reason, keep))
}

// RemoveClient implements oauth.ClientAdmin. ErrNotFound for an unknown client.
func (o OAuth) RemoveClient(ctx context.Context, clientID string, now, keep time.Time) error {
	return o.s.write(ctx, "remove client", func(ctx context.Context, t *tx) error {
		if err := changed(ctx, t, oauth.ErrNotFound, `UPDATE clients SET disabled = 1 WHERE id = $1`, clientID); err != nil {
			return err
		}
		return t.removeClient(ctx, clientID, now, keep)
	})
}

// removeClient ends and removes a client whose row is locked. The count of
// registrations comes before the feed, as in Register.
func (t *tx) removeClient(ctx context.Context, clientID string, now, keep time.Time) error {
	n, err := t.exec(ctx, `DELETE FROM registrations WHERE client_id = $1`, clientID)
	if err == nil && n > 0 {
		_, err = t.exec(ctx, `UPDATE registration_total SET n = n - 1 WHERE id = 1`)
	}
	if err != nil {
		return err
	}
	if err := t.deleteStreamsOf(ctx, clientID); err != nil { // before the feed, too
		return err
	}
	if err := t.endClient(ctx, clientID, revocation.ReasonClientGone, now, keep); err != nil {
		return err
	}
	return t.all(ctx, []string{
		`DELETE FROM client_secrets WHERE client_id = $1`,
		`DELETE FROM consents WHERE client_id = $1`,
		`DELETE FROM pushed_requests WHERE client_id = $1`,
		`DELETE FROM grants WHERE client_id = $1`,
		`DELETE FROM clients WHERE id = $1`,
	}, clientID)
}
