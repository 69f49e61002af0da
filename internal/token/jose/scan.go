package jose

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// Limits of JSON in tokens and key sets.
const (
	maxDepth   = 8   // of nesting, the outermost object counts
	maxMembers = 128 // of one object
	maxNumber  = 40  // characters
)

var errJSON = errors.New("not a strict JSON object")

// ScanObject reads b as one JSON object (RFC 8259) and calls f for each of its
// members in turn, with the name and the raw value. It is stricter than the
// grammar: names are exact, have no escapes and appear once in their object;
// strings are UTF-8 without lone surrogates; nothing but white space follows;
// at most 8 levels, 128 members an object, 40 characters a number. name and
// value are parts of b. An error of f ends the scan and is returned.
func ScanObject(b []byte, f func(name string, value []byte) error) error {
	return scanObject(string(b), func(name, value string, from int) error { return f(name, b[from:from+len(value)]) })
}

// scanObject is ScanObject over text, of which name and value are parts; value
// begins at from.
func scanObject(text string, f func(name, value string, from int) error) error {
	s := scanner{text: text}
	s.names = s.room[:0]
	s.space()
	if err := s.object(1, f); err != nil {
		return err
	}
	s.space()
	if s.i != len(text) {
		return errJSON
	}
	return nil
}

type scanner struct {
	text  string
	i     int
	names []string // of the objects that are open, outermost first
	room  [32]string
}

func (s *scanner) space() {
	for s.i < len(s.text) {
		switch s.text[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// take steps over c.
func (s *scanner) take(c byte) bool {
	if s.i < len(s.text) && s.text[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) object(depth int, f func(name, value string, from int) error) error {
	if depth > maxDepth || !s.take('{') {
		return errJSON
	}
	first := len(s.names)
	defer func() { s.names = s.names[:first] }()
	s.space()
	if s.take('}') {
		return nil
	}
	for {
		name, err := s.name(first)
		if err != nil {
			return err
		}
		from := s.i
		if err := s.value(depth); err != nil {
			return err
		}
		if f != nil {
			if err := f(name, s.text[from:s.i], from); err != nil {
				return err
			}
		}
		s.space()
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
		s.space()
	}
}

// name reads a member's name and the colon, and refuses a second one of its
// object, whose names begin at first.
func (s *scanner) name(first int) (string, error) {
	from := s.i
	plain, err := s.str()
	if err != nil || !plain {
		return "", errJSON
	}
	name := s.text[from+1 : s.i-1]
	if len(s.names)-first >= maxMembers {
		return "", errJSON
	}
	for _, seen := range s.names[first:] {
		if seen == name {
			return "", errJSON
		}
	}
	s.names = append(s.names, name)
	s.space()
	if !s.take(':') {
		return "", errJSON
	}
	s.space()
	return name, nil
}

func (s *scanner) value(depth int) error {
	if s.i >= len(s.text) {
		return errJSON
	}
	switch c := s.text[s.i]; c {
	case '{':
		return s.object(depth+1, nil)
	case '[':
		return s.array(depth + 1)
	case '"':
		_, err := s.str()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) array(depth int) error {
	if depth > maxDepth {
		return errJSON
	}
	s.i++
	s.space()
	if s.take(']') {
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
		s.space()
	}
}

func (s *scanner) word(w string) error {
	if len(s.text)-s.i < len(w) || s.text[s.i:s.i+len(w)] != w {
		return errJSON
	}
	s.i += len(w)
	return nil
}

func (s *scanner) digits() int {
	from := s.i
	for s.i < len(s.text) && s.text[s.i] >= '0' && s.text[s.i] <= '9' {
		s.i++
	}
	return s.i - from
}

// number is RFC 8259 §6.
func (s *scanner) number() error {
	from := s.i
	s.take('-')
	if !s.take('0') && s.digits() == 0 {
		return errJSON
	}
	if s.take('.') && s.digits() == 0 {
		return errJSON
	}
	if s.take('e') || s.take('E') {
		_ = s.take('+') || s.take('-')
		if s.digits() == 0 {
			return errJSON
		}
	}
	if s.i-from > maxNumber {
		return errJSON
	}
	return nil
}

// str steps over a string and reports whether it has no escapes.
func (s *scanner) str() (plain bool, err error) {
	if !s.take('"') {
		return false, errJSON
	}
	plain = true
	for s.i < len(s.text) {
		switch c := s.text[s.i]; {
		case c == '"':
			s.i++
			return plain, nil
		case c == '\\':
			plain = false
			if err := s.escape(); err != nil {
				return false, err
			}
		case c < 0x20:
			return false, errJSON
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, n := utf8.DecodeRuneInString(s.text[s.i:])
			if r == utf8.RuneError && n <= 1 {
				return false, errJSON
			}
			s.i += n
		}
	}
	return false, errJSON
}

// escape steps over one escape, or over the two of a surrogate pair. A lone
// surrogate would become U+FFFD in Go, and two strings one.
func (s *scanner) escape() error {
	s.i++
	if s.i >= len(s.text) {
		return errJSON
	}
	switch s.text[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
	default:
		return errJSON
	}
	r, ok := s.hex4()
	switch {
	case !ok || r >= 0xDC00 && r <= 0xDFFF:
		return errJSON
	case r < 0xD800 || r > 0xDBFF:
		return nil
	}
	if !s.take('\\') || !s.take('u') {
		return errJSON
	}
	if low, ok := s.hex4(); !ok || low < 0xDC00 || low > 0xDFFF {
		return errJSON
	}
	return nil
}

func (s *scanner) hex4() (rune, bool) {
	if len(s.text)-s.i < 4 {
		return 0, false
	}
	var r rune
	for range 4 {
		c := s.text[s.i]
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
		s.i++
	}
	return r, true
}

// scanStrings calls f for each member of an array of strings; false if raw is
// none. raw has passed a scanner.
func scanStrings(raw string, f func(string) bool) bool {
	if len(raw) < 2 || raw[0] != '[' {
		return false
	}
	s := scanner{text: raw, i: 1}
	s.space()
	if s.take(']') {
		return true
	}
	for {
		from := s.i
		if _, err := s.str(); err != nil {
			return false
		}
		v, ok := unquote(raw[from:s.i])
		if !ok || !f(v) {
			return false
		}
		s.space()
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
		s.space()
	}
}

// unquote returns the string that raw stands for; false if raw is no string.
// raw has passed a scanner.
func unquote(raw string) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if strings.IndexByte(raw, '\\') >= 0 {
		var v string
		err := json.Unmarshal([]byte(raw), &v)
		return v, err == nil
	}
	return raw[1 : len(raw)-1], true
}
