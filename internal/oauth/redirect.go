package oauth

import "strings"

const maxRedirectURI = 2048

// matchRedirect compares by exact string (OAuth 2.1 §2.3.1). Only the port may
// differ, and only where the registered URI is http on a loopback IP literal
// (RFC 8252 §7.3). No URI is parsed, so no two readers can disagree on it.
func matchRedirect(c *Client, uri string) bool {
	if uri == "" || len(uri) > maxRedirectURI || strings.Contains(uri, "#") {
		return false
	}
	for _, registered := range c.RedirectURIs {
		if uri == registered {
			return true
		}
		if c.Type == Native && matchLoopback(registered, uri) {
			return true
		}
	}
	return false
}

func matchLoopback(registered, uri string) bool {
	for _, origin := range []string{"http://127.0.0.1", "http://[::1]"} {
		want, ok := strings.CutPrefix(registered, origin)
		if !ok {
			continue
		}
		got, ok := strings.CutPrefix(uri, origin)
		if !ok {
			continue
		}
		wantRest, ok1 := cutPort(want)
		gotRest, ok2 := cutPort(got)
		return ok1 && ok2 && wantRest == gotRest
	}
	return false
}

// cutPort removes a leading ":" and one to five digits, if there are any. What
// follows the authority must be a path, a query or nothing.
func cutPort(s string) (rest string, ok bool) {
	if after, has := strings.CutPrefix(s, ":"); has {
		n := 0
		for n < len(after) && after[n] >= '0' && after[n] <= '9' {
			n++
		}
		if n == 0 || n > 5 {
			return "", false
		}
		s = after[n:]
	}
	return s, s == "" || s[0] == '/' || s[0] == '?'
}
