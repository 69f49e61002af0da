package token

import (
	"encoding/json"
	"unicode/utf8"
)

// AppendJSONString appends s as a JSON string (RFC 8259 §7). Bytes that are
// not UTF-8 become U+FFFD. Plain ASCII, which nearly all our values are, costs
// one pass.
func AppendJSONString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			b, _ := json.Marshal(s) //nolint:errchkjson // a string always marshals
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
