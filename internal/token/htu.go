package token

import "strings"

// appendHTU appends the normal form of an http or https URI without its query
// and fragment: scheme and host in lower case, no default port, "/" for an
// empty path, escapes in upper case and only where they are needed (RFC 3986
// §6.2.2, §6.2.3; RFC 9449 §4.3 check 9). It reports false for whatever two
// readers could take for different addresses: user information, dot segments,
// characters that a URI does not have.
func appendHTU(dst []byte, uri string) ([]byte, bool) {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		uri = uri[:i]
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return dst, false
	}
	var port string
	switch {
	case strings.EqualFold(scheme, "https"):
		dst, port = append(dst, "https://"...), "443"
	case strings.EqualFold(scheme, "http"):
		dst, port = append(dst, "http://"...), "80"
	default:
		return dst, false
	}
	authority, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if dst, ok = appendAuthority(dst, authority, port); !ok {
		return dst, false
	}
	return appendPath(dst, path)
}

// appendAuthority appends host and port. A host is letters, digits, "-", "_"
// and ".", or an IP address in brackets; escapes and user information are not
// for addresses of ours.
func appendAuthority(dst []byte, s, defaultPort string) ([]byte, bool) {
	host, port := s, ""
	if end := strings.LastIndexByte(s, ':'); end > strings.LastIndexByte(s, ']') {
		host, port = s[:end], s[end+1:]
	}
	literal := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	if literal {
		host = host[1 : len(host)-1]
		dst = append(dst, '[')
	}
	if host == "" {
		return dst, false
	}
	for i := range len(host) {
		b := host[i]
		switch {
		case b >= 'A' && b <= 'Z':
			b |= 0x20
		case b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '.':
		case literal && b == ':' || !literal && (b == '-' || b == '_'):
		default:
			return dst, false
		}
		dst = append(dst, b)
	}
	if literal {
		dst = append(dst, ']')
	}
	if len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return dst, false
	}
	if port != "" && port != defaultPort {
		dst = append(append(dst, ':'), port...)
	}
	return dst, true
}

// appendPath appends a path that starts with a slash.
func appendPath(dst []byte, s string) ([]byte, bool) {
	start := len(dst) + 1 // of the segment
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '/':
			if isDots(dst, start) {
				return dst, false
			}
			dst = append(dst, b)
			start = len(dst)
		case b == '%':
			if i+2 >= len(s) || hexOf[s[i+1]] == 0 || hexOf[s[i+2]] == 0 {
				return dst, false
			}
			if c := (hexOf[s[i+1]]-1)<<4 | (hexOf[s[i+2]] - 1); uriByte[c] == unreservedByte {
				dst = append(dst, c)
			} else {
				dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
			}
			i += 2
		case uriByte[b] != 0:
			dst = append(dst, b)
		default:
			return dst, false
		}
	}
	return dst, !isDots(dst, start)
}

func isDots(b []byte, start int) bool {
	return start < len(b) && (string(b[start:]) == "." || string(b[start:]) == "..")
}

const upperHex = "0123456789ABCDEF"

// hexOf is the value of a hexadecimal digit plus one, 0 for other bytes.
var hexOf = func() (t [256]byte) {
	for i := range byte(16) {
		t[upperHex[i]] = i + 1
		t[upperHex[i]|0x20] = i + 1 // digits have that bit already
	}
	return t
}()

// Kinds of bytes in a path (RFC 3986 §3.3, pchar).
const (
	reservedByte   = 1
	unreservedByte = 2
)

var uriByte = func() (t [256]byte) {
	for _, b := range []byte("!$&'()*+,;=:@") {
		t[b] = reservedByte
	}
	for _, b := range []byte("-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		t[b] = unreservedByte
	}
	return t
}()
