package jose

import (
	"fmt"
	"strconv"
)

// Claims are the claims of a token that has been verified (RFC 7519 §4). They
// do not change.
type Claims struct {
	Issuer    string
	Subject   string
	Audience  []string
	ID        string // jti
	ExpiresAt int64  // Unix seconds; 0 where it is absent
	NotBefore int64
	IssuedAt  int64

	json    []byte
	members []member
	room    [16]member
	key     *Key
	typ     string
	alg     Algorithm
}

type member struct {
	name  string
	value string
}

// maxAudience is how many audiences a token may have.
const maxAudience = 16

func parseClaims(b []byte) (*Claims, error) {
	c := &Claims{json: b}
	c.members = c.room[:0]
	err := scanObject(string(b), func(name, value string, _ int) error {
		c.members = append(c.members, member{name, value})
		return c.registered(name, value)
	})
	if err == errJSON { //nolint:errorlint // it comes from ScanObject as it is
		return nil, refuse(ReasonClaims)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// registered reads the claims of RFC 7519 §4.1. One that is there must be
// right, whether this purpose needs it or not; null is not right.
func (c *Claims) registered(name, value string) error {
	var ok bool
	var r Reason
	switch name {
	case "iss":
		c.Issuer, ok = identifier(value)
		r = ReasonIssuer
	case "sub":
		c.Subject, ok = identifier(value)
		r = ReasonSubject
	case "jti":
		c.ID, ok = identifier(value)
		r = ReasonTokenID
	case "aud":
		c.Audience, ok = audience(value)
		r = ReasonAudience
	case "exp":
		c.ExpiresAt, ok = numericDate(value)
		r = ReasonExpiry
	case "nbf":
		c.NotBefore, ok = numericDate(value)
		r = ReasonNotBefore
	case "iat":
		c.IssuedAt, ok = numericDate(value)
		r = ReasonIssuedAt
	default:
		return nil
	}
	if !ok {
		return refuse(r)
	}
	return nil
}

// identifier reads a name that is compared or looked up: not empty, without
// control characters, spaces around it, or U+FFFD, into which broken text
// collapses.
func identifier(value string) (string, bool) {
	s, ok := unquote(value)
	if !ok || s == "" || s[0] == ' ' || s[len(s)-1] == ' ' {
		return "", false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == '\uFFFD' {
			return "", false
		}
	}
	return s, true
}

func audience(value string) ([]string, bool) {
	if s, ok := identifier(value); ok {
		return []string{s}, true
	}
	var list []string
	ok := scanStrings(value, func(s string) bool {
		list = append(list, s)
		return s != "" && len(list) <= maxAudience
	})
	return list, ok && len(list) > 0
}

// lastSecond is the end of the year 9999: what is later is a number in
// milliseconds or an attack on somebody's arithmetic.
const lastSecond = 253402300799

// numericDate reads a time in whole seconds after 1970, as digits alone. RFC
// 7519 §2 allows fractions; nobody who asks for them needs us.
func numericDate(value string) (int64, bool) {
	if len(value) == 0 || len(value) > 12 || value[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil && n > 0 && n <= lastSecond
}

// Raw returns the JSON of a claim, or nil if it is missing.
func (c *Claims) Raw(name string) []byte {
	if raw, ok := c.find(name); ok {
		return []byte(raw)
	}
	return nil
}

func (c *Claims) find(name string) (string, bool) {
	for i := range c.members {
		if c.members[i].name == name {
			return c.members[i].value, true
		}
	}
	return "", false
}

// Has reports whether the claim is there, be it null.
func (c *Claims) Has(name string) bool {
	_, ok := c.find(name)
	return ok
}

// String returns a claim that is a string, or "" if it is missing. An error,
// which matches ErrInvalid, says that it is something else.
func (c *Claims) String(name string) (string, error) {
	raw, found := c.find(name)
	if !found {
		return "", nil
	}
	s, ok := unquote(raw)
	if !ok {
		return "", fmt.Errorf("claim %s: %w", name, refuse(ReasonClaims))
	}
	return s, nil
}

// Strings returns a claim that is an array of strings, or nil if it is missing.
func (c *Claims) Strings(name string) ([]string, error) {
	raw, found := c.find(name)
	if !found {
		return nil, nil
	}
	list := []string{}
	if !scanStrings(raw, func(s string) bool { list = append(list, s); return true }) {
		return nil, fmt.Errorf("claim %s: %w", name, refuse(ReasonClaims))
	}
	return list, nil
}

// Int returns a claim that is a whole number of at most 18 digits, or 0 if it
// is missing.
func (c *Claims) Int(name string) (int64, error) {
	raw, found := c.find(name)
	if !found {
		return 0, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || len(raw) > 18 {
		return 0, fmt.Errorf("claim %s: %w", name, refuse(ReasonClaims))
	}
	return n, nil
}

// JSON returns the whole payload, a strict JSON object. Do not change it.
func (c *Claims) JSON() []byte { return c.json }

// Type returns typ as the header has it, or "" without one.
func (c *Claims) Type() string { return c.typ }

// Key returns the key that verified the token.
func (c *Claims) Key() *Key { return c.key }

// Algorithm returns alg as the header has it: the one that verified the token.
func (c *Claims) Algorithm() Algorithm { return c.alg }
