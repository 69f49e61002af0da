package sallyport

import (
	"errors"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// errJSON is any fault of a JSON text.
var errJSON = errors.New("not strict JSON")

const (
	maxDepth   = 8   // arrays and objects in each other
	maxMembers = 128 // of one object
)

// scanObject reads a JSON object (RFC 8259) and calls f with each member: the
// name unescaped, the value as it stands. It is stricter than encoding/json:
// names count exactly, none comes twice at any depth, the text is UTF-8 without
// lone surrogates, nothing follows, and depth and number are bounded. f is
// called while the rest has not been read yet.
func scanObject(b []byte, f func(name string, value []byte) error) error {
	s := &scanner{b: b}
	s.space()
	if err := s.object(1, f); err != nil {
		return err
	}
	s.space()
	if s.i != len(b) {
		return errJSON
	}
	return nil
}

// scanArray reads a JSON array in the same way.
func scanArray(b []byte, f func(value []byte) error) error {
	s := &scanner{b: b}
	s.space()
	if err := s.array(1, f); err != nil {
		return err
	}
	s.space()
	if s.i != len(b) {
		return errJSON
	}
	return nil
}

// stringValue returns the string that a value of scanObject is.
func stringValue(value []byte) (string, error) {
	s := &scanner{b: value}
	text, err := s.string()
	if err != nil || s.i != len(value) {
		return "", errJSON
	}
	return text, nil
}

type scanner struct {
	b []byte
	i int
}

func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r') {
		s.i++
	}
}

// take moves past c if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.i >= len(s.b) {
		return false
	}
	s.i++
	return true
}

func (s *scanner) object(depth int, f func(string, []byte) error) error {
	if depth > maxDepth || !s.take('{') {
		return errJSON
	}
	s.space()
	if s.take('}') {
		return nil
	}
	var room [12]string
	for names := room[:0]; ; {
		s.space()
		name, err := s.string()
		if err != nil || slices.Contains(names, name) || len(names) == maxMembers {
			return errJSON
		}
		names = append(names, name)
		s.space()
		if !s.take(':') {
			return errJSON
		}
		value, err := s.value(depth)
		if err != nil {
			return err
		}
		if f != nil {
			if err := f(name, value); err != nil {
				return err
			}
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

func (s *scanner) array(depth int, f func([]byte) error) error {
	if depth > maxDepth || !s.take('[') {
		return errJSON
	}
	s.space()
	if s.take(']') {
		return nil
	}
	for {
		value, err := s.value(depth)
		if err != nil {
			return err
		}
		if f != nil {
			if err := f(value); err != nil {
				return err
			}
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

// next reads what stands after an element: a comma, or the end.
func (s *scanner) next(end byte) (done bool, err error) {
	s.space()
	if s.take(end) {
		return true, nil
	}
	if !s.take(',') {
		return false, errJSON
	}
	return false, nil
}

func (s *scanner) value(depth int) ([]byte, error) {
	s.space()
	start := s.i
	var err error
	switch c := s.peek(); {
	case c == '{':
		err = s.object(depth+1, nil)
	case c == '[':
		err = s.array(depth+1, nil)
	case c == '"':
		_, err = s.string()
	case c == '-' || c >= '0' && c <= '9':
		err = s.number()
	default:
		err = s.word()
	}
	return s.b[start:s.i], err
}

func (s *scanner) word() error {
	for _, w := range []string{"true", "false", "null"} {
		if len(s.b)-s.i >= len(w) && string(s.b[s.i:s.i+len(w)]) == w {
			s.i += len(w)
			return nil
		}
	}
	return errJSON
}

func (s *scanner) digits() bool {
	start := s.i
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.i++
	}
	return s.i > start
}

func (s *scanner) number() error {
	s.take('-')
	if zero := s.take('0'); !zero && !s.digits() {
		return errJSON
	}
	if s.take('.') && !s.digits() {
		return errJSON
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return errJSON
		}
	}
	return nil
}

func (s *scanner) string() (string, error) {
	if !s.take('"') {
		return "", errJSON
	}
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			text := s.b[start:s.i]
			s.i++
			return string(text), nil
		case c == '\\':
			return s.escaped(append([]byte(nil), s.b[start:s.i]...))
		case c < 0x20:
			return "", errJSON
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, size := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && size == 1 {
				return "", errJSON
			}
			s.i += size
		}
	}
	return "", errJSON
}

// escapes are those of one letter (RFC 8259 §7).
var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped goes on with a string in which an escape has come.
func (s *scanner) escaped(text []byte) (string, error) {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return string(text), nil
		case c == '\\':
			s.i++
			if plain, ok := escapes[s.peek()]; ok {
				text = append(text, plain)
				s.i++
				continue
			}
			r, err := s.unicodeEscape()
			if err != nil {
				return "", err
			}
			text = utf8.AppendRune(text, r)
		case c < 0x20:
			return "", errJSON
		default:
			r, size := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && size == 1 {
				return "", errJSON
			}
			text = append(text, s.b[s.i:s.i+size]...)
			s.i += size
		}
	}
	return "", errJSON
}

// unicodeEscape reads what stands after a backslash: u and four digits, and the
// second half of a surrogate pair if that is the first.
func (s *scanner) unicodeEscape() (rune, error) {
	r, ok := s.hex4()
	if !ok {
		return 0, errJSON
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if !s.take('\\') {
		return 0, errJSON
	}
	low, ok := s.hex4()
	pair := utf16.DecodeRune(r, low)
	if !ok || pair == utf8.RuneError {
		return 0, errJSON
	}
	return pair, nil
}

func (s *scanner) hex4() (rune, bool) {
	if !s.take('u') || len(s.b)-s.i < 4 {
		return 0, false
	}
	var r rune
	for range 4 {
		c := s.b[s.i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
		s.i++
	}
	return r, true
}
