package web

import (
	"encoding/binary"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// logoutLife is how long a person may think about signing out.
const logoutLife = 30 * time.Minute

// logoutView is what the page shows that asks.
type logoutView struct {
	frame
	Flow, CSRF  string
	App, Person string
}

// logout is the end_session_endpoint (OpenID Connect RP-Initiated Logout 1.0
// §2). Without proof that the app means the person who is signed in, and of a
// request that the browser makes for anything but a page, the person is asked
// (RV11).
func (s *site) logout(w http.ResponseWriter, r *http.Request, p url.Values) error {
	flow := p.Get("flow")
	if flow != "" {
		var err error
		if p, err = s.openLogout(oauth.LogoutLabel, flow); err != nil {
			return err
		}
	}
	who, err := s.formerVisitor(r)
	if err != nil {
		return err
	}
	view, err := s.oauth.Logout(r.Context(), p, who)
	if err != nil {
		return err
	}
	if who == nil || !view.Confirm && navigated(r) {
		return s.endSession(w, r, view, http.StatusOK)
	}
	if flow == "" {
		if flow, err = s.sealLogout(oauth.LogoutLabel, p); err != nil {
			return err
		}
	}
	wishes(r).flow = flow
	csrf, err := s.formToken(w, r, logoutPath, flow)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", pagePolicy(view.Location))
	return s.render(w, http.StatusOK, pageLogout, &logoutView{
		frame: s.frame(r, s.language(r).Text("logout.title"), false), Flow: flow, CSRF: csrf, App: legible(view.ClientName), Person: legible(who.Username),
	})
}

// navigated reports whether the browser asks for a page to show by itself. An
// image or a frame of a page on the same site would bring our cookie, too. A
// browser that does not say (before 2023) is believed.
func navigated(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "" || dest == "document"
}

// logoutPost takes our own form, which has a form token, or an app's request.
// An app's POST comes without our cookies, so it is sent on to a GET, which
// has them; what it said travels sealed, since it holds an ID token.
func (s *site) logoutPost(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if !p.Has("csrf") {
		p.Del("flow")
		flow, err := s.sealLogout(oauth.LogoutLabel, p)
		if err != nil {
			return err
		}
		return seeOther(w, s.local(logoutPath, flow))
	}
	if err := s.checkForm(r, logoutPath, p); err != nil {
		return err
	}
	asked, err := s.openLogout(oauth.LogoutLabel, p.Get("flow"))
	if err != nil {
		return err
	}
	who, err := s.formerVisitor(r)
	if err != nil {
		return err
	}
	view, err := s.oauth.Logout(r.Context(), asked, who)
	if err != nil {
		return err
	}
	return s.endSession(w, r, view, http.StatusSeeOther)
}

// maxFrames bounds the apps that are signed out in frames at a time.
const maxFrames = 20

// endSession ends what the request may end before it says so, and forgets the
// browser. done is the status of an answer that leads nowhere else: 200 is the
// page itself, 303 leads to it, so that it can be loaded again.
func (s *site) endSession(w http.ResponseWriter, r *http.Request, view oauth.LogoutView, done int) error {
	after := url.Values{}
	for _, sid := range view.SIDs {
		clients, err := s.oauth.EndSession(r.Context(), sid)
		if err != nil {
			return err
		}
		for _, clientID := range clients {
			uri, err := s.oauth.FrontChannel(r.Context(), clientID, sid)
			if err != nil {
				return err
			}
			if uri != "" && len(after["frame"]) < maxFrames {
				after.Add("frame", sid.String()+" "+clientID)
			}
		}
	}
	if len(r.CookiesNamed(sessionCookie)) > 0 {
		dropCookie(w, sessionCookie)
	}
	if len(view.SIDs) > 0 {
		// Not "cookies": browsers clear those of all hosts of the domain.
		w.Header().Set("Clear-Site-Data", `"storage"`)
	}
	switch {
	case after.Has("frame"):
		after.Set("to", view.Location)
		flow, err := s.sealLogout(oauth.SignedOutLabel, after)
		if err != nil {
			return err
		}
		return seeOther(w, s.local(signedOutPath, flow))
	case view.Location != "":
		return seeOther(w, view.Location)
	case done == http.StatusSeeOther:
		return seeOther(w, s.local(logoutPath, ""))
	}
	return s.render(w, done, pageSignedOut, &signedOutView{frame: s.frame(r, s.language(r).Text("signed_out.title"), false)})
}

// sealLogout makes the handle under which a logout request, or what is left to do
// after it, travels.
func (s *site) sealLogout(label string, p url.Values) (string, error) {
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(logoutLife).Unix())) //nolint:gosec // after 1970
	flow, err := s.ring.Seal(secret.PendingSignIn, label, append(plain, p.Encode()...))
	if err != nil {
		return "", err
	}
	if len(flow.Reveal()) > secret.MaxHandle {
		return "", bad("the request is too long")
	}
	return flow.Reveal(), nil
}

func (s *site) openLogout(label, flow string) (url.Values, error) {
	plain, err := s.ring.Open(secret.PendingSignIn, label, flow)
	if err != nil || len(plain) < 8 {
		return nil, bad("this link is damaged; sign out again from the app")
	}
	if s.now().Unix() >= int64(binary.BigEndian.Uint64(plain)) { //nolint:gosec // we wrote it
		return nil, bad("this took too long; sign out again from the app")
	}
	return parse(string(plain[8:]))
}
