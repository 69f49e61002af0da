package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// cleanMeaning judges the headers of an answer by what they say. What is left
// leads nowhere but to the API itself and to where its configuration allows.
func (c *call) cleanMeaning(res *http.Response) refusal {
	h := res.Header
	if lines, there := h["Location"]; there {
		to, ok := c.outward(lines)
		switch {
		case ok:
			h["Location"] = []string{to}
		case redirects(res.StatusCode):
			return refusal{problem: badGateway, reason: "redirect_elsewhere"}
		default:
			delete(h, "Location")
		}
	}
	if lines, there := h["Content-Location"]; there {
		if to, ok := c.outward(lines); ok {
			h["Content-Location"] = []string{to}
		} else {
			delete(h, "Content-Location")
		}
	}
	if c.api.backend.Cookies {
		c.cleanCookies(h)
	}
	c.tame(h)
	return handled
}

// redirects reports whether a client goes where Location says by itself. 201 and
// 202 only tell.
func redirects(status int) bool { return status >= 300 && status < 400 }

// outward is the address at the gateway of what the upstream calls by lines,
// one of its own addresses or one of its configured origins. Others are not ok.
func (c *call) outward(lines []string) (to string, ok bool) {
	if len(lines) != 1 || lines[0] == "" || len(lines[0]) > maxTarget {
		return "", false
	}
	raw := lines[0]
	for i := range len(raw) {
		// Browsers read a backslash as a slash, and skip control characters.
		if b := raw[i]; b <= 0x20 || b >= 0x7f || b == '\\' {
			return "", false
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" {
		return "", false
	}
	if u.Host != "" || u.Scheme != "" {
		switch origin := strings.ToLower(u.Scheme + "://" + u.Host); {
		case strings.EqualFold(u.Host, c.api.backend.host) && (u.Scheme == "http" || u.Scheme == "https"): // itself
		case slices.Contains(c.api.backend.Redirects, origin):
			return raw, true
		case c.isHere(origin) && c.api.holds(u.EscapedPath()):
			return raw, true
		default:
			return "", false
		}
	}
	at := (&url.URL{Path: c.api.base + c.rest}).ResolveReference(u)
	path := at.EscapedPath()
	switch {
	case path == "" && u.RawQuery == "" && u.Fragment != "":
		return "#" + u.EscapedFragment(), true
	case path == "" || path[0] != '/' || strings.HasPrefix(path, "//") || checkPath(path) != "":
		return "", false
	}
	if to, ok = c.api.outside(path); !ok {
		return "", false
	}
	if at.RawQuery != "" || at.ForceQuery {
		to += "?" + at.RawQuery
	}
	if at.Fragment != "" {
		to += "#" + at.EscapedFragment()
	}
	return to, true
}

// outside is the path at the gateway of a path of the upstream. A backend that
// knows its place at the gateway may have said it already.
func (api *route) outside(path string) (string, bool) {
	inside, found := strings.CutPrefix(path, api.base)
	found = found && (inside == "" || inside[0] == '/')
	knows := api.prefix != "" && api.holds(path) && !strings.HasPrefix(api.base+"/", api.prefix+"/")
	switch {
	case knows:
		return path, true
	case !found:
		return "", false
	case api.prefix+inside == "":
		return "/", true
	}
	return api.prefix + inside, true
}

// holds reports whether a path at the gateway is one of the API.
func (api *route) holds(path string) bool {
	rest, found := strings.CutPrefix(path, api.prefix)
	return found && (rest == "" || rest[0] == '/')
}

// isHere reports whether clients reach the API at origin.
func (c *call) isHere(origin string) bool {
	return slices.ContainsFunc(c.api.external, func(e external) bool { return origin == e.origin || origin == e.origin+e.port })
}

// cleanCookies takes the cookies that are not for this host alone, and those
// that could be taken for ours: all of ours have the prefix __Host-.
func (c *call) cleanCookies(h http.Header) {
	kept := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		cookie, err := http.ParseSetCookie(line)
		if err == nil && cookie.Domain == "" && !isOurs(cookie.Name) {
			kept = append(kept, line)
		}
	}
	if delete(h, "Set-Cookie"); len(kept) > 0 {
		h["Set-Cookie"] = kept
	}
}

// isOurs reports whether a cookie's name is one that only the gateway may set.
// Browsers fold the case of prefixes, and a name may be empty with the prefix in
// the value.
func isOurs(name string) bool { return strings.HasPrefix(name, "__") || strings.TrimSpace(name) == "" }

// backendCookies are the cookies of the request that a backend has set.
func backendCookies(lines []string) []string {
	var kept []string
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			if name, _, found := strings.Cut(pair, "="); found && !isOurs(name) {
				kept = append(kept, pair)
			}
		}
	}
	if kept == nil {
		return nil
	}
	return []string{strings.Join(kept, "; ")}
}

// tame keeps answers from acting on the gateway's host, where the issuer's pages
// are too: nothing is sniffed, and what a browser would show as a page runs
// without an origin. A fetch is not concerned.
func (c *call) tame(h http.Header) {
	h["X-Content-Type-Options"] = noSniff
	if isDocument(h["Content-Type"]) && !c.api.backend.drop.except["Content-Security-Policy"] {
		h["Content-Security-Policy"] = append([]string{"sandbox"}, h["Content-Security-Policy"]...)
	}
}

var noSniff = []string{"nosniff"}

// isDocument reports whether a browser that is sent to such an answer runs what
// is in it.
func isDocument(lines []string) bool {
	if len(lines) != 1 {
		return len(lines) > 1
	}
	kind, _, _ := strings.Cut(lines[0], ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "text/html" || strings.HasSuffix(kind, "xml") || strings.HasPrefix(kind, "multipart/") || strings.HasSuffix(kind, "pdf")
}
