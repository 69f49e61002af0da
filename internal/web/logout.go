package web

import (
	"encoding/binary"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const (
	logoutLabel = oauth.LogoutLabel
	logoutLife  = 30 * time.Minute
)

// logoutView is what the pages around logout show.
type logoutView struct {
	frame
	Flow, CSRF  string
	App, Person string
}

// logout is the end_session_endpoint (OpenID Connect RP-Initiated Logout 1.0
// §2). Without proof that the app means the person who is signed in, the person
// is asked (RV11).
func (s *site) logout(w http.ResponseWriter, r *http.Request, p url.Values) error {
	flow := p.Get("flow")
	if flow != "" {
		var err error
		if p, err = s.openLogout(flow); err != nil {
			return err
		}
	}
	session, err := s.visitor(r)
	if err != nil {
		return err
	}
	view, err := s.oauth.Logout(r.Context(), p, session)
	if err != nil {
		return err
	}
	if !view.Confirm {
		return s.endSession(w, r, session, view)
	}
	if flow == "" {
		if flow, err = s.sealLogout(p); err != nil {
			return err
		}
	}
	csrf, err := s.formToken(w, r, logoutPath, flow)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", pagePolicy(view.Location))
	return s.render(w, http.StatusOK, pageLogout, logoutView{
		frame: s.frame("Sign out?", false), Flow: flow, CSRF: csrf, App: legible(view.ClientName), Person: legible(session.Username),
	})
}

// logoutPost takes our own form, which has a form token, or an app's request.
// An app's POST comes without our cookies, so it is sent on to a GET, which
// has them; what it said travels sealed, since it holds an ID token.
func (s *site) logoutPost(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if !p.Has("csrf") {
		p.Del("flow")
		flow, err := s.sealLogout(p)
		if err != nil {
			return err
		}
		return seeOther(w, s.local(logoutPath, flow))
	}
	if err := s.checkForm(r, logoutPath, p); err != nil {
		return err
	}
	asked, err := s.openLogout(p.Get("flow"))
	if err != nil {
		return err
	}
	session, err := s.visitor(r)
	if err != nil {
		return err
	}
	view, err := s.oauth.Logout(r.Context(), asked, session)
	if err != nil {
		return err
	}
	if view.Location == "" {
		view.Location = s.local(logoutPath, "") // says that nobody is signed in, and can be reloaded
	}
	return s.endSession(w, r, session, view)
}

// endSession ends the session of this browser, if there is one, and the one
// that the app's ID token is from, before it says so: a session that has timed
// out, or whose cookie is lost, still has grants.
func (s *site) endSession(w http.ResponseWriter, r *http.Request, session *oauth.Session, view oauth.LogoutView) error {
	var ended secret.ID
	if session != nil {
		ended = session.SID
		if err := s.oauth.EndSession(r.Context(), ended); err != nil {
			return err
		}
	}
	if !view.SID.IsZero() && view.SID != ended {
		if err := s.oauth.EndSession(r.Context(), view.SID); err != nil {
			return err
		}
	}
	if len(r.CookiesNamed(sessionCookie)) > 0 {
		dropCookie(w, sessionCookie)
	}
	if view.Location != "" {
		return seeOther(w, view.Location)
	}
	return s.render(w, http.StatusOK, pageSignedOut, logoutView{frame: s.frame("Signed out", false)})
}

// sealLogout makes the handle under which a logout request travels.
func (s *site) sealLogout(p url.Values) (string, error) {
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(logoutLife).Unix())) //nolint:gosec // after 1970
	flow, err := s.ring.Seal(secret.PendingSignIn, logoutLabel, append(plain, p.Encode()...))
	if err != nil {
		return "", err
	}
	if len(flow.Reveal()) > secret.MaxHandle {
		return "", bad("the request is too long")
	}
	return flow.Reveal(), nil
}

func (s *site) openLogout(flow string) (url.Values, error) {
	plain, err := s.ring.Open(secret.PendingSignIn, logoutLabel, flow)
	if err != nil || len(plain) < 8 {
		return nil, bad("this link is damaged; sign out again from the app")
	}
	if s.now().Unix() >= int64(binary.BigEndian.Uint64(plain)) { //nolint:gosec // we wrote it
		return nil, bad("this took too long; sign out again from the app")
	}
	return parse(string(plain[8:]))
}
