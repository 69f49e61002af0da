package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
	"sallyport/internal/token"
)

const grantColumns = `id, client_id, user_id, sid, scope, audience, acr, amr, auth_time_s, nonce, created_s, refreshable,
	generation, salt, rotated_s, idle_until_s, absolute_until_s, revoked_s, revoke_reason, confirmation, confirmed_from, terms, device, place`

// RedeemCode implements oauth.Store. The code also counts for nothing, and the
// error is oauth.ErrStale, if its person is gone or disabled, the session has
// ended, or the client has been disabled or removed since it was issued.
func (o OAuth) RedeemCode(ctx context.Context, g oauth.Grant) error {
	if strings.Contains(g.ClientID+g.UserID+g.Scope+g.Audience+g.ACR+g.AMR, fieldSeparator) {
		return errors.New("redeem code: a field of the grant has the field separator")
	}
	return o.s.write(ctx, "redeem code", func(ctx context.Context, t *tx) error {
		// The rows that it depends on are locked first, the grant comes last: a
		// transition that ends one of them waits, and then finds the grant.
		alive, err := mayStart(ctx, t, &g, true)
		if err != nil {
			return err
		}
		if !alive {
			known := 0
			err := row(ctx, t, []any{&known}, `SELECT count(*) FROM grants WHERE id = $1`, g.ID.String())
			if err == nil && known == 0 {
				return oauth.ErrStale
			}
			return cmp.Or(err, oauth.ErrExists)
		}
		return t.insertGrant(ctx, &g)
	})
}

