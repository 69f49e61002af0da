package oauth

import (
	"encoding/json"
	"net/url"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// ToAsk is whom a notice is for who is asked for consent: with the ID of a person.
const ToAsk = "ask:"

// askByMail makes the mail that tells a person that something waits for them. What
// the client wrote is not in it: the page shows that, beside who the client is.
func (s *Service) askByMail(a *Authorization, row *Asked) ([]Notice, error) {
	body, err := json.Marshal(audit.Ask{
		App: a.client.DisplayName(), URL: s.issuer + CIBAPath + "?request=" + url.QueryEscape(row.ID.String()),
		Until: row.ExpiresAt.UTC().Truncate(time.Second),
	})
	if err != nil {
		return nil, unavailable("write mail", err)
	}
	return []Notice{{ID: secret.NewID(s.now()), To: ToAsk + row.UserID, Body: body}}, nil
}
