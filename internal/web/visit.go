package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
)

// here is the browser that a request comes from, without anything that signs in:
// for what happens to an account.
func (s *site) here(r *http.Request) account.Visit {
	return account.Visit{Remote: remote(r), Device: device(r), Locale: s.language(r).Tag}
}

// guest is here with what the browser is known by.
func (s *site) guest(r *http.Request) (account.Visit, error) {
	v := s.here(r)
	var err error
	v.Browser, err = one(r, browserCookie)
	return v, err
}

// actingVisit is the visit of somebody who is signed in and acts on their account.
func (s *site) actingVisit(r *http.Request, session *account.Session) (account.Visit, error) {
	v, err := s.guest(r)
	v.Current = session
	return v, err
}

// visit is what a request says of the browser in which somebody signs in for a,
// and what that asks for. Every way of signing in starts with it.
func (s *site) visit(r *http.Request, a *oauth.Authorization, p url.Values) (account.Visit, error) {
	v, err := s.guest(r)
	if err != nil {
		return v, err
	}
	v.Demand = account.Demand{ACR: a.ACRNeeded, Tier: s.sessionTier, Keep: p.Get("keep") == "yes"}
	if a.Elsewhere != nil {
		v.Demand.Purpose = a.Elsewhere.Purpose
	}
	session, who, err := s.signedInHere(r)
	if err != nil {
		return v, err
	}
	if session != nil {
		if step, err := s.oauth.Next(r.Context(), a, who); err == nil && step == oauth.StepStronger {
			v.Current = session
		}
		if v.Demand.Purpose != "" { // the wish to stay signed in here is not asked again
			v.Demand.Keep = session.Keep
		}
	}
	if v.Ticket, err = one(r, ticketCookie); err != nil {
		return v, err
	}
	before, err := one(r, sessionCookie)
	if err != nil {
		return v, err
	}
	v.Previous, err = s.accounts.Previous(r.Context(), before)
	return v, err
}
