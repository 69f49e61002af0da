package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

func hashText(h secret.Hash) string {
	if h == (secret.Hash{}) {
		return ""
	}
	return hex.EncodeToString(h[:])
}

func parseOptionalHash(text string) (secret.Hash, error) {
	if text == "" {
		return secret.Hash{}, nil
	}
	return parseHash(text)
}

// Register implements oauth.RegistrationStore.
func (o OAuth) Register(ctx context.Context, r oauth.Registration, initial *secret.Hash, most int64, keep time.Time) error {
	return o.s.write(ctx, "register client", func(ctx context.Context, t *tx) error {
		now := r.Client.CreatedAt
		if initial != nil {
			err := changed(ctx, t, oauth.ErrStale, `UPDATE initial_tokens SET uses_left = uses_left - 1
				WHERE hash = $1 AND uses_left > 0 AND expires_s > $2`, hashText(*initial), seconds(now))
			if err != nil {
				return err
			}
		}
		if err := changed(ctx, t, oauth.ErrFull, `UPDATE registration_total SET n = n + 1 WHERE id = 1 AND n < $1`, most); err != nil {
			return err
		}
		if err := o.insertClient(ctx, t, &r.Client); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO registrations (client_id, token_hash, statement, created_s, expires_s) VALUES ($1, $2, $3, $4, $5)`,
			r.Client.ID, hashText(r.Token), r.Statement, seconds(now), seconds(r.ExpiresAt))
		if err != nil {
			return err
		}
		return t.append(ctx, entry(revocation.Changed, r.Client.ID, revocation.ReasonAdmin, keep))
	})
}

// Registration implements oauth.RegistrationStore.
func (o OAuth) Registration(ctx context.Context, clientID string) (oauth.Registration, error) {
	var r oauth.Registration
	if !storable(clientID) {
		return r, fmt.Errorf("find registration: %w", oauth.ErrNotFound)
	}
	var hash string
	var expires int64
	err := o.s.one(ctx, "find registration", oauth.ErrNotFound, []any{&hash, &r.Statement, &expires},
		`SELECT token_hash, statement, expires_s FROM registrations WHERE client_id = $1`, clientID)
	if err != nil {
		return r, err
	}
	if r.Token, err = parseOptionalHash(hash); err != nil {
		return r, err
	}
	r.ExpiresAt = at(expires)
	r.Client, err = o.Client(ctx, clientID)
	return r, err
}

// UpdateRegistration implements oauth.RegistrationStore.
func (o OAuth) UpdateRegistration(ctx context.Context, r oauth.Registration, from secret.Hash, _, keep time.Time) error {
	c := &r.Client
	text, settings, err := clientTexts(c)
	if err != nil {
		return fmt.Errorf("update registration: %w", err)
	}
	return o.s.write(ctx, "update registration", func(ctx context.Context, t *tx) error {
		err := changed(ctx, t, oauth.ErrStale, `UPDATE clients SET name = $2, redirect_uris = $3, post_logout_redirect_uris = $4, scope = $5, contacts = $6,
				settings = $7, dpop_bound = $8, certificate_bound = $9 WHERE id = $1 AND disabled = 0`,
			c.ID, c.Name, text[0], text[1], c.Scope, text[3], settings, number(c.DPoPBound), number(c.CertificateBound))
		if err != nil {
			return err
		}
		err = changed(ctx, t, oauth.ErrStale, `UPDATE registrations SET token_hash = $3, statement = $4 WHERE client_id = $1 AND token_hash = $2`,
			c.ID, hashText(from), hashText(r.Token), r.Statement)
		if err != nil {
			return err
		}
		// People agreed to what it was before.
		err = t.all(ctx, []string{`DELETE FROM consents WHERE client_id = $1`, `DELETE FROM client_secrets WHERE client_id = $1`}, c.ID)
		if err != nil {
			return err
		}
		for _, s := range c.Secrets {
			if err := t.addSecret(ctx, c.ID, s); err != nil {
				return err
			}
		}
		return t.append(ctx, entry(revocation.Changed, c.ID, revocation.ReasonAdmin, keep))
	})
}

// RemoveRegistration implements oauth.RegistrationStore.
func (o OAuth) RemoveRegistration(ctx context.Context, clientID string, from secret.Hash, now, keep time.Time) error {
	return o.s.write(ctx, "remove registration", func(ctx context.Context, t *tx) error {
		// The client's row is locked first, as everywhere.
		if err := changed(ctx, t, oauth.ErrStale, `UPDATE clients SET disabled = 1 WHERE id = $1`, clientID); err != nil {
			return err
		}
		err := changed(ctx, t, oauth.ErrStale, `UPDATE registrations SET token_hash = '' WHERE client_id = $1 AND token_hash = $2`, clientID, hashText(from))
		if err != nil {
			return err
		}
		return t.removeClient(ctx, clientID, now, keep)
	})
}

// UseRegistration implements oauth.RegistrationStore.
func (o OAuth) UseRegistration(ctx context.Context, clientID string) error {
	return o.s.write(ctx, "note use of client", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE registrations SET expires_s = 0 WHERE client_id = $1`, clientID)
		return err
	})
}

// BrowserRedirects implements oauth.RegistrationStore.
func (o OAuth) BrowserRedirects(ctx context.Context) ([]string, error) {
	var list []string
	err := o.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			var text string
			if err := scan(&text); err != nil {
				return err
			}
			uris, err := parseList(text)
			list = append(list, uris...)
			return err
		}, `SELECT redirect_uris FROM clients WHERE type = 'browser' AND disabled = 0`)
	})
	if err != nil {
		return nil, fmt.Errorf("list browser clients: %w", err)
	}
	return list, nil
}