// insertGrant returns oauth.ErrExists if the ID is taken.
func (t *tx) insertGrant(ctx context.Context, g *oauth.Grant) error {
	terms, err := termsText(&g.Terms)
	if err != nil {
		return err
	}
	return changed(ctx, t, oauth.ErrExists, `INSERT INTO grants (`+grantColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) ON CONFLICT DO NOTHING`,
		g.ID.String(), g.ClientID, g.UserID, g.SID.String(), g.Scope, g.Audience, g.ACR, g.AMR, seconds(g.AuthTime), g.Nonce,
		seconds(g.CreatedAt), number(g.Refreshable), int64(g.Generation), hex.EncodeToString(g.Salt), seconds(g.RotatedAt),
		seconds(g.IdleUntil), seconds(g.AbsoluteUntil), seconds(g.RevokedAt), g.RevokeReason,
		confirmationText(g.Confirm), int64(g.ConfirmedFrom), terms, g.Device, g.Place)
}

// mayStart reports whether everything that the grant stands on is alive, and
// keeps it so until the commit. It fills in where the grant is made. The consent
// is read after the person is locked, which whoever withdraws one locks, too; with
// byConsent, where there is a record of it, it has to cover the scope.
func mayStart(ctx context.Context, t *tx, g *oauth.Grant, byConsent bool) (bool, error) {
	var disabled, until, idle int64
	var agreed string
	err := row(ctx, t, []any{&disabled}, `SELECT disabled FROM users WHERE id = $1`+t.forShare, g.UserID)
	if err != nil || disabled != 0 {
		return false, ignoreNone(err)
	}
	err = row(ctx, t, []any{&until, &idle, &g.Device, &g.Place, &agreed}, `SELECT absolute_until_s, idle_until_s, device, place,
		coalesce((SELECT scope FROM consents WHERE user_id = $2 AND client_id = $3), $4) FROM sessions WHERE sid = $1 AND user_id = $2
		ORDER BY idle_until_s DESC LIMIT 1`+t.forShare,
		g.SID.String(), g.UserID, g.ClientID, neverAsked)
	if now := seconds(g.CreatedAt); err != nil || until <= now || idle <= now {
		return false, ignoreNone(err)
	}
	if byConsent && agreed != neverAsked && !agreesTo(agreed, g) {
		return false, nil
	}
	if g.ClientEpoch.IsZero() {
		return true, nil // a code of a release in which clients of the configuration had none
	}
	var epoch string
	err = row(ctx, t, []any{&disabled, &epoch}, `SELECT disabled, epoch FROM clients WHERE id = $1`+t.forShare, g.ClientID)
	if err == nil && epoch == g.ClientEpoch.String() {
		return disabled == 0, nil
	}
	if err = ignoreNone(err); err != nil {
		return false, err
	}
	// A client that was ended since the code was issued has another epoch, stored
	// or in the configuration. The one of the configuration may hide a stored one.
	err = row(ctx, t, []any{&epoch}, `SELECT epoch FROM config_clients WHERE id = $1`+t.forShare, g.ClientID)
	return err == nil && epoch == g.ClientEpoch.String(), ignoreNone(err)
}

// neverAsked stands for a consent that is not recorded; no scope is written so.
const neverAsked = " "

// agreesTo reports whether what is agreed to covers the scopes of a grant.
func agreesTo(agreed string, g *oauth.Grant) bool {
	if agreed == g.Scope { // as with most
		return true
	}
	for scope := range strings.SplitSeq(g.Scope, " ") {
		if scope != "" && !slices.Contains(strings.Fields(agreed), scope) {
			return false
		}
	}
	return true
}

func ignoreNone(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// grantFields are read as one text: a driver spends more on each column than
// the database on the row. Nothing in them has the separator but the nonce,
// which a client chose, so that comes last.
const grantFields = `concat_ws($2, client_id, user_id, sid, scope, audience, acr, amr, auth_time_s, created_s, refreshable,
	generation, salt, rotated_s, idle_until_s, absolute_until_s, revoked_s, revoke_reason,
	confirmation, confirmed_from, terms, nonce)`

const (
	fieldSeparator  = "\x1f"
	grantFieldCount = 21
)

// Grant implements oauth.Store.
func (o OAuth) Grant(ctx context.Context, id secret.ID) (oauth.Grant, error) {
	var text string
	err := o.s.one(ctx, "find grant", oauth.ErrNotFound, []any{&text}, `SELECT `+grantFields+` FROM grants WHERE id = $1`, id.String(), fieldSeparator)
	if err != nil {
		return oauth.Grant{}, err
	}
	g, err := parseGrant(strings.SplitN(text, fieldSeparator, grantFieldCount))
	if err != nil {
		return oauth.Grant{}, fmt.Errorf("read grant %s: %w", id, err)
	}
	g.ID = id
	return g, nil
}

func parseGrant(f []string) (oauth.Grant, error) {
	if len(f) != grantFieldCount {
		return oauth.Grant{}, fmt.Errorf("the row has %d fields", len(f))
	}
	g := oauth.Grant{
		ClientID: f[0], UserID: f[1], Scope: f[3], Audience: f[4], ACR: f[5], AMR: f[6], Refreshable: f[9] != "0",
		RevokeReason: f[16], Nonce: f[20],
	}
	var err error
	if g.Confirm, err = parseConfirmation(f[17]); err != nil {
		return oauth.Grant{}, err
	}
	from, err := strconv.ParseUint(f[18], 10, 32)
	if err != nil {
		return oauth.Grant{}, err
	}
	g.ConfirmedFrom = uint32(from)
	if g.Terms, err = parseTerms(f[19]); err != nil {
		return oauth.Grant{}, err
	}
	if g.SID, err = secret.ParseID(f[2]); err != nil {
		return oauth.Grant{}, err
	}
	if g.Salt, err = hex.DecodeString(f[11]); err != nil {
		return oauth.Grant{}, err
	}
	generation, err := strconv.ParseUint(f[10], 10, 32)
	if err != nil {
		return oauth.Grant{}, err
	}
	g.Generation = uint32(generation)
	for _, t := range [...]struct {
		field int
		into  *time.Time
	}{{7, &g.AuthTime}, {8, &g.CreatedAt}, {12, &g.RotatedAt}, {13, &g.IdleUntil}, {14, &g.AbsoluteUntil}, {15, &g.RevokedAt}} {
		n, err := strconv.ParseInt(f[t.field], 10, 64)
		if err != nil {
			return oauth.Grant{}, err
		}
		*t.into = at(n)
	}
	return g, nil
}

// RotateRefresh implements oauth.Store. Alive means not revoked and before
// both ends.
func (o OAuth) RotateRefresh(ctx context.Context, id secret.ID, from uint32, now, idleUntil time.Time) error {
	return o.s.write(ctx, "rotate refresh token", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, oauth.ErrStale, `UPDATE grants SET generation = generation + 1, rotated_s = $3, idle_until_s = $4
			WHERE id = $1 AND generation = $2 AND revoked_s = 0 AND idle_until_s > $3 AND absolute_until_s > $3`,
			id.String(), int64(from), seconds(now), seconds(idleUntil))
	})
}

// BindRefresh implements oauth.Store.
func (o OAuth) BindRefresh(ctx context.Context, id secret.ID, from uint32, to token.Confirmation, now, idleUntil time.Time) error {
	if to.Method == token.ConfirmNone {
		return errors.New("bind refresh token: there is no key")
	}
	return o.s.write(ctx, "bind refresh token", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, oauth.ErrStale, `UPDATE grants SET generation = generation + 1, rotated_s = $3, idle_until_s = $4,
				confirmation = $5, confirmed_from = generation + 1
			WHERE id = $1 AND generation = $2 AND confirmation = '' AND revoked_s = 0 AND idle_until_s > $3 AND absolute_until_s > $3`,
			id.String(), int64(from), seconds(now), seconds(idleUntil), confirmationText(to))
	})
}

// KeepRefresh implements oauth.Store.
func (o OAuth) KeepRefresh(ctx context.Context, id secret.ID, at uint32, now, idleUntil time.Time) error {
	return o.s.write(ctx, "keep refresh token", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, oauth.ErrStale, `UPDATE grants SET idle_until_s = $4
			WHERE id = $1 AND generation = $2 AND revoked_s = 0 AND idle_until_s > $3 AND absolute_until_s > $3`,
			id.String(), int64(at), seconds(now), seconds(idleUntil))
	})
}

// RevokeGrant implements oauth.Store. A grant that is not there is ended, too.
func (o OAuth) RevokeGrant(ctx context.Context, id secret.ID, reason string, now, keep time.Time) error {
	return o.s.write(ctx, "revoke grant", func(ctx context.Context, t *tx) error {
		return t.revokeGrants(ctx, `id = $3`, id.String(), reason, now, keep)
	})
}

// EndSession implements oauth.Store.
func (o OAuth) EndSession(ctx context.Context, sid secret.ID, reason string, now, keep time.Time) (clients []string, err error) {
	err = o.s.write(ctx, "end session", func(ctx context.Context, t *tx) error {
		clients, err = o.s.endSessions(ctx, t, `sid`, sid.String(), reason, now, keep)
		return err
	})
	return clients, err
}

// EndUser implements oauth.Store.
func (o OAuth) EndUser(ctx context.Context, userID, reason string, now, keep time.Time) error {
	return o.s.write(ctx, "end sessions of a person", func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `UPDATE users SET disabled = disabled WHERE id = $1`, userID); err != nil {
			return err
		}
		return o.s.endUser(ctx, t, userID, reason, now, keep)
	})
}

// endSessions ends the sessions and grants whose column is arg, and tells the feed
// and the clients. It returns the clients of those sessions that were not over.
func (s *Store) endSessions(ctx context.Context, t *tx, column, arg, reason string, now, keep time.Time) ([]string, error) {
	var sids []string
	var events []signals.Event
	ended := func(scan func(...any) error) error {
		var sid, userID string
		err := scan(&sid, &userID)
		if err != nil || slices.Contains(sids, sid) {
			return err
		}
		sids = append(sids, sid)
		id, err := secret.ParseID(sid)
		events = append(events, signals.Ended(userID, id, reason, now))
		return err
	}
	// The session goes first: its row is what a redemption holds on to.
	if err := t.each(ctx, ended, `DELETE FROM sessions WHERE `+column+` = $1 RETURNING sid, user_id`, arg); err != nil {
		return nil, err
	}
	if err := t.each(ctx, ended, `SELECT DISTINCT sid, user_id FROM grants WHERE revoked_s = 0 AND `+column+` = $1`, arg); err != nil {
		return nil, err
	}
	if column == `user_id` {
		events = signals.EndedAll(arg, reason, now)
	}
	if err := s.signal(ctx, t, now, events...); err != nil {
		return nil, err
	}
	if err := t.revokeGrants(ctx, column+` = $3`, arg, reason, now, keep); err != nil {
		return nil, err
	}
	return s.farewell(ctx, t, sids, now)
}

// revokeGrants ends the living grants that where selects by its $3, and tells
// the feed of each.
func (t *tx) revokeGrants(ctx context.Context, where, arg, reason string, now, keep time.Time) error {
	entries, err := t.endGrants(ctx, where, arg, reason, now, keep)
	if err != nil {
		return err
	}
	return t.append(ctx, entries...)
}

// endGrants is revokeGrants that leaves telling the feed to the caller.
func (t *tx) endGrants(ctx context.Context, where, arg, reason string, now, keep time.Time) ([]revocation.Entry, error) {
	var entries []revocation.Entry
	err := t.each(ctx, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		entries = append(entries, entry(revocation.Grant, id, reason, keep))
		return err
	}, `UPDATE grants SET revoked_s = $1, revoke_reason = $2 WHERE revoked_s = 0 AND `+where+` RETURNING id`, seconds(now), reason, arg)
	return entries, err
}

// RevokeSerial implements oauth.Store. Ending it twice adds nothing.
func (o OAuth) RevokeSerial(ctx context.Context, serial secret.ID, reason string, _, keep time.Time) error {
	return o.s.write(ctx, "revoke access token", func(ctx context.Context, t *tx) error {
		known := 0
		err := row(ctx, t, []any{&known}, `SELECT count(*) FROM feed WHERE kind = 'serial' AND id = $1`, serial.String())
		if err != nil || known > 0 {
			return err
		}
		return t.append(ctx, entry(revocation.Serial, serial.String(), reason, keep))
	})
}

// Consent implements oauth.Store.
func (o OAuth) Consent(ctx context.Context, userID, clientID string) (oauth.Consent, error) {
	c := oauth.Consent{UserID: userID, ClientID: clientID}
	if !storable(userID) || !storable(clientID) {
		return oauth.Consent{}, fmt.Errorf("find consent: %w", oauth.ErrNotFound)
	}
	var granted int64
	err := o.s.one(ctx, "find consent", oauth.ErrNotFound, []any{&c.Scope, &c.Declined, &granted},
		`SELECT scope, declined, granted_s FROM consents WHERE user_id = $1 AND client_id = $2`, userID, clientID)
	if err != nil {
		return oauth.Consent{}, err
	}
	c.GrantedAt = at(granted)
	return c, nil
}

// SaveConsent implements oauth.Store. Of an unknown person it returns
// oauth.ErrNotFound.
func (o OAuth) SaveConsent(ctx context.Context, c oauth.Consent) error {
	return o.s.write(ctx, "save consent", func(ctx context.Context, t *tx) error {
		var disabled int64
		err := row(ctx, t, []any{&disabled}, `SELECT disabled FROM users WHERE id = $1`+t.forShare, c.UserID)
		if errors.Is(err, sql.ErrNoRows) {
			return oauth.ErrNotFound
		}
		if err != nil {
			return err
		}
		n, err := t.exec(ctx, `INSERT INTO consents (user_id, client_id, scope, declined, granted_s) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT DO NOTHING`, c.UserID, c.ClientID, c.Scope, c.Declined, seconds(c.GrantedAt))
		if err != nil || n > 0 {
			return err
		}
		var scope, declined string
		err = row(ctx, t, []any{&scope, &declined}, `SELECT scope, declined FROM consents WHERE user_id = $1 AND client_id = $2`+t.forUpdate, c.UserID, c.ClientID)
		if err = ignoreNone(err); err != nil { // one that was withdrawn may have gone
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO consents (user_id, client_id, scope, declined, granted_s) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, declined = excluded.declined, granted_s = excluded.granted_s`,
			c.UserID, c.ClientID, merged(scope, c.Scope, c.Declined), merged(declined, c.Declined, c.Scope), seconds(c.GrantedAt))
		return err
	})
}

// merged is a list of scopes with those of more and without those of less.
func merged(list, more, less string) string {
	all := strings.Fields(list)
	for _, m := range strings.Fields(more) {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	gone := strings.Fields(less)
	return strings.Join(slices.DeleteFunc(all, func(m string) bool { return slices.Contains(gone, m) }), " ")
}
