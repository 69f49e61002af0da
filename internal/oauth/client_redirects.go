package oauth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// SettingProblem is a setting that cannot be kept, by its registration name,
// its value, which may be anything, and why.
type SettingProblem struct{ Setting, Value, Why string }

// RedirectProblems judges the redirect URIs of a client from wherever it came
// (OAuth 2.1 §2.3, §8.4; RFC 8252 §7): all that is wrong with them.
func (c *Client) RedirectProblems() []SettingProblem {
	var list []SettingProblem
	for _, l := range []struct {
		name string
		uris []string
	}{{"redirect_uris", c.RedirectURIs}, {"post_logout_redirect_uris", c.PostLogoutRedirectURIs}} {
		for i, uri := range l.uris {
			if why := RedirectProblem(c.Type, uri); why != "" {
				list = append(list, SettingProblem{fmt.Sprintf("%s[%d]", l.name, i), uri, why})
			}
		}
	}
	if len(c.RedirectURIs) == 0 && c.needsRedirect() {
		list = append(list, SettingProblem{"redirect_uris", "", fmt.Sprintf("a %s client needs at least one", c.Type)})
	}
	return list
}

// needsRedirect reports whether people are sent back to the client: it may use
// the authorization code.
func (c *Client) needsRedirect() bool {
	return slices.Contains(forPeople, c.Type) &&
		(len(c.Settings.GrantTypes) == 0 || slices.Contains(c.Settings.GrantTypes, "authorization_code"))
}

// lessTrusted reports whether nobody of the operator's vouches for the client:
// it registered itself where everybody may, or its client_id is the address of
// its metadata. What it asks for is shown to a person, never bounced to its
// redirect URI before that person has signed in (OAuth 2.1 §7.13.2).
func (c *Client) lessTrusted() bool {
	return c.Origin == OriginRegistered || c.Origin == OriginDocument
}

// scripts are schemes that run or show what follows them.
var scripts = []string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem", "ws", "wss", "ftp", "intent"}

// RedirectProblem says why uri must not be registered for a client of type t,
// or nothing.
func RedirectProblem(t ClientType, uri string) string {
	if t == ServiceClient {
		return "is for people, and a service client acts for itself"
	}
	u, err := url.Parse(uri)
	scheme, _, _ := strings.Cut(uri, ":")
	switch {
	case len(uri) > maxRedirectURI || strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.ContainsAny(uri, `\"<>^{|}`+"`"):
		return "is too long or has characters that addresses do not have"
	case err != nil || u.Scheme == "":
		return "is not an absolute address"
	case strings.Contains(uri, "#"):
		return "has a fragment"
	case strings.Contains(uri, "*"):
		return "has a wildcard: list each address"
	case u.User != nil:
		return "has a user in it"
	case slices.Contains(scripts, u.Scheme):
		return "has a scheme that apps must not be called back with"
	case scheme != u.Scheme:
		return "has capital letters in its scheme"
	case u.Scheme == "https":
		return hostProblem(u)
	case u.Scheme == "http":
		return loopbackProblem(t, u)
	}
	return privateSchemeProblem(t, u)
}

func hostProblem(u *url.URL) string {
	if u.Hostname() == "" || u.Opaque != "" || u.Host != strings.ToLower(u.Host) {
		return "has no host, or one with capital letters"
	}
	return ""
}

// loopbackProblem: plain http never leaves the device, and "localhost" could
// be another one (RFC 8252 §7.3, §8.3).
func loopbackProblem(t ClientType, u *url.URL) string {
	switch {
	case t != Native:
		return "is http, which anybody on the way can read: use https"
	case u.Hostname() == "localhost":
		return "is http to localhost, which can be another machine: write 127.0.0.1 or [::1]"
	case u.Hostname() != "127.0.0.1" && u.Hostname() != "::1":
		return "is http to another machine, which anybody on the way can read: use https"
	}
	return ""
}

func privateSchemeProblem(t ClientType, u *url.URL) string {
	switch {
	case t != Native:
		return "has a scheme of its own, which only native apps have: use https"
	case !strings.Contains(u.Scheme, ".") || strings.HasPrefix(u.Scheme, ".") || strings.HasSuffix(u.Scheme, "."):
		return "has a scheme that any app could claim: begin with a domain of yours, reversed, as in com.example.app:/callback"
	case u.Opaque != "" || u.Path == "" && u.Host == "":
		return "has no path: write for example " + u.Scheme + ":/callback"
	}
	return ""
}
