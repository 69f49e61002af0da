package oauth

import "strings"

const (
	leastWord   = 43  // the shortest secret that the configuration takes
	longestWord = 512 // what is longer is no secret
	maxCuts     = 8   // of one piece of a word, from each of which the rest is tried
)

// How a byte divides a text. A secret of the configuration may have any visible
// character, so what stands between two that divide is tried in more than one way.
const (
	inside = iota
	blank  // ends a word: white space, quotes, brackets, what is not visible ASCII
	part   // may end a secret in a word: an address, a form, an escape, a table
	assign // = and :, of which = may also belong to the end of a secret
)

var divides = func() (table [256]uint8) {
	for c := range table {
		switch {
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"'`<>(){}[],;", byte(c)) >= 0:
			table[c] = blank
		case strings.IndexByte(`&@|\%#?!`, byte(c)) >= 0:
			table[c] = part
		case c == '=' || c == ':':
			table[c] = assign
		}
	}
	return table
}()

// runEnd returns the end of the bytes from at on that are (or are not) of a class.
func runEnd(text string, at int, class uint8, are bool) int {
	for at < len(text) && (divides[text[at]] == class) == are {
		at++
	}
	return at
}

// eachWord calls f for what could be a secret in a line of configuration, code,
// or a log, until f says no: words, and what stands in them between the characters
// that divide. The work is linear in len(text): of each byte, f sees at most
// workPerByte.
func eachWord(text string, f func(string) bool) {
	for at := runEnd(text, 0, blank, true); at < len(text); {
		end := runEnd(text, at, blank, false)
		if end-at >= leastWord && !eachInWord(text[at:end], f) {
			return
		}
		at = runEnd(text, end, blank, true)
	}
}

// workPerByte: a word, its pieces from each cut and from the escape before them,
// and from cut to cut with and without what may be padding.
const workPerByte = 1 + 2 + maxCuts + 2*2

// eachInWord takes a word whole and in pieces.
func eachInWord(w string, f func(string) bool) bool {
	end := runEnd(w, 0, part, false)
	if end < len(w) && len(w) <= longestWord && !f(w) {
		return false
	}
	for at := 0; ; end = runEnd(w, at, part, false) {
		escape := 0
		if at > 0 {
			escape = escaped(w[at-1], w[at:end])
		}
		if !eachInPiece(w[at:end], escape, f) {
			return false
		}
		if at = runEnd(w, end, part, true); at >= len(w) {
			return true
		}
	}
}

// escaped returns how much of a piece belongs to the escape that the character
// before it begins: %3D, \n, \x3d, \u003d.
func escaped(before byte, piece string) int {
	n := 0
	switch {
	case before == '%':
		n = 2
	case before == '\\' && strings.HasPrefix(piece, "u"):
		n = 5
	case before == '\\' && strings.HasPrefix(piece, "x"):
		n = 3
	case before == '\\':
		n = 1
	}
	return min(n, len(piece))
}

// eachInPiece takes what stands between = and :, with and without the = behind
// it, and all that follows, for the first cuts.
func eachInPiece(p string, escape int, f func(string) bool) bool {
	for start, cuts := 0, 0; len(p)-start >= leastWord; cuts++ {
		end := runEnd(p, start, assign, false)
		next := runEnd(p, end, assign, true)
		padded := end
		for padded < min(next, end+2) && p[padded] == '=' { // base64 has two at most
			padded++
		}
		ends := [3]int{end, padded, len(p)}
		if cuts > maxCuts {
			ends[2] = padded
		}
		for _, from := range [2]int{start, start + escape} {
			last := -1
			for _, to := range ends {
				if to == last || to-from < leastWord || to-from > longestWord {
					continue
				}
				if last = to; !f(p[from:to]) {
					return false
				}
			}
			if escape == 0 {
				break
			}
		}
		start, escape = next, 0
	}
	return true
}
