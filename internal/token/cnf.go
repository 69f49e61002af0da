package token

import "encoding/base64"

// confirmationNames are the members of cnf (RFC 9449 §6.1, RFC 8705 §3.1).
var confirmationNames = map[ConfirmationMethod]string{ConfirmJKT: "jkt", ConfirmX5T: "x5t#S256"}

// AppendJSON appends c as the value of the claim cnf: a JSON object with one
// member, jkt (RFC 9449 §6.1) or x5t#S256 (RFC 8705 §3.1). Nothing is appended
// where nothing is confirmed.
func (c Confirmation) AppendJSON(dst []byte) []byte {
	if c.Method == ConfirmNone {
		return dst
	}
	dst = append(dst, `{"`...)
	dst = append(dst, confirmationNames[c.Method]...)
	dst = append(dst, `":"`...)
	dst = base64.RawURLEncoding.AppendEncode(dst, c.Digest[:])
	return append(dst, `"}`...)
}
