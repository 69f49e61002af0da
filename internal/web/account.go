package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/secret"
)

// accountView is what the first page of an account shows.
type accountView struct {
	accountFrame
	Person   string
	Name     string
	NoSecond bool // a password is all that keeps strangers out
	FewCodes bool // a lost device would shut the person out
	Sessions []sessionItem
	Events   []eventItem
	Apps     int
}

// showAccount is the first page of an account. It needs no app to come from.
func (s *site) showAccount(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	ctx, id := r.Context(), session.UserID
	user, err := s.accounts.User(ctx, id)
	if err != nil {
		return err
	}
	factors, err := s.accounts.Factors(ctx, id)
	if err != nil {
		return err
	}
	sessions, err := s.accounts.Sessions(ctx, id, secret.ID{})
	if err != nil {
		return err
	}
	events, err := s.accounts.Events(ctx, id)
	if err != nil {
		return err
	}
	apps, _, err := s.oauth.Apps(ctx, id)
	if err != nil {
		return err
	}
	v := accountView{Person: legible(user.Username), Name: legible(user.Name), Apps: len(apps)}
	if v.accountFrame, err = s.accountPage(w, r, p, "account", notices{}); err != nil {
		return err
	}
	v.NoSecond = factors.Passkeys+factors.Authenticators == 0
	v.FewCodes = !v.NoSecond && factors.Passkeys+factors.Authenticators == 1 && factors.RecoveryCodes == 0
	const latest = 3
	v.Sessions = sessionItems(v.Language, sessions[:min(latest, len(sessions))], session)
	v.Events = eventItems(v.Language, events[:min(latest, len(events))])
	return s.render(w, http.StatusOK, pageAccount, &v)
}
