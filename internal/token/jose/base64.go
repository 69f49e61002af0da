package jose

import "encoding/base64"

var b64 = base64.RawURLEncoding.Strict()

// legal marks the base64url alphabet (RFC 7515 §2). Go's decoder skips CR and
// LF, in Strict mode too, so illegal characters are looked for first.
var legal = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		t[c] = true
	}
	return t
}()

// appendDecoded appends what the canonical base64url text s stands for:
// no padding, no other characters, no stray bits at the end.
func appendDecoded(dst, s []byte) ([]byte, bool) {
	for _, c := range s {
		if !legal[c] {
			return nil, false
		}
	}
	dst, err := b64.AppendDecode(dst, s)
	return dst, err == nil
}
