package web

import (
	"errors"
	"net/http"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// The cookies. The prefix makes browsers refuse them from another host, path
// or an insecure connection (RFC 6265bis §4.1.3.2).
const (
	sessionCookie = "__Host-sallyport"
	browserCookie = "__Host-sallyport-browser"
	ticketCookie  = "__Host-sallyport-ticket" // of a sign-in that is under way
)

// one returns the value of a cookie. More than one is an error: which of them
// is meant depends on the reader (G22).
func one(r *http.Request, name string) (secret.Value, error) {
	switch list := r.CookiesNamed(name); len(list) {
	case 0:
		return secret.Value{}, nil
	case 1:
		return secret.New(list[0].Value), nil
	}
	return secret.Value{}, bad("a cookie came twice; clear the cookies of this site")
}

// setCookie sets a cookie that no script sees and that other sites' requests
// carry only when they send the whole browser here. A zero lifetime ends with
// the browser.
func setCookie(w http.ResponseWriter, name string, value secret.Value, lifetime time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value.Reveal(), Path: "/", MaxAge: int(lifetime / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func dropCookie(w http.ResponseWriter, name string) { setCookie(w, name, secret.Value{}, -time.Second) }

// visitor is who is signed in, or nil for nobody.
func (s *site) visitor(r *http.Request) (*oauth.Session, error) {
	_, who, err := s.signedInHere(r)
	return who, err
}

// signedInHere is the session of this browser, as it is kept and as the protocol
// sees it; both nil for nobody, also if the person is gone or disabled.
func (s *site) signedInHere(r *http.Request) (*account.Session, *oauth.Session, error) {
	cookie, err := one(r, sessionCookie)
	if err != nil || cookie.IsZero() {
		return nil, nil, err
	}
	session, err := s.accounts.SessionOn(r.Context(), cookie, device(r))
	who, err := s.found(r)(session, err)
	if err != nil || who == nil {
		return nil, nil, err
	}
	return &session, who, nil
}

// formerVisitor is visitor that also knows who was signed in here until the
// session timed out. Such a person can be signed out, and nothing else.
func (s *site) formerVisitor(r *http.Request) (*oauth.Session, error) {
	cookie, err := one(r, sessionCookie)
	if err != nil || cookie.IsZero() {
		return nil, err
	}
	return s.found(r)(s.accounts.Former(r.Context(), cookie))
}

// device is what the browser calls itself, in our words.
func device(r *http.Request) string { return account.DeviceName(r.UserAgent()) }

func (s *site) found(r *http.Request) func(account.Session, error) (*oauth.Session, error) {
	return func(session account.Session, err error) (*oauth.Session, error) {
		if errors.Is(err, account.ErrNotFound) {
			return nil, nil //nolint:nilnil // nobody is no error
		}
		if err != nil {
			return nil, err
		}
		return s.named(r, session)
	}
}

func (s *site) named(r *http.Request, session account.Session) (*oauth.Session, error) {
	user, err := s.accounts.User(r.Context(), session.UserID)
	if errors.Is(err, account.ErrNotFound) || err == nil && user.Disabled {
		return nil, nil //nolint:nilnil // somebody who is no longer there
	}
	if err != nil {
		return nil, err
	}
	note := oauth.Session{
		ID: session.ID, SID: session.SID, UserID: session.UserID, Username: user.Username,
		ACR: session.ACR, AMR: session.AMR, AuthTime: session.AuthTime, Idle: session.Idle,
	}
	subject(r, session.UserID)
	return &note, nil
}
