package gateway

import (
	"net/url"
	"strings"
)

// checkQuery returns why a query is refused, or "". It is forwarded as it
// came, so it must split into the same parameters everywhere: ";" separates
// for some readers and not for others. RFC 9700 §4.3.2: no token in a URL.
func checkQuery(query string) string {
	for i := 0; i < len(query); i++ {
		switch b := query[i]; {
		case b <= 0x20 || b >= 0x7f || b == '#' || b == ';':
			return "query_character"
		case b == '%':
			if i+2 >= len(query) || !isHex(query[i+1]) || !isHex(query[i+2]) {
				return "invalid_escape"
			}
			i += 2
		}
	}
	for rest := query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		key, _, _ := strings.Cut(pair, "=")
		switch {
		case isParameter(key, "access_token"):
			return "token_in_url"
		case isParameter(key, "_method"):
			return "method_override"
		}
	}
	return ""
}

// isParameter reports whether any reader we know of takes key for name: they
// fold case, cut at "[" or NUL, trim, or turn dots and spaces into underscores.
func isParameter(key, name string) bool {
	if strings.IndexByte(key, '%') >= 0 {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return true
		}
		key = decoded
	}
	if i := strings.IndexAny(key, "[\x00"); i >= 0 {
		key = key[:i]
	}
	key = strings.Trim(key, " +\t\r\n")
	if len(key) != len(name) {
		return false
	}
	for i := range len(key) {
		b := key[i]
		switch {
		case b >= 'A' && b <= 'Z':
			b |= 0x20
		case b == '.' || b == ' ' || b == '+' || b == '-':
			b = '_'
		}
		if b != name[i] {
			return false
		}
	}
	return true
}
