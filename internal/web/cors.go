package web

import (
	"net/http"
	"strings"
)

// setOrigin sets the headers of the Fetch standard §3.2. Documents are for
// anybody; protocol endpoints for those of registered browser clients, compared
// whole: nothing is reflected that was not listed, and "null" cannot be listed
// (MD11). The other classes, the authorization endpoint first of all, have none
// (AZ09). Access-Control-Allow-Credentials is never sent.
func (s *site) setOrigin(h http.Header, r *http.Request, rules *rules) {
	switch rules.origins {
	case anyOrigin:
		h.Set("Access-Control-Allow-Origin", "*")
	case registered:
		h.Add("Vary", "Origin")
		if origin, ok := s.registeredOrigin(r); ok {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, DPoP-Nonce")
		}
	case noOrigin:
	}
}

func (s *site) registeredOrigin(r *http.Request) (string, bool) {
	lines := r.Header["Origin"]
	if len(lines) != 1 || lines[0] == "null" {
		return "", false
	}
	if !s.origins[lines[0]] && !s.oauth.BrowserOrigin(r.Context(), lines[0]) {
		return "", false
	}
	return lines[0], true
}

// preflight answers a browser's question before a call.
func (s *site) preflight(w http.ResponseWriter, r *http.Request, e *endpoint, rules *rules) error {
	if len(r.Header["Access-Control-Request-Method"]) != 1 || r.Header["Origin"] == nil {
		return &httpError{status: http.StatusMethodNotAllowed, code: invalidRequest, description: "this method is not served here", allow: e.allow}
	}
	if _, ok := s.registeredOrigin(r); !ok && rules.origins == registered {
		return &httpError{status: http.StatusForbidden, code: invalidRequest, description: "this origin is not registered"}
	}
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", strings.ReplaceAll(e.allow, " ", ""))
	if rules.origins == registered {
		h.Set("Access-Control-Allow-Headers", "authorization, content-type, dpop")
	}
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
