package web

import (
	"errors"
	"net/http"
	"net/url"

	"sallyport/internal/oauth"
)

// authorize is the authorization endpoint (OAuth 2.1 §4.1.1). A pending request
// travels sealed in the address and in hidden fields; nothing is kept here, so
// there is nothing that a flood could fill (AZ24).
func (s *site) authorize(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if done, err := s.turnedAway(w, r, p.Get("client_id")); done {
		return err
	}
	a, err := s.oauth.Authorize(r.Context(), p)
	if err != nil {
		if back := (*oauth.RedirectError)(nil); errors.As(err, &back) { // then the client is known
			client(r, p.Get("client_id"))
		}
		return err
	}
	client(r, a.ClientID)
	wishes(r).UILocales = a.UILocales
	if r.Method == http.MethodPost {
		// Another site's POST comes without our cookies; a redirect to a page of
		// ours brings them, and who is signed in is seen there.
		return s.goOn(w, a, consentPath)
	}
	session, err := s.visitor(r)
	if err != nil {
		return err
	}
	return s.proceed(w, r, a, session)
}

// proceed goes to what the request needs next.
func (s *site) proceed(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, session *oauth.Session) error {
	step, err := s.oauth.Next(r.Context(), a, session)
	if err != nil {
		return err
	}
	switch step {
	case oauth.StepLogin:
		return s.goOn(w, a, loginPath)
	case oauth.StepStronger:
		return s.goOn(w, a, secondPath)
	case oauth.StepConsent:
		return s.goOn(w, a, consentPath)
	case oauth.StepApprove:
	}
	outcome, err := s.oauth.Approve(r.Context(), a, session)
	if err != nil {
		return err
	}
	return s.end(w, r, outcome)
}

// end sends the browser to where an authorization ends.
func (s *site) end(w http.ResponseWriter, r *http.Request, o oauth.Outcome) error {
	if o.Post != nil {
		return s.formPost(w, r, o.Post)
	}
	if o.Done != "" {
		return s.done(w, r, o.Done)
	}
	return seeOther(w, o.Location)
}

func (s *site) goOn(w http.ResponseWriter, a *oauth.Authorization, page string) error {
	flow, err := s.oauth.SealAuthorization(a)
	if err != nil {
		return err
	}
	return seeOther(w, s.local(page, flow.Reveal()))
}

// standing is the request that a page is about, who is signed in, and what the
// request needs next.
func (s *site) standing(r *http.Request, p url.Values) (*oauth.Authorization, *oauth.Session, oauth.Step, error) {
	a, err := s.pending(r, p)
	if err != nil {
		return nil, nil, 0, err
	}
	session, err := s.visitor(r)
	if err != nil {
		return nil, nil, 0, err
	}
	step, err := s.oauth.Next(r.Context(), a, session)
	return a, session, step, err
}

// pending opens the request that a page is about.
func (s *site) pending(r *http.Request, p url.Values) (*oauth.Authorization, error) {
	if p.Get("flow") == "" {
		return nil, bad("this page belongs to a sign-in that an app has started; start again from the app")
	}
	a, err := s.oauth.OpenAuthorization(r.Context(), p.Get("flow"))
	if err != nil {
		return nil, err
	}
	client(r, a.ClientID)
	wishes(r).UILocales = a.UILocales
	return a, nil
}
