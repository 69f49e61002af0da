package account

import (
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

const maxUsername = 128 // characters

// FoldUsername returns the form by which names are compared and looked up:
// the UsernameCaseMapped profile of PRECIS (RFC 8265 §3.3), so lower case,
// NFC and with wide letters made narrow. It returns *InvalidError for a name
// with spaces, control, invisible or bidirectional formatting characters, for
// mixed directions, and for an empty name or one of more than 128 characters.
// Folding twice changes nothing.
func FoldUsername(name string) (string, error) {
	if len(name) > maxUsername*utf8.UTFMax || !utf8.ValidString(name) {
		return "", beyond("username", "long", maxUsername, "is too long or not text")
	}
	folded, err := precis.UsernameCaseMapped.String(name)
	if err != nil {
		return "", invalid("username", "form", "may have letters, digits and punctuation, and no spaces or invisible characters")
	}
	if folded == "" {
		return "", invalid("username", "empty", "is empty")
	}
	if utf8.RuneCountInString(folded) > maxUsername {
		return "", beyond("username", "long", maxUsername, "has more than 128 characters")
	}
	return folded, nil
}
