package store

import (
	"encoding/hex"
	"errors"
	"strings"

	"sallyport/internal/token"
)

// confirmationPrefix begins the text of a confirmation, by its method.
var confirmationPrefix = map[token.ConfirmationMethod]string{token.ConfirmJKT: "jkt:", token.ConfirmX5T: "x5t:"}

// confirmationText is c as a row keeps it: prefix and hex, empty for none.
func confirmationText(c token.Confirmation) string {
	if c.Method == token.ConfirmNone {
		return ""
	}
	return confirmationPrefix[c.Method] + hex.EncodeToString(c.Digest[:])
}

func parseConfirmation(text string) (token.Confirmation, error) {
	var c token.Confirmation
	if text == "" {
		return c, nil
	}
	for method, prefix := range confirmationPrefix {
		digits, ok := strings.CutPrefix(text, prefix)
		if !ok {
			continue
		}
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) != len(c.Digest) {
			break
		}
		c.Method = method
		copy(c.Digest[:], b)
		return c, nil
	}
	// Read as none, a bound grant would be anybody's.
	return c, errors.New("a stored confirmation is malformed")
}
