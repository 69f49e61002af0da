package jose

// Limits of a compact token, in bytes.
const (
	maxJWS    = 8 << 10
	maxHeader = 2 << 10 // as JSON
)

// header is the JOSE header of a JWS, with what we read of it (RFC 7515 §4.1).
type header struct {
	alg Algorithm
	kid string
	typ string
	cty string
	jwk string // raw; "" if absent

	hasKid, hasTyp, hasCty bool
}

// refused are members that would let a token choose its own key, or that change
// what the bytes mean. Claims have no place in the header of a JWS either (RFC
// 7519 §5.3 has them for a JWE).
var refused = map[string]Reason{
	"jku": ReasonHeaderKey, "x5u": ReasonHeaderKey, "x5c": ReasonHeaderKey,
	"crit": ReasonCritical, "b64": ReasonCritical,
	"zip": ReasonHeader, "p2c": ReasonHeader, "p2s": ReasonHeader, "enc": ReasonHeader, "epk": ReasonHeader,
	"iv": ReasonHeader, "tag": ReasonHeader, "apu": ReasonHeader, "apv": ReasonHeader,
	"iss": ReasonHeader, "sub": ReasonHeader, "aud": ReasonHeader, "exp": ReasonHeader,
}

func parseHeader(b []byte) (header, error) {
	var h header
	if len(b) > maxHeader {
		return h, refuse(ReasonSize)
	}
	err := scanObject(string(b), func(name, value string, _ int) error {
		var ok bool
		switch name {
		case "alg":
			var alg string
			alg, ok = unquote(value)
			h.alg = Algorithm(alg)
		case "kid":
			h.hasKid = true
			h.kid, ok = unquote(value)
			ok = ok && h.kid != "" && len(h.kid) <= maxKeyID
		case "typ":
			h.hasTyp = true
			h.typ, ok = unquote(value)
		case "cty":
			h.hasCty = true
			h.cty, ok = unquote(value)
		case "jwk":
			h.jwk, ok = value, value[0] == '{'
		default:
			if r := refused[name]; r != "" {
				return refuse(r)
			}
			return nil
		}
		if !ok {
			return refuse(ReasonHeader)
		}
		return nil
	})
	if err == errJSON { //nolint:errorlint // it comes from ScanObject as it is
		return h, refuse(ReasonHeader)
	}
	return h, err
}

// mediaType is typ or cty as it is compared: lower case, and without the
// application/ that may be left out where no other slash follows (RFC 7515
// §4.1.9).
func mediaType(s string) string {
	const application = "application/"
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	if len(b) > len(application) && string(b[:len(application)]) == application {
		b = b[len(application):]
	}
	return string(b)
}
