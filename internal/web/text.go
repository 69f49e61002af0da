package web

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxShown  = 80 // characters of a name
	maxMarks  = 2  // on one letter
	cutMarker = "…"
)

// legible makes a line that cannot pretend to be something else: names come
// from strangers. Control, format and bidirectional characters and line
// separators go, runs of spaces become one, towers of combining marks are cut,
// and so is the end of what is too long. HTML is escaped by the templates.
func legible(s string) string { return legibleUpTo(s, maxShown) }

// legibleUpTo is legible for lines of at most limit characters.
func legibleUpTo(s string, limit int) string {
	var b strings.Builder
	n, marks, space := 0, 0, false
	for _, c := range s {
		switch {
		case unicode.IsSpace(c):
			space = n > 0
			continue
		case c == utf8.RuneError, unicode.In(c, unicode.C, unicode.Zl, unicode.Zp):
			continue
		case unicode.Is(unicode.M, c):
			if marks++; marks > maxMarks || n == 0 {
				continue
			}
		default:
			marks = 0
		}
		if n >= limit {
			return b.String() + cutMarker
		}
		if space {
			b.WriteByte(' ')
			space = false
			n++
		}
		b.WriteRune(c)
		n++
	}
	return b.String()
}

// lookalikes are scripts with letters that cannot be told from Latin ones.
var lookalikes = []*unicode.RangeTable{unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu}

// imitates reports whether a name mixes Latin letters with some that only look
// like them: no language does, and a name that wants to pass for another one does
// (Unicode Technical Standard 39 §5.1).
func imitates(s string) bool {
	latin := strings.ContainsFunc(s, func(c rune) bool { return unicode.Is(unicode.Latin, c) })
	return latin && strings.ContainsFunc(s, func(c rune) bool { return unicode.In(c, lookalikes...) })
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	// Parameter names keep their spelling.
	if word, _, _ := strings.Cut(s, " "); !strings.Contains(word, "_") {
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") {
		return s
	}
	return s + "."
}
