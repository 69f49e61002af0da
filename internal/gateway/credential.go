package gateway

import (
	"strings"

	"sallyport/internal/secret"
)

// credential is the access token of a request and how it was sent.
type credential struct {
	scheme scheme
	token  secret.Value
}

// scheme is an authentication scheme (RFC 9110 §11.1) that carries access tokens.
type scheme uint8

const (
	schemeBearer scheme = iota // RFC 6750 §2.1
	schemeDPoP                 // RFC 9449 §7.1
)

var schemeNames = [...]string{schemeBearer: "Bearer", schemeDPoP: "DPoP"}

// readCredential returns the one access token of a request. The Authorization
// header is the only place (OAuth 2.1 §5.1 drops the query, bodies are not read
// here, Proxy-Authorization is for proxies). lines are the Authorization header
// lines: Header.Get would hide all but the first.
func readCredential(lines []string) (credential, *problem, string) {
	switch {
	case len(lines) == 0:
		return credential{}, noCredential, "no_credential"
	case len(lines) > 1:
		return credential{}, invalidRequest, "repeated_credential"
	}
	name, tok, found := strings.Cut(lines[0], " ")
	for i := range schemeNames {
		if !strings.EqualFold(name, schemeNames[i]) {
			continue
		}
		if !found || len(tok) > secret.MaxHandle || !isB64Token(tok) {
			return credential{scheme: scheme(i)}, invalidRequest, "malformed_credential"
		}
		return credential{scheme(i), secret.New(tok)}, nil, ""
	}
	no, why := otherScheme(lines[0])
	return credential{}, no, why
}

// otherScheme refuses a scheme that is not ours without an error code, as if
// nothing had been sent (RFC 6750 §3.1). A header that is no credential at all
// is malformed.
func otherScheme(line string) (*problem, string) {
	scheme, _, found := strings.Cut(line, " ")
	for i := range len(scheme) {
		if !unreserved[scheme[i]] || scheme[i] == '~' {
			return invalidRequest, "malformed_credential"
		}
	}
	switch {
	case !found:
		return invalidRequest, "malformed_credential"
	case strings.EqualFold(scheme, "Basic"):
		return noCredential, "basic_credential"
	}
	return noCredential, "unsupported_scheme"
}

// isB64Token reports whether s has the syntax b64token of RFC 6750 §2.1.
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	if s == "" {
		return false
	}
	for i := range len(s) {
		if !unreserved[s[i]] && s[i] != '+' && s[i] != '/' {
			return false
		}
	}
	return true
}
