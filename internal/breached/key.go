package breached

import (
	"crypto/sha1" //nolint:gosec // a name for a password, as the lists have it; it protects nothing
	"encoding/binary"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Key stands for a password: the first eight bytes of its SHA-1, so that lists of
// SHA-1 hashes and lists of words can be one filter.
type Key uint64

// KeyOf is the key of exactly this text in UTF-8.
func KeyOf(text string) Key {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	return Key(binary.BigEndian.Uint64(sum[:]))
}

// plainLetters undoes the usual disguises.
var plainLetters = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// Fold is text without what does not make it harder to guess: compatibility forms
// (NFKC) and case.
func Fold(text string) string { return norm.NFKC.String(cases.Fold().String(text)) }

// Plain is folded text with the usual disguises taken off.
func Plain(folded string) string { return plainLetters.Replace(folded) }

// Listed is the key under which a list of words keeps text: folded and plain. A
// password is found by it in any case and disguise.
func Listed(text string) Key { return KeyOf(Plain(Fold(text))) }

// Forms are the keys under which a password may be on a list: as it is, which is
// what lists of hashes have, folded, and plain.
func Forms(password string) [3]Key {
	folded := Fold(password)
	return [3]Key{KeyOf(password), KeyOf(folded), KeyOf(Plain(folded))}
}

// Filters are several at once.
type Filters []*Filter

// Contain reports whether a password is on any of the lists, in any of its forms.
func (fs Filters) Contain(password string) (bool, error) {
	forms := Forms(password)
	for _, f := range fs {
		for _, k := range forms {
			if found, err := f.Contains(k); found || err != nil {
				return found, err
			}
		}
	}
	return false, nil
}
