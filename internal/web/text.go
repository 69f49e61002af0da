package web

import (
	"strconv"
	"strings"
	"time"
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
func legible(s string) string {
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
		if n == maxShown {
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

// inWords says how long d is, in the largest unit that fits, rounded up.
func inWords(d time.Duration) string {
	units := []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	for _, u := range units {
		if d < u.of && u.of > time.Second {
			continue
		}
		n := int64((d + u.of - 1) / u.of)
		if n == 1 {
			return "1 " + u.name
		}
		return strconv.FormatInt(n, 10) + " " + u.name + "s"
	}
	return ""
}
