package gateway

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// maxTarget is the longest request target, in bytes.
const maxTarget = 8 << 10

// readTarget takes path and query from the request line as received, not from
// the parsed URL, and refuses what two readers could read differently. What
// passes is judged and forwarded byte for byte.
func (c *call) readTarget() refusal {
	raw := c.r.RequestURI
	if len(raw) > maxTarget {
		return refusal{problem: invalidRequest, reason: "target_too_long"}
	}
	if carriesToken(raw) || carriesJWT(raw) {
		return refusal{problem: tokenInURL, reason: "token_in_url", event: audit.TokenInURL}
	}
	path, query, hasQuery := strings.Cut(raw, "?")
	if why := checkPath(path); why != "" {
		return refusal{problem: invalidRequest, reason: why}
	}
	if hasQuery {
		switch why := checkQuery(query); why {
		case "":
		case "token_in_url":
			return refusal{problem: tokenInURL, reason: why, event: audit.TokenInURL}
		default:
			return refusal{problem: invalidRequest, reason: why}
		}
	}
	c.path, c.query = path, query
	return handled
}

// carriesToken reports whether s holds a well-formed access or refresh token, API key or session.
func carriesToken(s string) bool {
	for _, p := range [...]string{string(secret.AccessToken) + "_", string(secret.RefreshToken) + "_", string(secret.APIKey) + "_", string(secret.BrowserSession) + "_"} {
		for rest := s; ; {
			i := strings.Index(rest, p)
			if i < 0 {
				break
			}
			rest = rest[i:]
			end := len(p)
			for end < len(rest) && unreserved[rest[end]] && rest[end] != '.' && rest[end] != '~' {
				end++
			}
			if _, ok := secret.Kind(rest[:end]); ok {
				return true
			}
			rest = rest[len(p):]
		}
	}
	return false
}

// carriesJWT reports whether s holds an access token in the JWT form, whoever
// made it. Other JWTs may well travel in URLs.
func carriesJWT(s string) bool {
	const begin, longest = "eyJ", 256 // {" in base64url; a header of ours has some 100 bytes
	for {
		i := strings.Index(s, begin)
		if i < 0 {
			return false
		}
		s = s[i:]
		end := len(begin)
		for end < len(s) && end < longest && unreserved[s[end]] && s[end] != '.' && s[end] != '~' {
			end++
		}
		header, err := base64.RawURLEncoding.DecodeString(s[:end])
		if err == nil && end < len(s) && s[end] == '.' && bytes.Contains(bytes.ToLower(header), []byte(`at+jwt"`)) {
			return true
		}
		s = s[len(begin):]
	}
}

// pathByte says which bytes may stand in a path as they are: pchar and "/" of
// RFC 3986 §3.3 without "%", and without ";", which some servers read as the
// start of a parameter and others do not.
var pathByte = byteSet("/!$&'()*+,=:@-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

// unreserved (RFC 3986 §2.3) means the same encoded or not, so an encoded one
// is there only to deceive.
var unreserved = byteSet("-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

func byteSet(s string) (set [256]bool) {
	for i := range len(s) {
		set[s[i]] = true
	}
	return set
}

// checkPath returns why path is refused, or "". One that passes has the same
// segments for a reader that decodes never, once or twice, before or after
// splitting, that resolves dot segments, merges slashes, strips parameters or
// trailing dots, or folds full-width characters.
func checkPath(path string) string {
	if path == "" || path[0] != '/' {
		return "target_form" // absolute-form, authority-form, asterisk-form
	}
	start, wide := 1, false
	for i := 1; i < len(path); i++ {
		switch b := path[i]; {
		case b == '/':
			if why := checkSegment(path[start:i]); why != "" {
				return why
			}
			start = i + 1
		case b == '%':
			why := checkEscape(path[i:])
			if why != "" {
				return why
			}
			wide = wide || path[i+1] >= '8'
			i += 2
		case !pathByte[b]:
			return "path_character"
		}
	}
	if start < len(path) { // an empty last segment is a trailing slash
		if why := checkSegment(path[start:]); why != "" {
			return why
		}
	}
	if wide {
		return checkWide(path)
	}
	return ""
}

func checkSegment(s string) string {
	switch {
	case s == "":
		return "double_slash"
	case s[len(s)-1] == '.':
		return "dot_segment" // ".", "..", and "x." which Windows reads as "x"
	case strings.HasSuffix(s, "%20"):
		return "trailing_space"
	}
	return ""
}

// checkEscape judges the escape that s starts with.
func checkEscape(s string) string {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return "invalid_escape"
	}
	switch b := unhex(s[1])<<4 | unhex(s[2]); {
	case b < 0x20 || b == 0x7f:
		return "encoded_control"
	case b == '/' || b == '\\' || b == ';' || b == '?' || b == '#':
		return "encoded_delimiter"
	case unreserved[b]:
		return "encoded_unreserved"
	case b == '%':
		if next := s[3:]; len(next) >= 2 && (next[0]|0x20 == 'u' || isHex(next[0]) && isHex(next[1])) {
			return "double_encoding"
		}
	}
	return ""
}

// checkWide judges a path with encoded bytes above 0x7f: they must be UTF-8,
// and no character may be one that a reader turns into ASCII.
func checkWide(path string) string {
	s, err := url.PathUnescape(path)
	if err != nil || !utf8.ValidString(s) {
		return "invalid_utf8"
	}
	for _, r := range s {
		if r < utf8.RuneSelf {
			continue
		}
		if unicode.IsControl(r) || strings.ContainsRune(looksASCII, r) {
			return "lookalike"
		}
		for _, n := range norm.NFKC.String(string(r)) {
			if n < utf8.RuneSelf {
				return "lookalike"
			}
		}
	}
	return ""
}

// looksASCII are characters that best-fit mappings, but not NFKC, turn into
// slashes, dots and the like.
const looksASCII = "\u2044\u2215\u2216\u29f5\u29f8\u2236\ufeff"

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f'
}

func unhex(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return b | 0x20 - 'a' + 10
}
