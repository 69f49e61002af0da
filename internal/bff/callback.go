package bff

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// callback ends a sign-in: the answer must be for a sign-in of this browser, from
// this issuer (RFC 9207 §2.4), and is used once. The session gets an ID that
// nobody has seen before.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	pageHeaders(w.Header())
	if !isVisit(r) {
		refuse(w, r, notAVisit, "sign_in_not_a_visit")
		return
	}
	f, q, why := a.answered(w, r)
	if why != "" {
		refusePage(w, r, http.StatusBadRequest, why, a.Path+"/login")
		return
	}
	t, err := a.Client.Redeem(r.Context(), secret.New(q.Get("code")), a.redirectURI, secret.New(f.Verifier))
	switch {
	case errors.Is(err, ErrEnded):
		refusePage(w, r, http.StatusBadRequest, "sign_in_code", a.Path+"/login")
		return
	case err != nil:
		fault(r, err)
		refusePage(w, r, http.StatusServiceUnavailable, "sign_in_unavailable", a.Path+"/login")
		return
	}
	if !secret.New(t.claim("nonce")).Equal(secret.New(f.Nonce)) {
		_ = a.Client.Revoke(r.Context(), t.Refresh) // somebody else's: nobody keeps it
		refusePage(w, r, http.StatusBadRequest, "sign_in_nonce", a.Path+"/login")
		return
	}
	cookie, life, err := a.open(r.Context(), r, t)
	if err != nil {
		fault(r, err)
		refusePage(w, r, http.StatusServiceUnavailable, "sign_in_unavailable", a.Path+"/login")
		return
	}
	audit.FromContext(r.Context()).Add(audit.Event{Name: audit.BrowserSignedIn, Client: a.ClientID, Subject: t.claim("sub"), Grant: t.Grant.String()})
	setCookie(w, a.cookie, cookie, life, http.SameSiteStrictMode)
	arrive(w, f.ReturnTo)
}

// answered checks an authorization response, or says what is wrong with it. Its
// sign-in is over either way, but for one that is not this browser's.
func (a *app) answered(w http.ResponseWriter, r *http.Request) (flow, url.Values, string) {
	q, ok := once(r.URL.RawQuery)
	if !ok {
		return flow{}, nil, "sign_in_malformed"
	}
	f, err := a.recall(r, q.Get("state"))
	if err != nil {
		return flow{}, nil, "sign_in_other_browser"
	}
	dropCookie(w, a.flowCookie(f.State), http.SameSiteLaxMode)
	switch {
	case q.Get("iss") != a.Issuer:
		return flow{}, nil, "sign_in_issuer"
	case q.Get("error") == "access_denied":
		return flow{}, nil, "sign_in_denied"
	case q.Has("error"):
		return flow{}, nil, "sign_in_error"
	case q.Get("code") == "":
		return flow{}, nil, "sign_in_malformed"
	}
	return f, q, ""
}

// open stores a new session and returns its cookie. The session that this browser
// had ends, and what it was given.
func (a *app) open(ctx context.Context, r *http.Request, t Tokens) (secret.Value, time.Duration, error) {
	now := a.Now().UTC().Truncate(time.Second)
	id, cookie := newCookie(now)
	kept := a.keep(&t)
	sealed, err := a.seal(id, kept)
	if err != nil {
		return secret.Value{}, 0, err
	}
	before, found := a.former(ctx, r)
	until := now.Add(a.absolute)
	s := Session{
		ID: id, Hash: cookie.Hash(), App: a.Name, GrantID: t.Grant, Tokens: sealed, Version: 1,
		CreatedAt: now, LastSeen: now, IdleUntil: a.idleUntil(now, until), AbsoluteUntil: until,
	}
	replaces := secret.ID{}
	if found {
		replaces = before.row.ID
	}
	if err := a.Store.AddBrowserSession(ctx, s, replaces); err != nil {
		_ = a.Client.Revoke(ctx, t.Refresh) // nobody has it
		return secret.Value{}, 0, err
	}
	if found {
		a.Memory.drop(before.row.Hash)
		if err := a.Client.Revoke(ctx, before.kept.Refresh()); err != nil {
			fault(r, err) // it is used by nobody any more, and ends by itself
		}
	}
	return cookie, a.absolute, nil
}

func (a *app) idleUntil(now, absolute time.Time) time.Time {
	if idle := now.Add(a.idle); idle.Before(absolute) {
		return idle
	}
	return absolute
}
