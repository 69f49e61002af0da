package oauth

import (
	"strings"
	"unicode"
)

// unseen are characters that are not seen, that are taken for a space, or that turn
// the direction of text.
func unseen(r rune) bool {
	return r == unicode.ReplacementChar || r == brailleBlank || r != ' ' && unicode.IsSpace(r) ||
		unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

const brailleBlank = 0x2800

// maxName is how long what people are shown may be, in bytes.
const maxName = 80

// lookAlikes are the scripts whose letters look like each other's.
var lookAlikes = []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee}

// nameProblem judges what a stranger wants to be called (RFC 7591 §5): one short
// line that reads as it is written. Letters of two scripts that look alike do not
// stand in one name, markup does not begin, and no letter is piled up with marks.
func nameProblem(name string) string {
	if len(name) > maxName {
		return "is longer than 80 bytes"
	}
	if name != strings.TrimSpace(name) || strings.ContainsFunc(name, unseen) || strings.ContainsAny(name, "<>&\"`") {
		return "has characters that cannot be shown"
	}
	scripts, marks := map[int]bool{}, 0
	for _, r := range name {
		if marks++; !unicode.Is(unicode.Mn, r) {
			marks = 0
		}
		if marks > 2 {
			return "has characters that cannot be shown"
		}
		for i, script := range lookAlikes {
			if unicode.Is(script, r) && unicode.IsLetter(r) {
				scripts[i] = true
			}
		}
	}
	if len(scripts) > 1 {
		return "mixes letters of scripts that look alike"
	}
	return ""
}
