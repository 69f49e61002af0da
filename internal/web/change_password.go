package web

import (
	"errors"
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// passwordView is what the page shows on which people change their password.
type passwordView struct {
	frame
	CSRF     string
	Username string // for password managers
	Problem  string
	Limit    int  // characters that it needs
	Has      bool // there is one
}

func (s *site) showPassword(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposePassword)
	if done || err != nil {
		return err
	}
	return s.passwordPage(w, r, session, http.StatusOK, "")
}

func (s *site) passwordPage(w http.ResponseWriter, r *http.Request, session *account.Session, status int, problem string) error {
	csrf, err := s.formToken(w, r, passwordPath, "")
	if err != nil {
		return err
	}
	user, err := s.accounts.User(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	limit, err := s.accounts.PasswordLimit(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	v := passwordView{
		frame: s.frame(r, s.language(r).Text("password.title"), problem != ""), CSRF: csrf, Username: user.Username, Problem: problem, Limit: limit,
		Has: user.PasswordHash != "",
	}
	v.Wide = true
	return s.render(w, status, pagePassword, &v)
}

// changePassword sets a new password. The old one is not asked for: the person has
// proven it, or something better, within five minutes (AU15).
func (s *site) changePassword(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposePassword)
	if done || err != nil {
		return err
	}
	l := s.language(r)
	if p.Get("new_password") != p.Get("repeat") {
		return s.passwordPage(w, r, session, http.StatusUnprocessableEntity, l.Text("password.differ"))
	}
	next, cookie, err := s.accounts.ChangePassword(r.Context(), s.here(r), *session, secret.New(p.Get("new_password")))
	var invalid *account.InvalidError
	switch {
	case errors.As(err, &invalid):
		return s.passwordPage(w, r, session, http.StatusUnprocessableEntity, l.Text(invalid.Key(), "limit", invalid.Limit))
	case errors.Is(err, account.ErrBusy):
		setRetryAfter(w.Header(), busyFor)
		return s.passwordPage(w, r, session, http.StatusServiceUnavailable, l.Text("login.busy"))
	case errors.Is(err, account.ErrNotFound): // something has changed meanwhile: once more, from the sign-in on
		return seeOther(w, s.prefix+passwordPath)
	case err != nil:
		return err
	}
	s.giveSession(w, next, cookie)
	return seeOther(w, s.prefix+securityPath+"?done=password")
}
