package contract

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// What JSON may have at most, whatever a description says. A parser behind the
// gateway may recurse, allocate by count, or expand a number: none gets more.
const (
	MaxDepth  = 32      // values inside values
	MaxValues = 100_000 // in one text
	MaxItems  = 10_000  // of one array
	MaxNames  = 1_000   // of one object
	MaxString = 256 << 10
	maxNumber = 64  // characters
	maxPower  = 400 // of ten
)

// Fault is a place and the rule that is broken there, and never what was found:
// that may be a secret.
type Fault struct {
	In      string // body, query, header, path, status
	Pointer string // in a body a JSON Pointer (RFC 6901), elsewhere the name
	Code    string // one of a fixed set of words
}

// ParseJSON reads one JSON text (RFC 8259) that every reader takes for the same
// value, I-JSON (RFC 7493) with limits: UTF-8, no name twice, no half of a
// surrogate pair, numbers of ordinary size. Values are nil, bool, json.Number,
// string, []any and map[string]any. The code is "" if it passes.
func ParseJSON(text []byte) (value any, code string) {
	p := parser{text: text}
	p.space()
	v := p.value(0)
	p.space()
	if p.code == "" && p.at < len(text) {
		p.fail("json")
	}
	if p.code != "" {
		return nil, p.code
	}
	return v, ""
}

type parser struct {
	text  []byte
	at    int
	count int
	code  string
}

// fail keeps the first code and ends the reading.
func (p *parser) fail(code string) any {
	if p.code == "" {
		p.code = code
	}
	p.at = len(p.text)
	return nil
}

func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) any {
	if p.count++; p.count > MaxValues {
		return p.fail("too_many_values")
	}
	if depth > MaxDepth {
		return p.fail("too_deep")
	}
	switch b := p.peek(); {
	case b == '{':
		return p.object(depth)
	case b == '[':
		return p.array(depth)
	case b == '"':
		return p.str()
	case b == '-' || isDigit(b):
		return p.number()
	}
	switch rest := p.text[p.at:]; {
	case bytes.HasPrefix(rest, []byte("true")):
		p.at += len("true")
		return true
	case bytes.HasPrefix(rest, []byte("false")):
		p.at += len("false")
		return false
	case bytes.HasPrefix(rest, []byte("null")):
		p.at += len("null")
		return nil
	}
	return p.fail("json")
}

func (p *parser) object(depth int) any {
	p.at++
	m := map[string]any{}
	for p.space(); p.peek() != '}'; p.space() {
		if len(m) > 0 {
			if p.peek() != ',' {
				return p.fail("json")
			}
			p.at++
			p.space()
		}
		if p.peek() != '"' {
			return p.fail("json")
		}
		name := p.str()
		if _, twice := m[name]; twice {
			return p.fail("duplicate_name")
		}
		if len(m) == MaxNames {
			return p.fail("too_many_names")
		}
		p.space()
		if p.peek() != ':' {
			return p.fail("json")
		}
		p.at++
		p.space()
		m[name] = p.value(depth + 1)
	}
	p.at++
	return m
}

func (p *parser) array(depth int) any {
	p.at++
	list := []any{}
	for p.space(); p.peek() != ']'; p.space() {
		if len(list) > 0 {
			if p.peek() != ',' {
				return p.fail("json")
			}
			p.at++
			p.space()
		}
		if len(list) == MaxItems {
			return p.fail("too_many_items")
		}
		list = append(list, p.value(depth+1))
		if p.code != "" {
			return nil
		}
	}
	p.at++
	return list
}

// str reads a string, whose quote is next.
func (p *parser) str() string {
	p.at++
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != '"' && p.text[p.at] != '\\' && p.text[p.at] >= 0x20 {
		p.at++
	}
	if p.peek() == '"' {
		return p.text8(p.text[start:p.at])
	}
	out := append([]byte(nil), p.text[start:p.at]...)
	for p.at < len(p.text) {
		switch b := p.text[p.at]; {
		case b == '"':
			return p.text8(out)
		case b == '\\':
			out = p.escape(out)
		case b < 0x20:
			p.fail("json")
		default:
			out = append(out, b)
			p.at++
		}
	}
	p.fail("json")
	return ""
}

// text8 ends a string at its closing quote.
func (p *parser) text8(b []byte) string {
	p.at++
	switch {
	case len(b) > MaxString:
		p.fail("string_too_long")
	case !utf8.Valid(b):
		p.fail("utf8")
	default:
		return string(b)
	}
	return ""
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) escape(out []byte) []byte {
	p.at++
	if b, plain := escapes[p.peek()]; plain {
		p.at++
		return append(out, b)
	}
	r := p.unit()
	if utf16.IsSurrogate(r) {
		if p.peek() != '\\' {
			p.fail("surrogate")
			return out
		}
		p.at++
		if r = utf16.DecodeRune(r, p.unit()); r == utf8.RuneError {
			p.fail("surrogate")
			return out
		}
	}
	return utf8.AppendRune(out, r)
}

// unit reads uXXXX.
func (p *parser) unit() rune {
	if p.peek() != 'u' || len(p.text)-p.at < 5 {
		p.fail("json")
		return 0
	}
	n, err := strconv.ParseUint(string(p.text[p.at+1:p.at+5]), 16, 16)
	if err != nil {
		p.fail("json")
		return 0
	}
	p.at += 5
	return rune(n)
}

func (p *parser) number() any {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	switch b := p.peek(); {
	case b == '0':
		p.at++
	case isDigit(b):
		p.digits()
	default:
		return p.fail("json")
	}
	if p.peek() == '.' {
		p.at++
		if p.digits() == 0 {
			return p.fail("json")
		}
	}
	if p.peek()|0x20 == 'e' {
		p.at++
		if b := p.peek(); b == '+' || b == '-' {
			p.at++
		}
		from := p.at
		if p.digits() == 0 {
			return p.fail("json")
		}
		if n, err := strconv.Atoi(string(p.text[from:p.at])); err != nil || n > maxPower {
			return p.fail("number_too_large")
		}
	}
	if p.at-start > maxNumber {
		return p.fail("number_too_large")
	}
	return json.Number(p.text[start:p.at])
}

func (p *parser) digits() int {
	start := p.at
	for isDigit(p.peek()) {
		p.at++
	}
	return p.at - start
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