// expireRegistrations removes clients that registered themselves, were never
// given a token, and have had their time. It returns how many.
func (s *Store) expireRegistrations(ctx context.Context, now time.Time) (int64, error) {
	var n int64
	err := s.write(ctx, "expire registrations", func(ctx context.Context, t *tx) error {
		n = 0
		var ids []string
		err := t.each(ctx, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT client_id FROM registrations WHERE expires_s > 0 AND expires_s <= $1 ORDER BY expires_s LIMIT $2`, seconds(now), expireChunk)
		if err != nil {
			return err
		}
		for _, id := range ids {
			gone, err := t.exec(ctx, `UPDATE clients SET disabled = 1 WHERE id = $1
				AND EXISTS (SELECT 1 FROM registrations WHERE client_id = $1 AND expires_s > 0 AND expires_s <= $2)`, id, seconds(now))
			if err != nil {
				return err
			}
			if gone == 0 {
				continue // it has just been used
			}
			if err := t.removeClient(ctx, id, now, now.Add(clockError)); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// InitialToken implements oauth.RegistrationStore.
func (o OAuth) InitialToken(ctx context.Context, h secret.Hash, now time.Time) (oauth.InitialToken, error) {
	list, err := o.initialTokens(ctx, ` WHERE hash = $1 AND uses_left > 0 AND expires_s > $2`, hashText(h), seconds(now))
	if err == nil && len(list) == 0 {
		err = oauth.ErrNotFound
	}
	if err != nil {
		return oauth.InitialToken{}, fmt.Errorf("find initial access token: %w", err)
	}
	return list[0], nil
}

// InitialTokens implements oauth.InitialTokenAdmin.
func (o OAuth) InitialTokens(ctx context.Context) ([]oauth.InitialToken, error) {
	list, err := o.initialTokens(ctx, ` ORDER BY created_s, hash`)
	if err != nil {
		return nil, fmt.Errorf("list initial access tokens: %w", err)
	}
	return list, nil
}

func (o OAuth) initialTokens(ctx context.Context, where string, args ...any) ([]oauth.InitialToken, error) {
	var list []oauth.InitialToken
	err := o.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			var t oauth.InitialToken
			var hash string
			var created, expires int64
			err := scan(&hash, &t.Note, &t.UsesLeft, &created, &expires)
			if err == nil {
				t.Hash, err = parseHash(hash)
			}
			t.CreatedAt, t.ExpiresAt = at(created), at(expires)
			list = append(list, t)
			return err
		}, `SELECT hash, note, uses_left, created_s, expires_s FROM initial_tokens`+where, args...)
	})
	return list, err
}

// AddInitialToken implements oauth.InitialTokenAdmin.
func (o OAuth) AddInitialToken(ctx context.Context, i oauth.InitialToken) error {
	return o.s.write(ctx, "add initial access token", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, oauth.ErrExists, `INSERT INTO initial_tokens (hash, note, uses_left, created_s, expires_s) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			hashText(i.Hash), i.Note, i.UsesLeft, seconds(i.CreatedAt), seconds(i.ExpiresAt))
	})
}

// RemoveInitialToken implements oauth.InitialTokenAdmin.
func (o OAuth) RemoveInitialToken(ctx context.Context, h secret.Hash) error {
	return o.s.write(ctx, "remove initial access token", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, oauth.ErrNotFound, `DELETE FROM initial_tokens WHERE hash = $1`, hashText(h))
	})
}

// RegistrationOwner implements oauth.RegistrationStore.
func (o OAuth) RegistrationOwner(ctx context.Context, h secret.Hash) (string, error) {
	var id string
	err := o.s.one(ctx, "find registration", oauth.ErrNotFound, []any{&id}, `SELECT client_id FROM registrations WHERE token_hash = $1`, hashText(h))
	if !errors.Is(err, oauth.ErrNotFound) {
		return id, err
	}
	n := 0
	err = o.s.one(ctx, "find initial access token", oauth.ErrNotFound, []any{&n}, `SELECT 1 FROM initial_tokens WHERE hash = $1`, hashText(h))
	return "", err
}

// LeakRegistration implements oauth.RegistrationStore.
func (o OAuth) LeakRegistration(ctx context.Context, h secret.Hash, e oauth.Ending) (oauth.Ended, error) {
	return o.leak(ctx, "end leaked registration token", e, func(ctx context.Context, t *tx) (bool, []revocation.Entry, error) {
		n, err := t.exec(ctx, `UPDATE registrations SET token_hash = '' WHERE token_hash = $1`, hashText(h))
		if err != nil || n > 0 {
			return n > 0, nil, err
		}
		n, err = t.exec(ctx, `UPDATE initial_tokens SET uses_left = 0 WHERE hash = $1 AND uses_left > 0 AND expires_s > $2`, hashText(h), seconds(e.Now))
		return n > 0, nil, err
	})
}

// clientTexts are the lists of a client and its settings as they are stored.
func clientTexts(c *oauth.Client) (lists [4]string, settings string, err error) {
	for i, list := range [][]string{c.RedirectURIs, c.PostLogoutRedirectURIs, c.Resources, c.Contacts} {
		if lists[i], err = listText(list); err != nil {
			return lists, "", err
		}
	}
	b, err := json.Marshal(c.Settings)
	return lists, string(b), err
}
