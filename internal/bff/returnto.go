package bff

import "strings"

const maxReturn = 1024 // bytes

// safeReturn reports whether every browser reads s as a path of this origin: one
// slash, then neither a second one nor a backslash, and no character that is
// dropped on the way to becoming one (BF11, G21).
func safeReturn(s string) bool {
	if len(s) == 0 || len(s) > maxReturn || s[0] != '/' || len(s) > 1 && (s[1] == '/' || s[1] == '\\') {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' || c == '`' {
			return false
		}
	}
	path, _, _ := strings.Cut(s, "?")
	path, _, _ = strings.Cut(path, "#")
	// What is decoded once more somewhere must not become one of these either, and
	// dots would be resolved before it is known what they lead to.
	lower := strings.ToLower(path)
	for _, bad := range [...]string{"//", "%2f", "%5c", "%00", "%09", "%0a", "%0d", "%2e", "/../", "/./"} {
		if strings.Contains(lower, bad) {
			return false
		}
	}
	return !strings.HasSuffix(path, "/..") && !strings.HasSuffix(path, "/.")
}
