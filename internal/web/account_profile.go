package web

import (
	"errors"
	"net/http"
	"net/url"

	"sallyport/internal/account"
)

const profilePath = accountPath + "/profile"

// profileView is where people change what they are called.
type profileView struct {
	accountFrame
	Person  string
	Name    string
	Email   string
	Problem string
}

var profileDone = notices{"profile.done.", []string{"name"}}

func (s *site) showProfile(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	return s.profilePage(w, r, p, session, "")
}

func (s *site) profilePage(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session, problem string) error {
	user, err := s.accounts.User(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	v := profileView{Person: legible(user.Username), Name: user.Name, Email: legible(user.Email), Problem: problem}
	if v.accountFrame, err = s.accountPage(w, r, p, "profile", profileDone); err != nil {
		return err
	}
	status := http.StatusOK
	if v.Failed = problem != ""; v.Failed {
		v.Name, status = p.Get("name"), http.StatusUnprocessableEntity
	}
	return s.render(w, status, pageProfile, &v)
}

func (s *site) changeProfile(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	if p.Get("do") != "name" {
		return errAccountForm
	}
	err = s.accounts.SetName(r.Context(), session.UserID, p.Get("name"))
	var invalid *account.InvalidError
	if errors.As(err, &invalid) {
		return s.profilePage(w, r, p, session, s.language(r).Text(invalid.Key(), "limit", invalid.Limit))
	}
	if err != nil {
		return err
	}
	return s.back(w, r, "name")
}
