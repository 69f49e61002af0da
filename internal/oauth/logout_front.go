package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/secret"
)

// FrontChannel returns the address at which a client of an ended session wants a
// frame (OpenID Connect Front-Channel Logout 1.0 §2), with iss and sid, or "".
func (s *Service) FrontChannel(ctx context.Context, clientID string, sid secret.ID) (string, error) {
	c, err := s.clients.remembered(ctx, clientID) // nobody waits for the host of an app to be signed out
	if errors.Is(err, ErrNotFound) || err == nil && (c.Disabled || c.Settings.FrontChannelURI == "") {
		return "", nil
	}
	if err != nil {
		return "", unavailable("find client", err)
	}
	return withQuery(c.Settings.FrontChannelURI, url.Values{"iss": {s.issuer}, "sid": {s.sidFor(c, sid)}}), nil
}

// logoutProblem judges where a client wants to be told that a session has ended.
func (c *Client) logoutProblem() (setting, why string) {
	back, front := c.Settings.BackChannelURI, c.Settings.FrontChannelURI
	if c.Type == ServiceClient && (back != "" || front != "") {
		if back != "" {
			return "backchannel_logout_uri", "is for people, and a service client acts for itself"
		}
		return "frontchannel_logout_uri", "is for people, and a service client acts for itself"
	}
	if why := logoutURIProblem(back); why != "" {
		return "backchannel_logout_uri", why
	}
	if why := logoutURIProblem(front); why != "" {
		return "frontchannel_logout_uri", why
	}
	if front != "" && !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return origin(uri) == origin(front) }) {
		return "frontchannel_logout_uri", "must have scheme, host and port of one of the redirect URIs" // §2
	}
	return "", ""
}

const maxLogoutURI = 512

// logoutURIProblem accepts https addresses, and http ones on a loopback address,
// which are for development: others are never asked.
func logoutURIProblem(uri string) string {
	if uri == "" {
		return ""
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || len(uri) > maxLogoutURI || strings.ContainsAny(uri, "#;, \"'\\"):
		return fmt.Sprintf("%q is not an absolute address without a fragment", uri)
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost"):
		return ""
	}
	return fmt.Sprintf("%q is not an https address", uri)
}

// origin is scheme, host and port of an address.
func origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}
