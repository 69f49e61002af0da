package contract

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

// bound is a number that others are compared with.
type bound struct {
	rat       *big.Rat
	float     float64
	text      string
	exclusive bool
}

func text(n *node) string {
	num, _ := n.scalar.(json.Number)
	return num.String()
}

func newBound(n *node) (*bound, error) {
	b := &bound{text: text(n)}
	rat, ok := new(big.Rat).SetString(b.text)
	if b.text == "" || !ok {
		return nil, n.problem("must be a number")
	}
	b.rat = rat
	b.float, _ = strconv.ParseFloat(b.text, 64)
	return b, nil
}

// limit sets minimum or maximum, unless an exclusive one has set a stricter.
func limit(into **bound, n *node, exclusive bool) error {
	b, err := newBound(n)
	if err != nil {
		return err
	}
	b.exclusive = exclusive
	if *into == nil {
		*into = b
	}
	return nil
}

// exclusive sets exclusiveMinimum (side 1) or exclusiveMaximum (side -1) of
// 2020-12; the booleans of 3.0 are read with their number.
func exclusive(into **bound, n *node, side int) error {
	if _, flag := n.scalar.(bool); flag {
		return nil
	}
	b, err := newBound(n)
	if err != nil {
		return err
	}
	b.exclusive = true
	if *into == nil || (*into).rat.Cmp(b.rat)*side <= 0 {
		*into = b
	}
	return nil
}

// compare is the order of n and the bound. Reading a float keeps the order of
// what is far enough apart; only what looks equal is compared exactly.
func (b *bound) compare(n json.Number) int {
	s := n.String()
	if s == b.text {
		return 0
	}
	f, _ := strconv.ParseFloat(s, 64)
	switch {
	case f < b.float:
		return -1
	case f > b.float:
		return 1
	}
	return rational(s).Cmp(b.rat)
}

// divides reports whether n is a multiple of the bound.
func (b *bound) divides(n json.Number) bool {
	return new(big.Rat).Quo(rational(n.String()), b.rat).IsInt()
}

// rational is exact; powers are bounded by ParseJSON.
func rational(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return new(big.Rat)
	}
	return r
}

// isInteger reports whether n is whole, however it is written (2020-12 §4.2.3).
func isInteger(n json.Number) bool {
	s := n.String()
	return !strings.ContainsAny(s, ".eE") || rational(s).IsInt()
}

// equal compares as JSON Schema does: 1 is 1.0, the order of members is nothing.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || rational(a.String()).Cmp(rational(b.String())) == 0)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			if w, there := b[name]; !there || !equal(v, w) {
				return false
			}
		}
		return true
	case nil, bool, string:
		switch b.(type) {
		case nil, bool, string:
			return a == b
		}
	}
	return false
}

// canonical is a text that is the same for equal values.
func canonical(b *strings.Builder, v any) {
	switch v := v.(type) {
	case json.Number:
		b.WriteString(rational(v.String()).RatString())
	case []any:
		b.WriteByte('[')
		for _, item := range v {
			canonical(b, item)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for _, name := range sorted(v) {
			b.WriteString(strconv.Quote(name))
			b.WriteByte(':')
			canonical(b, v[name])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	case string:
		b.WriteString(strconv.Quote(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	default:
		b.WriteString("null")
	}
}
