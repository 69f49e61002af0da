package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/oauth"
)

// backchannelAuthentication is the backchannel authentication endpoint (CIBA Core §7).
func (s *site) backchannelAuthentication(w http.ResponseWriter, r *http.Request, p url.Values) error {
	return s.guardClient(w, r, p, func(req oauth.Request) error {
		res, err := s.oauth.BackchannelAuthentication(r.Context(), req)
		if err != nil {
			return err
		}
		if res.Nonce != "" {
			w.Header().Set("DPoP-Nonce", res.Nonce)
		}
		writeJSON(w, r, http.StatusOK, res.AppendJSON(make([]byte, 0, 256)))
		return nil
	})
}

// waitingView lists what waits for whoever is signed in.
type waitingView struct {
	frame
	Person string
	List   []waitingItem
}

type waitingItem struct {
	Address string
	App     string
	Message string
	Ago     string
}

// waiting is where people find what clients have asked of them. A mail leads to
// one request; whoever opens it has to be, or to sign in as, whom it is for.
func (s *site) waiting(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if done, err := s.turnedAway(w, r, ""); done { // no app is known yet
		return err
	}
	session, err := s.visitor(r)
	if err != nil {
		return err
	}
	if id := p.Get("request"); id != "" {
		a, err := s.oauth.OpenWaiting(r.Context(), id)
		if err != nil {
			return err
		}
		client(r, a.ClientID)
		return s.proceed(w, r, a, session)
	}
	if session == nil {
		return s.goOn(w, s.oauth.SignInFor(cibaPath, ""), loginPath)
	}
	list, err := s.oauth.Waiting(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	return s.render(w, http.StatusOK, pageWaiting, s.waitingOf(r, session, list))
}

func (s *site) waitingOf(r *http.Request, session *oauth.Session, list []oauth.WaitingView) *waitingView {
	v := waitingView{frame: s.frame(r, s.language(r).Text("waiting.title"), false), Person: legible(session.Username)}
	for _, x := range list {
		v.List = append(v.List, waitingItem{
			Address: s.prefix + cibaPath + "?request=" + url.QueryEscape(x.ID), App: legible(x.ClientName), Message: legible(x.Message),
			Ago: v.Span(max(1, s.now().Sub(x.AskedAt))),
		})
	}
	return &v
}
