package web

import (
	"net/http"
	"strings"
)

// Values that nearly every answer has are shared, and so never changed: setting
// one replaces the slice, adding to one makes another.
var (
	nosniff     = []string{"nosniff"}
	oneYear     = []string{"max-age=31536000; includeSubDomains"} // TL04
	noStore     = []string{"no-store"}
	noCache     = []string{"no-cache"}
	noReferrer  = []string{"no-referrer"}
	sameOrigin  = []string{"same-origin"}
	cacheShort  = []string{"public, max-age=300"}
	cacheLong   = []string{"public, max-age=31536000, immutable"}
	nothingRuns = []string{"default-src 'none'; frame-ancestors 'none'"}
)

const (
	// permissions that no page of ours uses, and those of passkeys, for ours alone.
	permissions = "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), " +
		"magnetometer=(), microphone=(), midi=(), payment=(), usb=(), " +
		"publickey-credentials-get=(self), publickey-credentials-create=(self)"
)

func (s *site) commonHeaders(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	if s.hsts {
		h["Strict-Transport-Security"] = oneYear
	}
}

// documentHeaders are of what is public: any page may read it, nobody may sniff it.
func (s *site) documentHeaders(h http.Header) {
	s.commonHeaders(h)
	h["Cache-Control"] = cacheShort
}

func (s *site) staticHeaders(h http.Header) {
	s.commonHeaders(h)
	h["Cache-Control"] = cacheLong
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	h["Content-Security-Policy"] = nothingRuns
}

// protocolHeaders are of answers that hold credentials (RFC 6749 §5.1).
func (s *site) protocolHeaders(h http.Header) {
	s.commonHeaders(h)
	h["Cache-Control"] = noStore
	h["Pragma"] = noCache // RFC 6749 §5.1 wants it, and old clients look
	h["Referrer-Policy"] = noReferrer
	h["Content-Security-Policy"] = nothingRuns
}

// pageHeaders are of everything a person sees, and of redirects between pages.
func (s *site) pageHeaders(h http.Header) {
	s.commonHeaders(h)
	h["Cache-Control"] = noStore
	h.Set("Content-Security-Policy", pagePolicy(""))
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer") // AZ15
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", permissions)
}

// pagePolicy is the Content-Security-Policy of a page: its own style and icon,
// and nothing that runs; the page of formPost alone has another. Chromium holds form-action against redirects too, so a page whose form
// may end at the app names the app's origin.
func pagePolicy(redirectURI string) string {
	target := formTarget(redirectURI)
	if target != "" {
		target = " " + target + " https:" // apps send the browser on from there, often to another origin
	}
	return "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'" + target +
		"; frame-ancestors 'none'; base-uri 'none'"
}

// formTarget is the CSP source (CSP3 §2.3.1) of a redirect URI: its origin, or
// its scheme where the grammar has no word for the origin, as for private-use
// schemes and IPv6 literals. Empty for what cannot be named.
func formTarget(redirectURI string) string {
	scheme, rest, found := strings.Cut(redirectURI, ":")
	if !found || !isScheme(scheme) {
		return ""
	}
	if scheme != "https" && scheme != "http" {
		return scheme + ":"
	}
	authority, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}
	if strings.HasPrefix(authority, "[") {
		return scheme + ":"
	}
	for i := range len(authority) {
		c := authority[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == ':') {
			return ""
		}
	}
	return scheme + "://" + authority
}

// isScheme checks the grammar of RFC 3986 §3.1, so that nothing else gets into
// a header.
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}
