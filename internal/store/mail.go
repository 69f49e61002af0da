package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// mailData is what of a code is never searched for.
type mailData struct {
	Nobody bool   `json:"nobody,omitempty"`
	Flow   string `json:"flow,omitempty"`
	Keep   bool   `json:"keep,omitempty"`
}

// StartMail implements account.MailStore.
func (a Account) StartMail(ctx context.Context, c account.MailCode, l account.Letter) error {
	return a.s.write(ctx, "start code by mail", func(ctx context.Context, t *tx) error {
		c := c // the transition may run again
		if _, err := t.exec(ctx, `DELETE FROM mail_codes WHERE browser = $1 AND purpose = $2`, c.Browser, string(c.Purpose)); err != nil {
			return err
		}
		if l.Kind != "" {
			n, err := t.letter(ctx, l)
			if err != nil {
				return err
			}
			if n == 0 { // a code that nobody got could only be guessed
				c.Nobody = true
			}
		}
		data, err := json.Marshal(mailData{c.Nobody, c.Flow, c.Keep})
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO mail_codes (id, purpose, user_id, address, digest, link, browser, data, tries, created_s, expires_s)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			c.ID.String(), string(c.Purpose), c.UserID, c.Address, hex.EncodeToString(c.Digest), hex.EncodeToString(c.Link[:]), c.Browser, string(data),
			c.Tries, seconds(c.CreatedAt), seconds(c.ExpiresAt))
		return err
	})
}

// MailOfBrowser implements account.MailStore.
func (a Account) MailOfBrowser(ctx context.Context, browser string, p account.MailPurpose, now time.Time) (account.MailCode, error) {
	return a.mail(ctx, `browser = $1 AND browser <> '' AND purpose = $2 AND expires_s > $3 ORDER BY id DESC LIMIT 1`, browser, string(p), seconds(now))
}

// MailByLink implements account.MailStore.
func (a Account) MailByLink(ctx context.Context, link secret.Hash, now time.Time) (account.MailCode, error) {
	return a.mail(ctx, `link = $1 AND expires_s > $2`, hex.EncodeToString(link[:]), seconds(now))
}

func (a Account) mail(ctx context.Context, where string, args ...any) (account.MailCode, error) {
	var c account.MailCode
	var id, purpose, digest, link, data string
	var created, expires int64
	err := a.s.one(ctx, "find code by mail", account.ErrNotFound,
		[]any{&id, &purpose, &c.UserID, &c.Address, &digest, &link, &c.Browser, &data, &c.Tries, &created, &expires},
		`SELECT id, purpose, user_id, address, digest, link, browser, data, tries, created_s, expires_s FROM mail_codes WHERE `+where, args...)
	if err != nil {
		return account.MailCode{}, err
	}
	var d mailData
	if err := json.Unmarshal([]byte(data), &d); err != nil {
		return account.MailCode{}, fmt.Errorf("code by mail %s: %w", id, err)
	}
	c.Purpose, c.Nobody, c.Flow, c.Keep, c.CreatedAt, c.ExpiresAt = account.MailPurpose(purpose), d.Nobody, d.Flow, d.Keep, at(created), at(expires)
	if c.Digest, err = hex.DecodeString(digest); err == nil {
		c.Link, err = parseHash(link)
	}
	if err == nil {
		c.ID, err = secret.ParseID(id)
	}
	if err != nil {
		return account.MailCode{}, fmt.Errorf("code by mail %s: %w", id, err)
	}
	return c, nil
}

// TryMail implements account.MailStore.
func (a Account) TryMail(ctx context.Context, id secret.ID, now time.Time) error {
	return a.s.write(ctx, "try code by mail", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, account.ErrNotFound, `UPDATE mail_codes SET tries = tries - 1 WHERE id = $1 AND tries > 0 AND expires_s > $2`, id.String(), seconds(now))
	})
}

// TakeMail implements account.MailStore.
func (a Account) TakeMail(ctx context.Context, id secret.ID) error {
	return a.s.write(ctx, "use code by mail", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, account.ErrNotFound, `DELETE FROM mail_codes WHERE id = $1`, id.String())
	})
}
