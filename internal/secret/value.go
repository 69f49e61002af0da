// Package secret decides how credentials look, compare and hide: values that
// no printer can reveal, handles with a prefix and a checksum, and
// time-ordered identifiers. It knows nothing of protocols, storage or HTTP.
// Start at Value, then handle.go.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every printer shows in place of a Value.
const redacted = "[redacted]"

// Value holds a credential. It prints as a marker under every fmt verb, in
// JSON, XML, YAML, text and slog, also from an unexported field of another
// struct. It holds a function and not a string, because printers that follow
// pointers into unexported fields (go-cmp, spew, debuggers of templates) cannot
// look into one, and because the compiler then refuses ==, which is not
// constant time. The zero Value is empty. Safe for concurrent use.
type Value struct{ reveal func() string }

// New wraps s.
func New(s string) Value { return Value{reveal: func() string { return s }} }

// Reveal returns the credential itself. Call it next to the wire or the hash
// and nowhere else.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// IsZero reports whether v holds no characters.
func (v Value) IsZero() bool { return v.Reveal() == "" }

// Equal compares in time that depends on the lengths alone.
func (v Value) Equal(o Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(o.Reveal())) == 1
}

// Hash is the SHA-256 of a credential of at least 128 random bits. Use a
// password hash for anything a person chose.
type Hash [sha256.Size]byte

// Hash returns the hash under which v is stored.
func (v Value) Hash() Hash { return sha256.Sum256([]byte(v.Reveal())) }

// Equal compares in constant time.
func (h Hash) Equal(o Hash) bool { return subtle.ConstantTimeCompare(h[:], o[:]) == 1 }

// Format implements fmt.Formatter for every verb.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements fmt.Stringer, for printers that are not fmt.
func (Value) String() string { return redacted }

// LogValue implements slog.LogValuer.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, and so JSON and YAML.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
