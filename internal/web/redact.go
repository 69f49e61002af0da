package web

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"sallyport/internal/secret"
)

const (
	maxLogged = 512
	maxStack  = 8 << 10
)

// safeAttr makes an attribute fit for any sink: no control characters, line
// separators or marks that turn the writing (LG04), bounded length, and no
// credential of ours even where a client put one into the wrong field (LG03).
func safeAttr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(safe(a.Value.String(), limitOf(a.Key)))
	case slog.KindGroup:
		group := a.Value.Group()
		out := make([]slog.Attr, len(group))
		for i := range group {
			out[i] = safeAttr(group[i])
		}
		a.Value = slog.GroupValue(out...)
	case slog.KindAny:
		a.Value = slog.StringValue(safe(fmt.Sprint(a.Value.Any()), maxLogged))
	default:
	}
	return a
}

func limitOf(key string) int {
	if key == "stack" {
		return maxStack
	}
	return maxLogged
}

// safe is the identity for the short plain text that nearly all values are.
func safe(s string, most int) string {
	plain := len(s) <= most
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if !plain {
		s = strip(s, most)
	}
	return withoutJWTs(withoutHandles(s))
}

// withoutJWTs replaces what looks like a JWT or JWE, whole or cut. Whose it is
// does not matter: it may be good somewhere.
func withoutJWTs(s string) string {
	const begin, least = "eyJ", 20 // {" in base64url; shorter ones are words
	for from := 0; ; {
		at := strings.Index(s[from:], begin)
		if at < 0 {
			return s
		}
		start := from + at
		end := start + len(begin)
		for end < len(s) && (handleByte(s[end]) || s[end] == '.') {
			end++
		}
		from = end
		if end-start >= least {
			s = s[:start] + begin + "[redacted]" + s[end:]
			from = start + len(begin) + len("[redacted]")
		}
	}
}

func strip(s string, most int) string {
	var b strings.Builder
	for _, c := range s {
		if b.Len() >= most {
			b.WriteString(cutMarker)
			break
		}
		if c == utf8.RuneError || unicode.In(c, unicode.C, unicode.Zl, unicode.Zp) {
			c = ' '
		}
		b.WriteRune(c)
	}
	return b.String()
}

// withoutHandles replaces what looks like a credential of ours, whole or cut.
func withoutHandles(s string) string {
	if strings.IndexByte(s, '_') < 0 { // nearly always
		return s
	}
	for _, head := range handleHeads {
		for from := 0; ; {
			at := strings.Index(s[from:], head)
			if at < 0 {
				break
			}
			start := from + at
			end := start + len(head)
			for end < len(s) && handleByte(s[end]) {
				end++
			}
			s = s[:start] + head + "[redacted]" + s[end:]
			from = start + len(head) + len("[redacted]")
		}
	}
	return s
}

// handleHeads are the beginnings of all credentials of ours.
var handleHeads = func() (heads []string) {
	for _, p := range secret.Prefixes {
		heads = append(heads, string(p)+"_")
	}
	return heads
}()

func handleByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
