package token

import "fmt"

// Format is how an access token is written. It is a choice of the API that the
// token is for; what the token says and how it is revoked does not depend on it.
type Format uint8

// The formats.
const (
	FormatSealed Format = iota // encrypted state, opaque to everybody but issuer and gateway
	FormatJWT                  // signed, readable by everybody who holds it (RFC 9068)
	FormatNested               // the same, encrypted to the API alone (RFC 7519 §5.2)
)

var formatNames = [...]string{FormatSealed: "sealed", FormatJWT: "jwt", FormatNested: "nested"}

// String is the name used in configuration.
func (f Format) String() string {
	if int(f) >= len(formatNames) {
		return fmt.Sprintf("format(%d)", f)
	}
	return formatNames[f]
}

// UnmarshalText implements encoding.TextUnmarshaler. The empty text is sealed.
func (f *Format) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*f = FormatSealed
		return nil
	}
	for i, name := range formatNames {
		if name == string(b) {
			*f = Format(i)
			return nil
		}
	}
	return fmt.Errorf("unknown token format %q: use sealed, jwt or nested", b)
}
