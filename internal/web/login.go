package web

import (
	"errors"
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// sessionTier sets how long a person stays signed in at the issuer.
const sessionTier = token.TierStandard

// loginView is what the login page shows.
type loginView struct {
	frame
	App      string
	Flow     string
	CSRF     string
	Username string // as the app suggested, never what was typed: people type passwords there
	Problem  string
}

func (s *site) showLogin(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, session, step, err := s.standing(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	if step != oauth.StepLogin {
		return s.proceed(w, r, a, session)
	}
	return s.loginPage(w, r, a, p.Get("flow"), http.StatusOK, "")
}

func (s *site) loginPage(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, flow string, status int, problem string) error {
	csrf, err := s.formToken(w, r, loginPath, flow)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", pagePolicy(a.RedirectURI))
	f := s.frame("Sign in", problem != "")
	f.Embedded = embedded(r) != ""
	return s.render(w, status, pageLogin, loginView{
		frame: f, App: legible(a.Client().DisplayName()), Flow: flow, CSRF: csrf,
		Username: legible(a.LoginHint), Problem: problem,
	})
}

// Every failed sign-in has the same words, status and page, whatever was wrong
// (AU05).
const wrongCredentials = "That name and password do not belong together. Try again."

// login takes the login form. The session that the browser had before ends, and
// the new one has a new identifier (AU13).
func (s *site) login(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	before, err := one(r, sessionCookie)
	if err != nil {
		return err
	}
	previous, err := s.accounts.Previous(r.Context(), before)
	if err != nil {
		return err
	}
	session, cookie, err := s.accounts.SignIn(r.Context(), p.Get("username"), secret.New(p.Get("password")), remote(r), previous, sessionTier)
	if err != nil {
		return s.loginFailed(w, r, a, p.Get("flow"), err)
	}
	setCookie(w, sessionCookie, cookie, session.AbsoluteUntil.Sub(s.now()))
	now, err := s.named(r, session)
	if err != nil {
		return err
	}
	a.LoggedIn(session.ID)
	return s.proceed(w, r, a, now)
}

func (s *site) loginFailed(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, flow string, err error) error {
	var throttled *account.ThrottledError
	switch {
	case errors.Is(err, account.ErrWrongCredentials):
		return s.loginPage(w, r, a, flow, http.StatusUnauthorized, wrongCredentials)
	case errors.As(err, &throttled):
		setRetryAfter(w.Header(), throttled.RetryAfter)
		return s.loginPage(w, r, a, flow, http.StatusTooManyRequests, "Too many attempts. Wait "+inWords(throttled.RetryAfter)+" and try again.")
	case errors.Is(err, account.ErrBusy):
		setRetryAfter(w.Header(), busyFor)
		return s.loginPage(w, r, a, flow, http.StatusServiceUnavailable, "Many people are signing in right now. Try again in a moment.")
	}
	return err
}
