package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

// GrantsOf implements oauth.PersonStore.
func (o OAuth) GrantsOf(ctx context.Context, userID, clientID string, now time.Time, most int) ([]oauth.Grant, error) {
	if !storable(userID) || !storable(clientID) {
		return nil, nil
	}
	var list []oauth.Grant
	err := o.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		list = nil
		return q.each(ctx, func(scan func(...any) error) error {
			var id, text, device, place string
			if err := scan(&id, &text, &device, &place); err != nil {
				return err
			}
			g, err := parseGrant(strings.SplitN(text, fieldSeparator, grantFieldCount))
			if err == nil {
				g.ID, err = secret.ParseID(id)
			}
			if err != nil {
				return fmt.Errorf("read grant %s: %w", id, err)
			}
			g.Device, g.Place = device, place
			list = append(list, g)
			return nil
		}, `SELECT id, `+grantFields+`, device, place FROM grants
			WHERE user_id = $1 AND ($3 = '' OR client_id = $3) AND revoked_s = 0 AND absolute_until_s > $4 AND idle_until_s > $4
			ORDER BY id DESC LIMIT $5`, userID, fieldSeparator, clientID, seconds(now), most)
	})
	if err != nil {
		return nil, fmt.Errorf("list grants of a person: %w", err)
	}
	return list, nil
}

// ConsentsOf implements oauth.PersonStore.
func (o OAuth) ConsentsOf(ctx context.Context, userID string, most int) ([]oauth.Consent, error) {
	var list []oauth.Consent
	err := o.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		list = nil
		return q.each(ctx, func(scan func(...any) error) error {
			c, granted := oauth.Consent{UserID: userID}, int64(0)
			err := scan(&c.ClientID, &c.Scope, &c.Declined, &granted)
			c.GrantedAt = at(granted)
			list = append(list, c)
			return err
		}, `SELECT client_id, scope, declined, granted_s FROM consents WHERE user_id = $1 AND scope <> '' ORDER BY client_id LIMIT $2`, userID, most)
	})
	if err != nil {
		return nil, fmt.Errorf("list consents of a person: %w", err)
	}
	return list, nil
}

// EndSessionOf implements oauth.PersonStore.
func (o OAuth) EndSessionOf(ctx context.Context, userID string, id secret.ID, reason string, now, keep time.Time) (ended bool, err error) {
	err = o.s.write(ctx, "end session of a person", func(ctx context.Context, t *tx) error {
		var sid string
		err := row(ctx, t, []any{&sid}, `SELECT sid FROM sessions WHERE id = $1 AND user_id = $2`+t.forUpdate, id.String(), userID)
		if ended = err == nil; !ended {
			return ignoreNone(err)
		}
		_, err = o.s.endSessions(ctx, t, `sid`, sid, reason, now, keep)
		return err
	})
	return ended, err
}

// EndOtherSessions implements oauth.PersonStore.
func (o OAuth) EndOtherSessions(ctx context.Context, userID string, sid secret.ID, reason string, now, keep time.Time) (sessions int, err error) {
	err = o.s.write(ctx, "end other sessions of a person", func(ctx context.Context, t *tx) error {
		// The person is locked first: whoever signs in waits, and stays signed in.
		if _, err := t.exec(ctx, `UPDATE users SET disabled = disabled WHERE id = $1`, userID); err != nil {
			return err
		}
		sids, err := t.texts(ctx, `SELECT DISTINCT sid FROM sessions WHERE user_id = $1 AND sid <> $2 ORDER BY sid`, userID, sid.String())
		if err != nil {
			return err
		}
		sessions = len(sids)
		more, err := t.texts(ctx, `SELECT DISTINCT sid FROM grants WHERE user_id = $1 AND sid <> $2 AND revoked_s = 0 ORDER BY sid`, userID, sid.String())
		if err != nil {
			return err
		}
		for _, s := range more {
			if !slices.Contains(sids, s) {
				sids = append(sids, s)
			}
		}
		for _, s := range sids {
			if _, err := o.s.endSessions(ctx, t, `sid`, s, reason, now, keep); err != nil {
				return err
			}
		}
		return nil
	})
	return sessions, err
}

