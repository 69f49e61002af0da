package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sallyport/internal/secret"
)

// The length of a new password, in characters after NFC. While a password is
// the only factor, NIST SP 800-63B-4 §3.1.1.2 asks for at least 15.
const (
	minPassword = 15
	maxPassword = 1024
)

// normalPassword returns the form that is hashed, NFC, or false for what no
// account can have as its password: nothing, no text, or far too much.
func normalPassword(v secret.Value) (string, bool) {
	s := v.Reveal()
	if s == "" || len(s) > maxPassword*utf8.UTFMax || !utf8.ValidString(s) {
		return "", false
	}
	s = norm.NFC.String(s)
	return s, utf8.RuneCountInString(s) <= maxPassword
}

// newPassword checks what somebody wants as a password. There are no
// composition rules (NIST SP 800-63B-4 §3.1.1.2); context are words that
// somebody who knows the person would try first.
func newPassword(v secret.Value, context ...string) (string, error) {
	s, ok := normalPassword(v)
	switch n := utf8.RuneCountInString(s); {
	case v.IsZero():
		return "", &InvalidError{"password", "is empty"}
	case !ok:
		return "", &InvalidError{"password", "has more than 1024 characters or is not text"}
	case n < minPassword:
		return "", &InvalidError{"password", "has fewer than 15 characters"}
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", &InvalidError{"password", "has control characters"}
	case guessable(s, context):
		return "", &InvalidError{"password", "is too easy to guess: it is common, repeats itself or is made of your name or ours"}
	}
	return s, nil
}
