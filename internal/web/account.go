package web

import (
	"net/http"
	"net/url"
)

// accountView is what the first page of an account shows.
type accountView struct {
	frame
	Person   string
	NoSecond bool // a password is all that keeps strangers out
}

// showAccount is the first page of an account. It needs no app to come from.
func (s *site) showAccount(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	user, err := s.accounts.User(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	factors, err := s.accounts.Factors(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	v := accountView{
		frame: s.frame(r, s.language(r).Text("account.title"), false), Person: legible(user.Username),
		NoSecond: factors.Passkeys+factors.Authenticators == 0,
	}
	v.Wide = true
	return s.render(w, http.StatusOK, pageAccount, &v)
}
