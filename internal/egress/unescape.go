package egress

import (
	"bytes"
	"strconv"
)

// view is a text as a reader sees it who undoes the escapes of URLs, JSON and
// HTML. at is where in the text each byte of it begins, and one more for the end.
type view struct {
	text []byte
	at   []int32
}

// escapes are the bytes that begin something that another reader undoes. NUL is
// left out, since it is every second byte of UTF-16.
const escapes = "%\\&\x00"

// maxEscape is the longest escape that is undone, in bytes: "&#x0000041;".
const maxEscape = 11

// unescape undoes one layer of escapes. An escape that may go on after the end
// of the text ends the view before it, unless final says that nothing follows.
func (v *view) unescape(text []byte, at []int32, final bool, end int32) {
	v.text, v.at = v.text[:0], v.at[:0]
	zeros := 0
	for i := 0; i < len(text); {
		b, n := text[i], 1
		switch b {
		case 0:
			if zeros++; zeros <= 3 {
				i++
				continue
			}
		case '%', '\\', '&':
			var open bool
			b, n, open = undo(text[i:])
			if open && !final {
				v.at = append(v.at, position(at, i))
				return
			}
		}
		if b != 0 {
			zeros = 0
		}
		v.text = append(v.text, b)
		v.at = append(v.at, position(at, i))
		i += n
	}
	v.at = append(v.at, end)
}

func position(at []int32, i int) int32 {
	if at == nil {
		return int32(i) //nolint:gosec // a buffer of some KiB
	}
	return at[i]
}

// undo returns the byte that an escape at the start of s stands for and how long
// the escape is, or the first byte of s itself. open: s ends too early to tell.
func undo(s []byte) (b byte, n int, open bool) {
	switch s[0] {
	case '%':
		return hexEscape(s, 1, 2)
	case '\\':
		if len(s) < 2 {
			return s[0], 1, true
		}
		switch s[1] {
		case 'u':
			return hexEscape(s, 2, 4)
		case 'x':
			return hexEscape(s, 2, 2)
		case '"', '\\', '/', '\'':
			return s[1], 2, false
		}
		return s[0], 1, false
	}
	return entity(s)
}

func hexEscape(s []byte, skip, digits int) (b byte, n int, open bool) {
	value := 0
	for i := skip; i < skip+digits; i++ {
		if i >= len(s) {
			return s[0], 1, true
		}
		d, ok := hexDigit(s[i])
		if !ok {
			return s[0], 1, false
		}
		value = value<<4 | d
	}
	if value > 0xff {
		return s[0], 1, false
	}
	return byte(value), skip + digits, false
}

func hexDigit(b byte) (int, bool) {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0'), true
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10, true
	}
	return 0, false
}

var entities = map[string]byte{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\'', "sol": '/', "plus": '+', "equals": '='}

// entity undoes a character reference of HTML.
func entity(s []byte) (b byte, n int, open bool) {
	end := bytes.IndexByte(s[:min(len(s), maxEscape)], ';')
	if end < 0 {
		for i := 1; i < len(s); i++ {
			if c := s[i]; i >= maxEscape || c != '#' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return s[0], 1, false
			}
		}
		return s[0], 1, len(s) < maxEscape
	}
	name := string(s[1:end])
	if b, known := entities[name]; known {
		return b, end + 1, false
	}
	if len(name) < 2 || name[0] != '#' {
		return s[0], 1, false
	}
	base, digits := 10, name[1:]
	if digits[0]|0x20 == 'x' {
		base, digits = 16, digits[1:]
	}
	value, err := strconv.ParseUint(digits, base, 8)
	if err != nil {
		return s[0], 1, false
	}
	return byte(value), end + 1, false
}
