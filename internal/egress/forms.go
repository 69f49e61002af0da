package egress

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"sallyport/internal/secret"
)

// gram is how many bytes in a row give a credential away: any part of it of that
// length, in any of its forms, is taken for the credential. So one that is cut,
// wrapped or begun elsewhere is found too.
const gram = 16

// needles are the parts of the forms of credentials. It is never changed after
// it was made.
type needles struct {
	size   int                 // of each part, in bytes
	parts  map[string]struct{} // exact
	filter [1 << 10]uint64     // of their hashes: most of a text ends here
	occurs [256]bool           // bytes that stand in any part
	first  uint64              // what a byte counts that leaves the window
}

// newNeedles returns nil if there is nothing to look for.
func newNeedles(values []secret.Value) *needles {
	var all []string
	shortest := gram
	for _, v := range values {
		text := telling(v.Reveal())
		if text == "" {
			continue
		}
		shortest = min(shortest, len(text))
		all = append(all, forms(text)...)
	}
	if len(all) == 0 {
		return nil
	}
	n := &needles{size: shortest, parts: map[string]struct{}{}, first: 1}
	for range shortest - 1 {
		n.first *= prime
	}
	for _, form := range all {
		n.add(form)
	}
	return n
}

func (n *needles) add(form string) {
	for i := range len(form) {
		n.occurs[form[i]] = true
	}
	for i := 0; i+n.size <= len(form); i++ {
		part := form[i : i+n.size]
		n.parts[part] = struct{}{}
		var h uint64
		for k := range len(part) {
			h = h*prime + uint64(part[k])
		}
		h = spread(h)
		n.filter[h>>6] |= 1 << (h & 63)
	}
}

const prime = 0x100000001b3 // of FNV; any odd number would do

// spread is a place in the filter.
func spread(h uint64) uint64 { return (h * 0x9e3779b97f4a7c15) >> 48 }

// telling is what of a credential is one. The head and the claims of a JWT are
// much like those of others, which an answer may well hold; its signature is not.
func telling(text string) string {
	if strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") >= 2 {
		if last := text[strings.LastIndexByte(text, '.')+1:]; len(last) >= gram {
			return last
		}
	}
	return text
}

// forms are the ways in which software writes a text into another: as it is, in
// hexadecimal, and in base64, where it depends on what stands before.
func forms(text string) []string {
	lower := hex.EncodeToString([]byte(text))
	list := []string{text, lower, strings.ToUpper(lower)}
	for before := range 3 {
		for _, enc := range [...]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			list = append(list, inner64(enc, text, before))
		}
	}
	return list
}

// inner64 is what of the base64 of a longer text depends on text alone, if
// before bytes, modulo three, stand in front.
func inner64(enc *base64.Encoding, text string, before int) string {
	all := enc.EncodeToString([]byte(strings.Repeat("\x00", before) + text))
	start := (before*8 + 5) / 6
	end := (before + len(text)) * 8 / 6
	return all[start:end]
}
