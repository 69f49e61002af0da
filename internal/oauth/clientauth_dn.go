package oauth

import (
	"cmp"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// attribute is one attribute of a distinguished name.
type attribute struct{ oid, value string }

// maxDN is the longest distinguished name that is read, in bytes.
const maxDN = 1024

// attributeTypes are the short names of attributes (RFC 4514 §3, and those that
// certificates have besides), in capital letters.
var attributeTypes = map[string]string{
	"CN": "2.5.4.3", "SN": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8", "STREET": "2.5.4.9",
	"O": "2.5.4.10", "OU": "2.5.4.11", "TITLE": "2.5.4.12", "BUSINESSCATEGORY": "2.5.4.15", "POSTALCODE": "2.5.4.17",
	"GIVENNAME": "2.5.4.42", "ORGANIZATIONIDENTIFIER": "2.5.4.97", "UID": "0.9.2342.19200300.100.1.1",
	"DC": "0.9.2342.19200300.100.1.25", "EMAILADDRESS": "1.2.840.113549.1.9.1",
	"JURISDICTIONC": "1.3.6.1.4.1.311.60.2.1.3", "JURISDICTIONST": "1.3.6.1.4.1.311.60.2.1.2", "JURISDICTIONL": "1.3.6.1.4.1.311.60.2.1.1",
}

// subjectIs reports whether the subject of cert is the distinguished name dn
// (RFC 4514): the same attributes in the same order, each value character by
// character, however it is encoded.
func subjectIs(cert *x509.Certificate, dn string) bool {
	want, err := parseDN(dn)
	if err != nil {
		return false
	}
	var seq pkix.RDNSequence
	if rest, err := asn1.Unmarshal(cert.RawSubject, &seq); err != nil || len(rest) > 0 || len(seq) != len(want) {
		return false
	}
	for i, set := range seq {
		have := make([]attribute, 0, len(set))
		for _, a := range set {
			text, ok := a.Value.(string)
			if !ok {
				return false
			}
			have = append(have, attribute{a.Type.String(), text})
		}
		sortAttributes(have)
		if !slices.Equal(have, want[len(want)-1-i]) { // the text begins with the last
			return false
		}
	}
	return true
}

func sortAttributes(list []attribute) {
	slices.SortFunc(list, func(a, b attribute) int { return cmp.Or(cmp.Compare(a.oid, b.oid), cmp.Compare(a.value, b.value)) })
}

// parseDN reads the string form of a distinguished name (RFC 4514 §3). Spaces
// may follow a comma, as many tools write them; others in a value's ends are
// escaped.
func parseDN(text string) ([][]attribute, error) {
	if len(text) > maxDN || !utf8.ValidString(text) {
		return nil, errors.New("is not a distinguished name of at most 1 KiB")
	}
	var rdns [][]attribute
	d := dnReader{text: text}
	for {
		var set []attribute
		for {
			a, err := d.attribute()
			if err != nil {
				return nil, err
			}
			set = append(set, a)
			if !d.take('+') {
				break
			}
		}
		sortAttributes(set)
		rdns = append(rdns, set)
		if d.i == len(text) {
			return rdns, nil
		}
		if !d.take(',') {
			return nil, d.wrong("a comma is needed")
		}
		for d.take(' ') {
		}
	}
}

type dnReader struct {
	text string
	i    int
}

func (d *dnReader) wrong(why string) error {
	return fmt.Errorf("is not a distinguished name (RFC 4514): at character %d %s", d.i+1, why)
}

func (d *dnReader) take(c byte) bool {
	if d.i < len(d.text) && d.text[d.i] == c {
		d.i++
		return true
	}
	return false
}

func (d *dnReader) attribute() (attribute, error) {
	name, _, found := strings.Cut(d.text[d.i:], "=")
	if !found {
		return attribute{}, d.wrong("an attribute is needed, as in CN=shop")
	}
	oid := attributeTypes[strings.ToUpper(name)]
	if oid == "" {
		if !isOID(name) {
			return attribute{}, d.wrong("an attribute that is known, or its number, is needed")
		}
		oid = name
	}
	d.i += len(name) + 1
	if d.take('#') {
		value, err := d.hex()
		return attribute{oid, value}, err
	}
	value, err := d.value()
	return attribute{oid, value}, err
}

// isOID reports whether s is a numericoid (RFC 4512 §1.4).
func isOID(s string) bool {
	parts := strings.Split(s, ".")
	for _, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 || strconv.FormatInt(n, 10) != part {
			return false
		}
	}
	return len(parts) > 1
}

// hex reads a value that is written as the hexadecimal digits of its encoding.
func (d *dnReader) hex() (string, error) {
	rest := d.text[d.i:]
	if end := strings.IndexAny(rest, ",+"); end >= 0 {
		rest = rest[:end]
	}
	der, err := hex.DecodeString(rest)
	if err != nil {
		return "", d.wrong("hexadecimal digits are needed")
	}
	var value any
	if tail, err := asn1.Unmarshal(der, &value); err != nil || len(tail) > 0 {
		return "", d.wrong("the value is not encoded as a string")
	}
	text, ok := value.(string)
	if !ok {
		return "", d.wrong("the value is not encoded as a string")
	}
	d.i += len(rest)
	return text, nil
}

// value reads a value with its escapes, up to the next separator.
func (d *dnReader) value() (string, error) {
	var b []byte
	from, spaces := d.i, 0 // spaces at the end so far that are not escaped
	for d.i < len(d.text) {
		switch c := d.text[d.i]; c {
		case ',', '+':
			return d.finish(b, spaces)
		case '"', ';', '<', '>', 0:
			return "", d.wrong("a character that must be escaped")
		case '\\':
			if err := d.escape(&b); err != nil {
				return "", err
			}
			spaces = 0
		case ' ':
			if d.i == from {
				return "", d.wrong("a space that must be escaped")
			}
			b, spaces = append(b, c), spaces+1
			d.i++
		default:
			b, spaces = append(b, c), 0
			d.i++
		}
	}
	return d.finish(b, spaces)
}

func (d *dnReader) finish(b []byte, spaces int) (string, error) {
	switch {
	case len(b) == 0:
		return "", d.wrong("a value is needed")
	case spaces > 0:
		return "", d.wrong("a space that must be escaped")
	case !utf8.Valid(b):
		return "", d.wrong("the value is not UTF-8")
	}
	return string(b), nil
}

func (d *dnReader) escape(b *[]byte) error {
	rest := d.text[d.i+1:]
	if rest != "" && strings.IndexByte(` "#+,;<=>\`, rest[0]) >= 0 {
		*b = append(*b, rest[0])
		d.i += 2
		return nil
	}
	if len(rest) >= 2 {
		if pair, err := hex.DecodeString(rest[:2]); err == nil {
			*b = append(*b, pair...)
			d.i += 3
			return nil
		}
	}
	return d.wrong("an escape that does not exist")
}
