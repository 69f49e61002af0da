package sallyport

import (
	"encoding/base64"
	"strings"
)

// Limits on what is looked at, in bytes.
const (
	maxToken  = 8 << 10
	maxHeader = 2 << 10
)

// jws is a compact JWS taken apart (RFC 7515 §7.1). Nothing in it is true yet.
type jws struct {
	alg, kid, typ string
	input         string // what was signed
	payload, sig  []byte
}

// b64 refuses stray bits; line breaks, which it would skip, are refused before.
var b64 = base64.RawURLEncoding.Strict()

func parseJWS(token string) (*jws, error) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 || strings.ContainsAny(token, "\r\n") {
		return nil, refuse(ReasonForm)
	}
	last := strings.LastIndexByte(token, '.')
	head, body, _ := strings.Cut(token[:last], ".")
	header, err1 := b64.DecodeString(head)
	payload, err2 := b64.DecodeString(body)
	sig, err3 := b64.DecodeString(token[last+1:])
	// Both algorithms have signatures of 64 bytes (RFC 8032 §5.1.6, RFC 7518 §3.4).
	if err1 != nil || err2 != nil || err3 != nil || len(header) > maxHeader || len(sig) != 64 {
		return nil, refuse(ReasonForm)
	}
	t := &jws{input: token[:last], payload: payload, sig: sig}
	if err := t.readHeader(header); err != nil {
		return nil, err
	}
	return t, nil
}

// forbidden members would choose a key, another encoding, or what must be
// understood (RFC 7515 §4.1, RFC 7516 §4.1, RFC 7797 §3). The gateway writes
// none of them.
var forbidden = map[string]bool{
	"jku": true, "jwk": true, "x5u": true, "x5c": true, "x5t": true, "x5t#S256": true, "crit": true, "b64": true, "cty": true,
	"enc": true, "zip": true, "epk": true, "apu": true, "apv": true, "iv": true, "tag": true, "p2s": true, "p2c": true,
	"iss": true, "sub": true, "aud": true, "exp": true, // RFC 7519 §5.3: only for JWE, and two truths are one too many
}

func (t *jws) readHeader(header []byte) error {
	err := scanObject(header, func(name string, value []byte) (err error) {
		switch name {
		case "alg":
			t.alg, err = stringValue(value)
		case "kid":
			t.kid, err = stringValue(value)
		case "typ":
			t.typ, err = stringValue(value)
		default:
			if forbidden[name] {
				err = errJSON
			}
		}
		return err
	})
	if err != nil || t.kid == "" {
		return refuse(ReasonJOSE)
	}
	if t.alg != "EdDSA" && t.alg != "ES256" {
		return refuse(ReasonAlgorithm)
	}
	// A media type is compared without case, and may omit "application/" (RFC 7515 §4.1.9).
	if strings.TrimPrefix(strings.ToLower(t.typ), "application/") != typeInner || !ascii(t.typ) {
		return refuse(ReasonType)
	}
	return nil
}

// ascii keeps letters out that become ASCII in lower case, as the Kelvin sign.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
