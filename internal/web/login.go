package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// loginView is what the login page shows.
type loginView struct {
	frame
	App      string
	Flow     string
	CSRF     string
	Username string // as the app suggested, never what was typed: people type passwords there
	Problem  string
	Passkey  *passkeyForm
	ByMail   bool // a code by mail is another way
	SignUp   bool
	Recover  bool
	MayKeep  bool // the person may stay signed in when the browser closes

	Elsewhere []elsewhereButton
}

func (s *site) showLogin(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, session, step, err := s.standing(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	if step != oauth.StepLogin && step != oauth.StepStronger {
		return s.proceed(w, r, a, session)
	}
	return s.loginPage(w, r, a, p.Get("flow"), http.StatusOK, "")
}

func (s *site) loginPage(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, flow string, status int, problem string) error {
	csrf, err := s.formToken(w, r, loginPath, flow)
	if err != nil {
		return err
	}
	elsewhere, err := s.buttons(w, r, flow)
	if err != nil {
		return err
	}
	passkey, err := s.passkeySignIn(w, r, loginPath, flow, "")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", scripted(pagePolicy(a.RedirectURI)))
	f := s.frame(r, s.language(r).Text("login.title"), problem != "")
	f.Embedded = embedded(r) != ""
	return s.render(w, status, pageLogin, &loginView{
		frame: f, App: legible(a.Client().DisplayName()), Flow: flow, CSRF: csrf,
		Username: legible(a.LoginHint), Problem: problem, Passkey: passkey, Elsewhere: elsewhere,
		ByMail: s.accounts.MaySignInByMail(), SignUp: s.accounts.SignUpMode() != account.SignUpOff, Recover: s.accounts.MayRecover(),
		MayKeep: s.sessionTier < token.TierHigh && (a.Elsewhere == nil || a.Elsewhere.Purpose == ""),
	})
}

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
	v, err := s.visit(r, a, p)
	if err != nil {
		return err
	}
	progress, err := s.accounts.SignIn(r.Context(), v, p.Get("username"), secret.New(p.Get("password")))
	if err != nil {
		return s.loginFailed(w, r, a, p.Get("flow"), err)
	}
	return s.advance(w, r, a, progress)
}

// advance goes on after somebody has proven something, whatever it was: to the
// next step of the sign-in, or signed in to what the request needs next.
func (s *site) advance(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, progress account.Progress) error {
	if !progress.Done() {
		setCookie(w, ticketCookie, progress.Ticket, 0)
		return s.goOn(w, a, secondPath)
	}
	now, err := s.signedIn(w, r, a, progress)
	if err != nil {
		return err
	}
	return s.proceed(w, r, a, now)
}

// signedIn gives the browser its new session, which a rests on from now on.
func (s *site) signedIn(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, progress account.Progress) (*oauth.Session, error) {
	if len(r.CookiesNamed(ticketCookie)) > 0 {
		dropCookie(w, ticketCookie)
	}
	s.giveSession(w, progress.Session, progress.Cookie)
	if err := s.keepBrowser(w, r); err != nil {
		return nil, err
	}
	now, err := s.named(r, progress.Session)
	if err != nil {
		return nil, err
	}
	a.LoggedIn(progress.Session.ID)
	return now, nil
}

// giveSession sets the cookie of a session for as long as the person wants to stay
// signed in.
func (s *site) giveSession(w http.ResponseWriter, session account.Session, cookie secret.Value) {
	life := time.Duration(0) // ends with the browser
	if session.Keep {
		life = session.AbsoluteUntil.Sub(s.now())
	}
	setCookie(w, sessionCookie, cookie, life)
}

// Every failed sign-in has the same words, status and page, whatever was wrong
// (AU05).
func (s *site) loginFailed(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, flow string, err error) error {
	l := s.language(r)
	switch {
	case errors.Is(err, account.ErrWrongCredentials):
		return s.loginPage(w, r, a, flow, http.StatusUnauthorized, l.Text("login.wrong"))
	}
	if status, text := waiting(l, err); status != 0 {
		if status == http.StatusServiceUnavailable {
			setRetryAfter(w.Header(), busyFor)
		}
		retryAfter(w, err)
		return s.loginPage(w, r, a, flow, status, text)
	}
	return err
}
