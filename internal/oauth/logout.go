package oauth

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// LogoutView is what a logout request leads to.
type LogoutView struct {
	Confirm    bool   // the person must be asked first
	ClientName string // who asks, if that is known for sure
	Location   string // where to send the browser afterwards; empty: the signed-out page
	// SIDs are what ends: nothing if nobody is known to be here. Beside the session
	// of this browser it is that of the ID token, if it is of the same person, who
	// may have signed in here again since.
	SIDs []secret.ID
}

var logoutParams = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales"}

// Logout reads a logout request (OpenID Connect RP-Initiated Logout 1.0 §2). who
// is the person of this browser's session, also of one that has timed out, or nil.
// Without an ID token of ours for that person, the person is asked; an ID token
// without the person's cookie ends nothing, since whoever has seen it could send
// it; and without an ID token of ours there is no redirect at all.
func (s *Service) Logout(ctx context.Context, params url.Values, who *Session) (LogoutView, error) {
	for _, name := range logoutParams {
		if len(params[name]) > 1 {
			return LogoutView{}, &PageError{InvalidRequest, name + " is repeated"}
		}
	}
	hint, perr := s.readHint(ctx, params.Get("id_token_hint"))
	if perr != nil {
		return LogoutView{}, perr
	}
	var view LogoutView
	if who != nil {
		view.SIDs = []secret.ID{who.SID}
	}
	if hint == nil {
		view.Confirm = who != nil
		return view, nil
	}
	if id := params.Get("client_id"); id != "" && id != hint.Audience {
		return LogoutView{}, &PageError{InvalidRequest, "client_id is not the one that id_token_hint was issued to"}
	}
	client, err := s.clientLeft(ctx, hint.Audience)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return LogoutView{}, unavailable("find client", err)
	}
	if who != nil {
		same := hint.Subject == who.UserID
		view.Confirm = !same
		if same && hint.SID != who.SID {
			view.SIDs = append(view.SIDs, hint.SID)
		}
	}
	if client == nil || client.Disabled { // who was shut out is sent nobody
		return view, nil
	}
	view.ClientName = client.DisplayName()
	if view.Location, err = afterLogout(client, params); err != nil {
		return LogoutView{}, err
	}
	return view, nil
}

// leaveWithin is how long somebody who signs out waits for the host of a client
// whose ID is an address.
const leaveWithin = 2 * time.Second

// clientLeft is the client that the person comes from. One that cannot be known in
// time counts as unknown: then there is no redirect, and signing out goes on.
func (s *Service) clientLeft(ctx context.Context, id string) (*Client, error) {
	c, err := s.clients.remembered(ctx, id)
	if !errors.Is(err, ErrNotFound) || !strings.HasPrefix(id, documentScheme) {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	if c, err = s.clients.get(ctx, id); err != nil {
		return nil, ErrNotFound
	}
	return c, nil
}

// afterLogout is where the client wants the browser to be sent (§3): exactly as
// it is registered.
func afterLogout(c *Client, params url.Values) (string, error) {
	uri, state := params.Get("post_logout_redirect_uri"), params.Get("state")
	if uri == "" {
		return "", nil
	}
	if !slices.Contains(c.PostLogoutRedirectURIs, uri) {
		return "", &PageError{InvalidRequest, "post_logout_redirect_uri is not registered for this client"}
	}
	if len(state) > maxState {
		return "", &PageError{InvalidRequest, "state is too long"}
	}
	if state == "" {
		return uri, nil
	}
	return withQuery(uri, url.Values{"state": {state}}), nil
}

// EndSession ends the sessions with this sid and every grant that came from
// them, and has the clients told that want to be (Back-Channel Logout). When it
// returns nil, this node already refuses their tokens. It returns the client_ids.
func (s *Service) EndSession(ctx context.Context, sid secret.ID) ([]string, error) {
	now := s.now()
	clients, err := s.store.EndSession(ctx, sid, token.ReasonLogout, now, token.KeepRevocation(now))
	if err != nil {
		return nil, unavailable("end session", err)
	}
	if err := s.applied(ctx); err != nil {
		return nil, err
	}
	note(ctx, audit.Event{Name: audit.SessionEnded})
	return clients, nil
}