// EndGrantOf implements oauth.PersonStore.
func (o OAuth) EndGrantOf(ctx context.Context, userID string, id secret.ID, reason string, now, keep time.Time) (ended bool, err error) {
	err = o.s.write(ctx, "end grant of a person", func(ctx context.Context, t *tx) error {
		owner := ""
		err := row(ctx, t, []any{&owner}, `SELECT user_id FROM grants WHERE id = $1`, id.String()) // which never changes
		if err != nil || owner != userID {
			ended = false
			return ignoreNone(err)
		}
		entries, err := t.endGrants(ctx, `id = $3`, id.String(), reason, now, keep)
		if err != nil {
			return err
		}
		ended = len(entries) > 0
		return t.append(ctx, entries...)
	})
	return ended, err
}

// Withdraw implements oauth.PersonStore. The record stays for a while, so that it
// refuses the codes that were issued before.
func (o OAuth) Withdraw(ctx context.Context, userID, clientID string, scopes []string, reason string, now, keep time.Time) (changed int, err error) {
	if !storable(clientID) {
		return 0, nil
	}
	err = o.s.write(ctx, "withdraw consent", func(ctx context.Context, t *tx) error {
		// The person is locked first: a redemption waits, or is waited for.
		if _, err := t.exec(ctx, `UPDATE users SET disabled = disabled WHERE id = $1`, userID); err != nil {
			return err
		}
		narrowed, err := t.narrowConsent(ctx, userID, clientID, scopes, now)
		if err != nil {
			return err
		}
		ids, err := t.carrying(ctx, userID, clientID, scopes)
		if err != nil {
			return err
		}
		// A request of another device that was allowed has its scopes sealed away.
		if _, err := t.exec(ctx, `UPDATE asked SET state = 'denied' WHERE user_id = $1 AND client_id = $2 AND state = 'allowed'`, userID, clientID); err != nil {
			return err
		}
		var entries []revocation.Entry
		for _, id := range ids {
			list, err := t.endGrants(ctx, `id = $3`, id, reason, now, keep)
			if err != nil {
				return err
			}
			entries = append(entries, list...)
		}
		changed = int(narrowed) + len(entries)
		return t.append(ctx, entries...)
	})
	return changed, err
}

// narrowConsent takes scopes, or all, out of the record of what was agreed to.
func (t *tx) narrowConsent(ctx context.Context, userID, clientID string, scopes []string, now time.Time) (int64, error) {
	var before string
	err := row(ctx, t, []any{&before}, `SELECT scope FROM consents WHERE user_id = $1 AND client_id = $2`, userID, clientID)
	if err != nil {
		return 0, ignoreNone(err)
	}
	var left []string
	if len(scopes) > 0 {
		left = slices.DeleteFunc(strings.Fields(before), func(m string) bool { return slices.Contains(scopes, m) })
	}
	after := strings.Join(left, " ")
	if after == before {
		return 0, nil
	}
	return t.exec(ctx, `UPDATE consents SET scope = $3, declined = CASE WHEN $3 = '' THEN '' ELSE declined END,
			granted_s = CASE WHEN $3 = '' THEN $4 ELSE granted_s END WHERE user_id = $1 AND client_id = $2`, userID, clientID, after, seconds(now))
}

// carrying are the living grants of a client that have any of the scopes, or ask for
// claims by name, which scopes stand behind.
func (t *tx) carrying(ctx context.Context, userID, clientID string, scopes []string) ([]string, error) {
	var ids []string
	err := t.each(ctx, func(scan func(...any) error) error {
		var id, scope, text string
		if err := scan(&id, &scope, &text); err != nil {
			return err
		}
		terms, err := parseTerms(text)
		if err != nil {
			return fmt.Errorf("read grant %s: %w", id, err)
		}
		has := func(m string) bool { return slices.Contains(scopes, m) }
		if len(scopes) == 0 || len(terms.Claims) > 0 || slices.ContainsFunc(strings.Fields(scope), has) {
			ids = append(ids, id)
		}
		return nil
	}, `SELECT id, scope, terms FROM grants WHERE user_id = $1 AND client_id = $2 AND revoked_s = 0 ORDER BY id`, userID, clientID)
	return ids, err
}

// texts reads one column.
func (t *tx) texts(ctx context.Context, q string, args ...any) ([]string, error) {
	var list []string
	err := t.each(ctx, func(scan func(...any) error) error {
		var s string
		err := scan(&s)
		list = append(list, s)
		return err
	}, q, args...)
	return list, err
}
