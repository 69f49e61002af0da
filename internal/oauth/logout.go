package oauth

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// LogoutView is what a logout request leads to.
type LogoutView struct {
	Confirm    bool   // the person must be asked first
	ClientName string // who asks, if that is known for sure
	Location   string // where to send the browser afterwards; empty: the signed-out page
	// SID is that of the ID token that the request came with, to be ended too:
	// the session may have timed out while its grants live on.
	SID secret.ID
}

var logoutParams = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales"}

// Logout reads a logout request (OpenID Connect RP-Initiated Logout 1.0 §2).
// Without an ID token of ours for the person who is signed in, the person is
// asked, and without an ID token of ours there is no redirect at all.
func (s *Service) Logout(ctx context.Context, params url.Values, session *Session) (LogoutView, error) {
	for _, name := range logoutParams {
		if len(params[name]) > 1 {
			return LogoutView{}, &PageError{InvalidRequest, name + " is repeated"}
		}
	}
	hint, perr := s.readHint(ctx, params.Get("id_token_hint"))
	if perr != nil {
		return LogoutView{}, perr
	}
	view := LogoutView{Confirm: session != nil && (hint == nil || hint.Subject != session.UserID)}
	uri, state := params.Get("post_logout_redirect_uri"), params.Get("state")
	if hint == nil {
		return view, nil
	}
	view.SID = hint.SID
	if id := params.Get("client_id"); id != "" && id != hint.Audience {
		return LogoutView{}, &PageError{InvalidRequest, "client_id is not the one that id_token_hint was issued to"}
	}
	client, err := s.clients.get(ctx, hint.Audience)
	if errors.Is(err, ErrNotFound) {
		return view, nil
	}
	if err != nil {
		return LogoutView{}, unavailable("find client", err)
	}
	view.ClientName = client.DisplayName()
	if uri == "" {
		return view, nil
	}
	if !slices.Contains(client.PostLogoutRedirectURIs, uri) {
		return LogoutView{}, &PageError{InvalidRequest, "post_logout_redirect_uri is not registered for this client"}
	}
	if len(state) > maxState {
		return LogoutView{}, &PageError{InvalidRequest, "state is too long"}
	}
	view.Location = uri
	if state != "" {
		view.Location = withQuery(uri, url.Values{"state": {state}})
	}
	return view, nil
}

// EndSession ends the sessions with this sid and every grant that came from
// them. When it returns nil, this node already refuses their tokens.
func (s *Service) EndSession(ctx context.Context, sid secret.ID) error {
	now := s.now()
	if _, err := s.store.EndSession(ctx, sid, token.ReasonLogout, now, token.KeepRevocation(now)); err != nil {
		return unavailable("end session", err)
	}
	if err := s.applied(ctx); err != nil {
		return err
	}
	note(ctx, audit.Event{Name: audit.SessionEnded})
	return nil
}
