package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/notify"
	"sallyport/internal/revocation"
	"sallyport/internal/signals"
)

// exported is what people may take along: a name, where it is kept, and which
// columns. What is left out is a secret, a digest of one, or a name of ours.
var exported = []struct{ name, table, columns string }{
	{"profile", "users", "id, username, name, email, email_verified, disabled, created_s, locale"},
	{"addresses", "addresses", "address, created_s, verified_s"},
	{"passkeys", "passkeys", "name, backed_up, created_s, last_used_s"},
	{"authenticators", "authenticators", "name, created_s, confirmed_s, last_used_s"},
	{"recovery_codes", "recovery_codes", "created_s"},
	{"linked_accounts", "identities", "provider, subject, name, linked_s, last_used_s"},
	{"sessions", "sessions", "methods, acr, amr, tier, keep, device, place, provider, auth_time_s, created_s, last_seen_s, idle_until_s, absolute_until_s"},
	{"apps", "grants", "client_id, scope, audience, acr, amr, terms, device, place, auth_time_s, created_s, rotated_s, absolute_until_s, revoked_s, revoke_reason"},
	{"consents", "consents", "client_id, scope, declined, granted_s"},
	{"events", "user_events", "kind, device, place, detail, created_s"},
	{"known_browsers", "known_browsers", "device, place, first_s, last_s"},
}

// yesNo are the columns that are numbers and mean yes or no.
var yesNo = []string{"email_verified", "disabled", "backed_up", "keep"}

// mostExported bounds the rows of one table.
const mostExported = 10_000

// Export implements account.PersonalStore.
func (a Account) Export(ctx context.Context, userID string) (account.Personal, error) {
	if !storable(userID) {
		return nil, account.ErrNotFound
	}
	var p account.Personal
	// A transition, and not a read, sees one moment: the person is locked.
	err := a.s.write(ctx, "export a person", func(ctx context.Context, t *tx) error {
		p = account.Personal{}
		if err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET disabled = disabled WHERE id = $1`, userID); err != nil {
			return err
		}
		for _, x := range exported {
			key := "user_id"
			if x.table == "users" {
				key = "id"
			}
			columns := strings.Split(x.columns, ", ")
			p[x.name] = []map[string]any{}
			err := t.each(ctx, func(scan func(...any) error) error {
				record, err := readRecord(columns, scan)
				p[x.name] = append(p[x.name], record)
				return err
			}, `SELECT `+x.columns+` FROM `+x.table+` WHERE `+key+` = $1 ORDER BY `+columns[0]+` LIMIT $2`, userID, mostExported)
			if err != nil {
				return fmt.Errorf("%s: %w", x.table, err)
			}
		}
		return nil
	})
	return p, err
}

// readRecord reads a row of texts and numbers by name. Columns of seconds become
// times; those that are not set, and empty texts, are left out.
func readRecord(columns []string, scan func(...any) error) (map[string]any, error) {
	dest := make([]any, len(columns))
	for i := range dest {
		dest[i] = new(any)
	}
	if err := scan(dest...); err != nil {
		return nil, err
	}
	record := map[string]any{}
	for i, name := range columns {
		switch v := (*dest[i].(*any)).(type) {
		case int64:
			moment, isTime := strings.CutSuffix(name, "_s")
			switch {
			case isTime && v != 0:
				record[moment] = at(v).Format(time.RFC3339)
			case isTime:
			case slices.Contains(yesNo, name):
				record[name] = v != 0
			default:
				record[name] = v
			}
		case string:
			if v != "" {
				record[name] = v
			}
		case []byte:
			if len(v) > 0 {
				record[name] = string(v)
			}
		}
	}
	return record, nil
}

// SetName implements account.PersonalStore.
func (a Account) SetName(ctx context.Context, userID, name string) error {
	return a.s.write(ctx, "set name", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, account.ErrNotFound, `UPDATE users SET name = $2 WHERE id = $1`, userID, name)
	})
}

// DeleteUser implements account.Store. ErrNotFound for an unknown person.
func (a Account) DeleteUser(ctx context.Context, userID string, now, keep time.Time) error {
	return a.EraseUser(ctx, userID, nil, now, keep)
}

// EraseUser implements account.PersonalStore.
func (a Account) EraseUser(ctx context.Context, userID string, l *account.Letter, now, keep time.Time) error {
	return a.s.write(ctx, "delete user", func(ctx context.Context, t *tx) error {
		// The person is locked first, so that nothing new can refer to the row.
		if err := changed(ctx, t, account.ErrNotFound, `UPDATE users SET disabled = 1 WHERE id = $1`, userID); err != nil {
			return err
		}
		if err := t.lastLetter(ctx, userID, l); err != nil {
			return err
		}
		if err := a.s.endUser(ctx, t, userID, revocation.ReasonAdmin, now, keep); err != nil {
			return err
		}
		if err := a.s.signal(ctx, t, now, signals.Purged(userID, now)); err != nil {
			return err
		}
		for _, table := range ofPerson {
			if _, err := t.exec(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, userID); err != nil {
				return err
			}
		}
		_, err := t.exec(ctx, `DELETE FROM users WHERE id = $1`, userID)
		return err
	})
}

// lastLetter leaves one letter in the outbox, which no longer says whose it is.
func (t *tx) lastLetter(ctx context.Context, userID string, l *account.Letter) error {
	if _, err := t.exec(ctx, `DELETE FROM outbox WHERE recipient = $1`, notify.ToLetter+userID); err != nil {
		return err
	}
	if l == nil {
		return nil
	}
	last := *l
	last.UserID = userID
	if _, err := t.letter(ctx, last); err != nil {
		return err
	}
	_, err := t.exec(ctx, `UPDATE outbox SET recipient = $2 WHERE recipient = $1`, notify.ToLetter+userID, notify.ToLetter)
	return err
}
