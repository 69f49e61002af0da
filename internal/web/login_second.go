package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
)

// secondView is what the page shows on which somebody proves more than they have.
type secondView struct {
	frame
	App      string
	Flow     string
	CSRF     string
	Person   string
	Code     bool // by an authenticator app, or by mail
	Mailed   bool // by mail
	Recovery bool // by a recovery code, and this page asks for one
	Passkey  *passkeyForm
	Problem  string

	MayRecover bool // there are recovery codes, and this page asks for something else
}

// showSecond asks for a second factor: of somebody whose password was right, or of
// somebody who is signed in and wants what needs more.
func (s *site) showSecond(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	return s.second(w, r, a, p, http.StatusOK, "")
}

// second shows the page, or goes to where the sign-in can go on without it.
func (s *site) second(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, p url.Values, status int, problem string) error {
	v, err := s.visit(r, a, p)
	if err != nil {
		return err
	}
	user, ways, err := s.accounts.Underway(r.Context(), v)
	switch {
	case errors.Is(err, account.ErrTicket):
		return s.goOn(w, a, loginPath)
	case err != nil:
		return err
	case len(ways) == 0:
		return s.goOn(w, a, enrolPath)
	}
	csrf, err := s.formToken(w, r, secondPath, p.Get("flow"))
	if err != nil {
		return err
	}
	subject(r, user.ID)
	view := &secondView{
		frame: s.frame(r, s.language(r).Text("second.title"), problem != ""), App: legible(a.Client().DisplayName()), Flow: p.Get("flow"), CSRF: csrf,
		Person: legible(user.Username), Problem: problem,
	}
	if slices.Contains(ways, account.Passkey) && p.Get("recovery") == "" {
		if view.Passkey, err = s.passkeySignIn(w, r, secondPath, p.Get("flow"), user.ID); err != nil {
			return err
		}
	}
	view.Embedded = embedded(r) != ""
	recovery := slices.Contains(ways, account.Recovery)
	view.Recovery = recovery && p.Get("recovery") != ""
	view.MayRecover = recovery && !view.Recovery
	view.Mailed = slices.Contains(ways, account.Email)
	view.Code = (view.Mailed || slices.Contains(ways, account.TOTP)) && !view.Recovery
	w.Header().Set("Content-Security-Policy", scripted(pagePolicy(a.RedirectURI)))
	return s.render(w, status, pageSecond, view)
}

// secondCode takes a code of an authenticator app, or a recovery code.
func (s *site) secondCode(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	v, err := s.visit(r, a, p)
	if err != nil {
		return err
	}
	progress, err := s.accounts.WithCode(r.Context(), v, p.Get("code"))
	if errors.Is(err, account.ErrTicket) {
		return s.goOn(w, a, loginPath)
	}
	if err != nil {
		return s.secondFailed(w, r, a, p, err)
	}
	return s.advance(w, r, a, progress)
}

func (s *site) secondFailed(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, p url.Values, err error) error {
	l := s.language(r)
	switch {
	case errors.Is(err, account.ErrWrongCredentials):
		return s.second(w, r, a, p, http.StatusUnauthorized, l.Text("second.wrong"))
	case errors.Is(err, account.ErrCodesStopped):
		return s.second(w, r, a, p, http.StatusTooManyRequests, l.Text("second.stopped"))
	}
	if status, text := waiting(l, err); status != 0 {
		if status == http.StatusServiceUnavailable {
			setRetryAfter(w.Header(), busyFor)
		}
		retryAfter(w, err)
		return s.second(w, r, a, p, status, text)
	}
	return err
}

// enrolView is what the page shows on which somebody learns that they need a
// factor that they have not set up.
type enrolView struct {
	frame
	App    string
	Flow   string
	CSRF   string
	Person string
	Strong bool // only a passkey is enough
	Must   bool // no app gets anybody in without
}

// showEnrol says what is missing and where it is set up.
func (s *site) showEnrol(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, session, step, err := s.standing(r, p)
	if err != nil {
		return err
	}
	if step != oauth.StepStronger {
		return s.proceed(w, r, a, session)
	}
	csrf, err := s.formToken(w, r, enrolPath, p.Get("flow"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", pagePolicy(a.RedirectURI))
	return s.render(w, http.StatusOK, pageEnrol, &enrolView{
		frame: s.frame(r, s.language(r).Text("enrol.title"), false), App: legible(a.Client().DisplayName()), Flow: p.Get("flow"), CSRF: csrf,
		Person: legible(session.Username), Strong: s.oauth.OnlyPasskey(a),
	})
}

// enrol takes the answer of somebody who does not want to.
func (s *site) enrol(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, session, step, err := s.standing(r, p)
	if err != nil {
		return err
	}
	if step != oauth.StepStronger {
		return s.proceed(w, r, a, session)
	}
	return s.oauth.Unmet(r.Context(), a)
}
