package gateway

import (
	"strings"

	"sallyport/internal/secret"
)

// credential returns the one access token of a request. The Authorization
// header with the scheme Bearer is the only place (RFC 6750 §2.1; OAuth 2.1
// §5.1 drops the query, and bodies are not read here). lines are the
// Authorization header lines: Header.Get would hide all but the first.
func credential(lines []string) (secret.Value, *problem, string) {
	switch {
	case len(lines) == 0:
		return secret.Value{}, noCredential, "no_credential"
	case len(lines) > 1:
		return secret.Value{}, invalidRequest, "repeated_credential"
	}
	scheme, tok, found := strings.Cut(lines[0], " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return otherScheme(lines[0])
	case !found || len(tok) > secret.MaxHandle || !isB64Token(tok):
		return secret.Value{}, invalidRequest, "malformed_credential"
	}
	return secret.New(tok), nil, ""
}

// otherScheme refuses a scheme that is not ours without an error code, as if
// nothing had been sent (RFC 6750 §3.1). A header that is no credential at all
// is malformed.
func otherScheme(line string) (secret.Value, *problem, string) {
	scheme, _, found := strings.Cut(line, " ")
	for i := range len(scheme) {
		if !unreserved[scheme[i]] || scheme[i] == '~' {
			return secret.Value{}, invalidRequest, "malformed_credential"
		}
	}
	switch {
	case !found:
		return secret.Value{}, invalidRequest, "malformed_credential"
	case strings.EqualFold(scheme, "Basic"):
		return secret.Value{}, noCredential, "basic_credential"
	}
	return secret.Value{}, noCredential, "unsupported_scheme"
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
