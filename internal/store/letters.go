package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/notify"
	"sallyport/internal/secret"
)

// WriteLetter implements account.LetterStore.
func (a Account) WriteLetter(ctx context.Context, l account.Letter) error {
	return a.s.write(ctx, "write letter", func(ctx context.Context, t *tx) error {
		_, err := t.letter(ctx, l)
		return err
	})
}

// letter puts a letter into the outbox as part of a transition, and says to how many
// addresses: none is no error.
func (t *tx) letter(ctx context.Context, l account.Letter) (written int, err error) {
	to, err := t.addressees(ctx, &l)
	if err != nil {
		return 0, err
	}
	for i, address := range to {
		room, err := t.roomFor(ctx, &l, address)
		if err != nil {
			return 0, err
		}
		if !room {
			continue
		}
		body, err := json.Marshal(audit.Letter{
			ID: l.ID(), Address: address, Kind: l.Kind, Locale: l.Locale, Params: l.Params, Sealed: l.Sealed(), At: l.At(), Until: l.Until,
		})
		if err != nil {
			return 0, fmt.Errorf("write letter: %w", err)
		}
		_, err = t.exec(ctx, `INSERT INTO outbox (id, recipient, address, body, created_s, due_s, claimed_s, attempts) VALUES ($1, $2, $3, $4, $5, $5, 0, 0)`,
			fmt.Sprintf("%s.%d", l.ID(), i), notify.ToLetter+l.UserID, notify.AddressKey(address), string(body), seconds(l.At()))
		if err != nil {
			return 0, fmt.Errorf("put a letter into the outbox: %w", err)
		}
		written++
	}
	return written, nil
}

// addressees are where a letter goes to. It also finds the language of the person.
func (t *tx) addressees(ctx context.Context, l *account.Letter) ([]string, error) {
	if l.UserID == "" {
		return []string{l.Address}, nil
	}
	var email, locale string
	var verified int64
	err := row(ctx, t, []any{&email, &verified, &locale}, `SELECT email, email_verified, locale FROM users WHERE id = $1`, l.UserID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if locale != "" {
		l.Locale = locale
	}
	if l.Address != "" {
		return []string{l.Address}, nil
	}
	var list []string
	if email != "" && verified != 0 {
		list = append(list, email)
	}
	err = t.each(ctx, func(scan func(...any) error) error {
		var address string
		err := scan(&address)
		if !slices.ContainsFunc(list, func(have string) bool { return strings.EqualFold(have, address) }) {
			list = append(list, address)
		}
		return err
	}, `SELECT address FROM addresses WHERE user_id = $1 AND verified_s > 0 ORDER BY folded`, l.UserID)
	return list, err
}

// roomFor counts a letter to an address in this hour. The count is of all nodes.
func (t *tx) roomFor(ctx context.Context, l *account.Letter, address string) (bool, error) {
	class, most := "letter ", account.LettersAnHour
	if l.Asked {
		class, most = "asked ", account.AskedAnHour
	}
	mark := secret.New(class + strings.ToLower(address)).Hash()
	hour := l.At().Truncate(time.Hour)
	n, err := t.exec(ctx, `INSERT INTO letter_counts (mark, hour_s, n) VALUES ($1, $2, 1)
		ON CONFLICT (mark, hour_s) DO UPDATE SET n = letter_counts.n + 1 WHERE letter_counts.n < $3`, hex.EncodeToString(mark[:]), seconds(hour), most)
	return n > 0, err
}
