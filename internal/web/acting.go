package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
)

// signedInAs is who is signed in, for a page of an account. Where nobody is, it
// sends the browser to sign in and back to the page, and done is true.
func (s *site) signedInAs(w http.ResponseWriter, r *http.Request) (session *account.Session, done bool, err error) {
	if done, err := s.turnedAway(w, r, ""); done {
		return nil, true, err
	}
	session, err = s.session(r)
	if err != nil || session != nil {
		return session, false, err
	}
	return nil, true, s.goOn(w, s.oauth.SignInFor(s.thisPage(r), ""), loginPath)
}

// acting is signedInAs for an act that the person signs in for, now and with the
// best that they have: a session alone, or a sign-in for something else, is not
// enough (AU15, AU20). The page is shown again afterwards; what a form had is lost.
func (s *site) acting(w http.ResponseWriter, r *http.Request, p url.Values, purpose string) (session *account.Session, done bool, err error) {
	if done, err := s.turnedAway(w, r, ""); done {
		return nil, true, err
	}
	session, err = s.session(r)
	if err != nil {
		return nil, true, err
	}
	if session != nil && (session.Allows(purpose, s.now()) || s.underEnrolment(r, p, session, purpose)) {
		return session, false, nil
	}
	return nil, true, s.goOn(w, s.oauth.SignInFor(s.thisPage(r), purpose), loginPath)
}

// underEnrolment reports whether the person has just signed in for a request that
// needs a factor which they have not got: that sign-in was for setting one up.
func (s *site) underEnrolment(r *http.Request, p url.Values, session *account.Session, purpose string) bool {
	if p.Get("flow") == "" || purpose != account.PurposeFactors {
		return false
	}
	a, who, step, err := s.standing(r, p)
	if err != nil || who == nil || step != oauth.StepStronger {
		return false
	}
	if a.LoginBy != session.ID || s.now().Sub(session.AuthTime) >= enrolWithin {
		return false
	}
	factors, err := s.accounts.Factors(r.Context(), session.UserID)
	return err == nil && factors.Passkeys+factors.Authenticators == 0
}

const enrolWithin = 5 * time.Minute

// session is who is signed in in this browser, or nil.
func (s *site) session(r *http.Request) (*account.Session, error) {
	session, _, err := s.signedInHere(r)
	return session, err
}

// thisPage is the address of a page of ours, to come back to: of a form, without
// what was in it.
func (s *site) thisPage(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.EscapedPath(), s.prefix)
	query := url.Values{}
	if flow := r.URL.Query().Get("flow"); r.Method == http.MethodGet && flow != "" {
		query.Set("flow", flow)
		return path + "?" + query.Encode()
	}
	return path
}
