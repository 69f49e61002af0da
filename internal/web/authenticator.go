package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"sallyport/internal/account"
)

// authenticatorView is what the page of authenticator apps shows.
type authenticatorView struct {
	frame
	Flow    string
	CSRF    string
	Done    string
	Problem string
	List    []factorLine
	Full    bool // there are as many as may be
	Setting *setting
}

// factorLine is a factor that the person has.
type factorLine struct {
	ID, Name    string
	Added, Used string // Used is empty: never
}

// setting is an app that is being set up.
type setting struct {
	ID     string
	Name   string
	QR     picture
	Secret string
	URI    template.URL // opens an app on this device
}

// showAuthenticator shows the person's apps, and how one more is set up once they
// have asked for that. A secret is shown only to somebody who has just signed in
// for it (AU07).
func (s *site) showAuthenticator(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeFactors)
	if done || err != nil {
		return err
	}
	return s.authenticatorPage(w, r, p, session, http.StatusOK, "", "")
}

// authenticatorPage shows the page; name is what was typed for the new one.
func (s *site) authenticatorPage(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session, status int, problem, name string) error {
	l := s.language(r)
	csrf, err := s.formToken(w, r, authenticatorPath, p.Get("flow"))
	if err != nil {
		return err
	}
	list, err := s.accounts.Authenticators(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	v := authenticatorView{
		frame: s.frame(r, l.Text("authenticator.title"), problem != ""), Flow: p.Get("flow"), CSRF: csrf, Problem: problem, Full: len(list) >= account.MostAuthenticators,
		Done: notice(l, p, map[string]string{"added": "authenticator.done.added", "removed": "authenticator.done.removed"}),
	}
	v.Wide = true
	for _, a := range list {
		line := factorLine{ID: a.ID, Name: legible(a.Name), Added: l.Moment(a.ConfirmedAt)}
		if !a.LastUsed.IsZero() {
			line.Used = l.Moment(a.LastUsed)
		}
		v.List = append(v.List, line)
	}
	if v.Setting, err = s.settingUp(r, session, name); err != nil {
		return err
	}
	return s.render(w, status, pageAuthenticator, &v)
}

// settingUp is nil if no app waits for its first code.
func (s *site) settingUp(r *http.Request, session *account.Session, name string) (*setting, error) {
	e, err := s.accounts.Enrolment(r.Context(), session.UserID, s.authority)
	if errors.Is(err, account.ErrNotFound) {
		return nil, nil //nolint:nilnil // none is no error
	}
	if err != nil {
		return nil, err
	}
	qr, err := drawn(e.URI)
	if name == "" {
		name = s.language(r).Text("authenticator.default_name")
	}
	return &setting{ID: e.ID, Name: legible(name), QR: qr, Secret: e.Secret.Reveal(), URI: template.URL(e.URI.Reveal())}, err //nolint:gosec // ours, and escaped
}

// authenticator starts to set one up, takes its first code, or removes one.
func (s *site) authenticator(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeFactors)
	if done || err != nil {
		return err
	}
	switch p.Get("do") {
	case "start":
		err = s.accounts.StartAuthenticator(r.Context(), session.UserID)
	case "cancel":
		err = s.accounts.CancelAuthenticator(r.Context(), session.UserID)
	case "confirm":
		return s.confirmAuthenticator(w, r, p, session)
	case "remove":
		return s.removeAuthenticator(w, r, p, session)
	default:
		return errNoSuchAct
	}
	if errors.Is(err, account.ErrTooMany) {
		return s.authenticatorPage(w, r, p, session, http.StatusConflict, s.language(r).Text("authenticator.full", "n", account.MostAuthenticators), "")
	}
	if err != nil {
		return err
	}
	return seeOther(w, s.local(authenticatorPath, p.Get("flow")))
}

var errNoSuchAct = bad("this form asks for nothing that is done here")

// confirmAuthenticator takes the first code. Whoever had no second factor before
// gets recovery codes with it, at once: later is too late for a lost phone.
func (s *site) confirmAuthenticator(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session) error {
	l := s.language(r)
	before, err := s.accounts.Factors(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	err = s.accounts.ConfirmAuthenticator(r.Context(), s.here(r), session.UserID, p.Get("id"), p.Get("name"), p.Get("code"))
	var invalid *account.InvalidError
	switch {
	case errors.Is(err, account.ErrWrongCredentials):
		return s.authenticatorPage(w, r, p, session, http.StatusUnprocessableEntity, l.Text("authenticator.wrong"), p.Get("name"))
	case errors.As(err, &invalid):
		return s.authenticatorPage(w, r, p, session, http.StatusUnprocessableEntity, l.Text(invalid.Key(), "limit", invalid.Limit), p.Get("name"))
	case errors.Is(err, account.ErrTooMany):
		return s.authenticatorPage(w, r, p, session, http.StatusConflict, l.Text("authenticator.full", "n", account.MostAuthenticators), "")
	case errors.Is(err, account.ErrNotFound):
		return s.authenticatorPage(w, r, p, session, http.StatusConflict, l.Text("authenticator.expired"), "")
	case err != nil:
		return err
	}
	next, err := s.enrolled(w, r, p, account.TOTP)
	if err != nil {
		return err
	}
	if before.RecoveryCodes > 0 {
		if next == "" {
			next = s.prefix + authenticatorPath + "?done=added"
		}
		return seeOther(w, next)
	}
	return s.newRecoveryCodes(w, r, session.UserID, l.Text("authenticator.done.added"), next)
}

func (s *site) removeAuthenticator(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session) error {
	err := s.accounts.RemoveAuthenticator(r.Context(), s.here(r), *session, p.Get("id"))
	if errors.Is(err, account.ErrLastFactor) {
		return s.authenticatorPage(w, r, p, session, http.StatusConflict, s.language(r).Text("factor.last"), "")
	}
	if err != nil && !errors.Is(err, account.ErrNotFound) { // gone is what was wanted
		return err
	}
	return seeOther(w, s.prefix+authenticatorPath+"?done=removed")
}

// enrolled counts a method that was just proven in a set-up page towards the sign-in
// that the page was opened from, and returns where that goes on; empty: there is
// none.
func (s *site) enrolled(w http.ResponseWriter, r *http.Request, p url.Values, m account.Method) (next string, err error) {
	if p.Get("flow") == "" {
		return "", nil
	}
	a, _, _, err := s.standing(r, p)
	if err != nil {
		return "", err
	}
	v, err := s.visit(r, a, p)
	if err != nil {
		return "", err
	}
	next = s.local(loginPath, p.Get("flow"))
	if v.Current == nil {
		return next, nil
	}
	progress, err := s.accounts.Enrolled(r.Context(), v, m)
	if errors.Is(err, account.ErrTicket) {
		return next, nil
	}
	if err != nil {
		return "", err
	}
	page := secondPath
	if progress.Done() {
		page = loginPath // it knows what comes next
		if _, err := s.signedIn(w, r, a, progress); err != nil {
			return "", err
		}
	} else {
		setCookie(w, ticketCookie, progress.Ticket, 0)
	}
	flow, err := s.oauth.SealAuthorization(a)
	return s.local(page, flow.Reveal()), err
}
