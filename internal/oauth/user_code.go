package oauth

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// userCodeAlphabet has no vowels, so that codes spell nothing, no digits, and
// nothing that is read in two ways (RFC 8628 §6.1). 20^8 is 2.56e10 codes.
const userCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ"

const (
	userCodeLen = 8
	maxTyped    = 64 // characters that a person may send as a code
)

// newUserCode draws each character evenly.
func newUserCode() string {
	code := make([]byte, 0, userCodeLen)
	for len(code) < userCodeLen {
		for _, b := range secret.Random(userCodeLen) {
			const even = 256 - 256%len(userCodeAlphabet)
			if int(b) < even && len(code) < userCodeLen {
				code = append(code, userCodeAlphabet[int(b)%len(userCodeAlphabet)])
			}
		}
	}
	return string(code)
}

// ReadUserCode takes a code as people type it: in any case, with anything that is
// no letter or digit in between (RFC 8628 §6.1). It returns it as it is shown.
func ReadUserCode(typed string) (shown string, ok bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	code := make([]byte, 0, userCodeLen)
	for _, c := range strings.ToUpper(typed) {
		switch {
		case strings.ContainsRune(userCodeAlphabet, c):
			code = utf8.AppendRune(code, c)
		case c == ' ' || c == '-' || c == '.' || c == '\u2010' || c == '\u2013' || c == '\u00a0':
		default:
			return "", false
		}
	}
	if len(code) != userCodeLen {
		return "", false
	}
	return showUserCode(string(code)), true
}

// showUserCode writes a code in two halves, which are easier to compare.
func showUserCode(code string) string { return code[:userCodeLen/2] + "-" + code[userCodeLen/2:] }

// userCodeLabel keeps these MACs apart from those of forms, which are longer.
const userCodeLabel = "user code:"

// digestUserCode is what is stored of a code. Without the key, whoever reads the
// database would find it by trying them all.
func (s *Service) digestUserCode(shown string) string {
	return hex.EncodeToString(s.ring.MAC(token.MACForm, []byte(userCodeLabel), []byte(shown)))
}

// digestsOfUserCode are the digests under each key that was the newest lately.
func (s *Service) digestsOfUserCode(shown string) []string {
	var all []string
	for _, sum := range s.ring.MACs(token.MACForm, []byte(userCodeLabel), []byte(shown)) {
		all = append(all, hex.EncodeToString(sum))
	}
	return all
}
