package gateway

import (
	"net/http"
	"slices"
	"strings"
)

// allowOrigin notes the origin of a browser app that the API serves. Exactly
// one Origin header, compared whole: no patterns, no reflection, and "null",
// which any sandboxed page can have, is never in the list.
func (c *call) allowOrigin() {
	if lines := c.r.Header["Origin"]; len(lines) == 1 && c.api.origins[lines[0]] {
		c.origin = lines[0]
	}
}

// setCORS sets the headers of the Fetch standard §3.2. Access-Control-Allow-
// Credentials is never sent: the credential is a header that the app sets.
func (c *call) setCORS(h http.Header) {
	if c.api == nil || len(c.api.origins) == 0 {
		return
	}
	if !slices.Contains(h["Vary"], "Origin") { // an answer that is given again has it
		h.Add("Vary", "Origin")
	}
	if c.origin != "" {
		h.Set("Access-Control-Allow-Origin", c.origin)
		h.Set("Access-Control-Expose-Headers", c.api.backend.expose)
	}
}

// preflight answers the question of a browser before a call. Any other OPTIONS
// is a method like others, and no operation has it.
func (c *call) preflight() refusal {
	allow := c.api.allowed(c.rest)
	if len(allow) == 0 {
		return probed
	}
	asked := c.r.Header["Access-Control-Request-Method"]
	switch {
	case len(asked) != 1 || len(c.api.origins) == 0 || c.r.Header["Origin"] == nil:
		return refusal{problem: wrongMethod, reason: "unlisted_method", allow: strings.Join(allow, ", ")}
	case c.origin == "":
		return refusal{problem: wrongOrigin, reason: "origin"}
	}
	c.note()
	h := c.w.Header()
	c.setCORS(h)
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", strings.Join(allow, ", "))
	if names := sendable(c.r.Header["Access-Control-Request-Headers"]); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	h.Set("Access-Control-Max-Age", c.api.backend.preflight)
	c.w.WriteHeader(http.StatusNoContent)
	return handled
}

// sendable lists those of the asked header names that the gateway would not
// drop, and those of the credential: Authorization and DPoP.
func sendable(lines []string) string {
	const most = 32
	var out []string
	for name := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if len(out) == most || name == "" || !isHeaderName(name) || dropRequest.has(name) && name != "authorization" && name != "dpop" {
			continue
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

// isHeaderName is a field name of RFC 9110 §5.1, less the characters that
// nobody uses.
func isHeaderName(s string) bool {
	for i := range len(s) {
		if b := s[i]; b != '-' && (b < 'a' || b > 'z') && (b < '0' || b > '9') {
			return false
		}
	}
	return len(s) <= 64
}
