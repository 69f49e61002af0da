package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
)

// Reasons that only a JWE has.
const (
	ReasonCompressed Reason = "jwe_zip"        // the size of the content cannot be known before it is there
	ReasonEphemeral  Reason = "jwe_epk"        // the sender's key is missing, private, or not on the curve
	ReasonReplicated Reason = "jwe_replicated" // a claim in the header is not that of the signed token
)

// jweHeader is the protected header of a JWE: the members that mean something
// here. Others are ignored (RFC 7516 §4), but for those in refusedJWE.
type jweHeader struct {
	alg    Algorithm
	enc    Encryption
	kid    string
	hasKid bool
	cty    string
	epk    *ephemeral
	claims map[string][]byte // what it repeats of the payload, as JSON
}

// ephemeral is the sender's half of a key agreement (RFC 7518 §4.6.1.1).
type ephemeral struct {
	crv  string
	x, y []byte
}

// refusedJWE are members that would change what the rest means, choose a key,
// or cost more than the token is worth.
var refusedJWE = map[string]Reason{
	"crit": ReasonCritical, "b64": ReasonCritical, "zip": ReasonCompressed,
	"jwk": ReasonHeaderKey, "jku": ReasonHeaderKey, "x5u": ReasonHeaderKey,
	"x5c": ReasonHeaderKey, "x5t": ReasonHeaderKey, "x5t#S256": ReasonHeaderKey,
	"p2s": ReasonAlgorithm, "p2c": ReasonAlgorithm, "iv": ReasonAlgorithm, "tag": ReasonAlgorithm,
}

// repeatable are claims that a header may repeat (RFC 7519 §5.3).
var repeatable = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id"}

// splitJWE cuts a compact JWE into its five parts, decoded.
func splitJWE(compact string) ([5][]byte, error) {
	var parts [5][]byte
	if len(compact) > MaxEncrypted {
		return parts, refuse(ReasonSize)
	}
	if strings.Count(compact, ".") != 4 {
		return parts, refuse(ReasonForm)
	}
	for i, text := range strings.Split(compact, ".") {
		b, ok := appendDecoded(nil, []byte(text))
		if !ok {
			return parts, refuse(ReasonEncoding)
		}
		parts[i] = b
	}
	return parts, nil
}

func readJWEHeader(b []byte) (*jweHeader, error) {
	if len(b) > maxHeader {
		return nil, refuse(ReasonSize)
	}
	h := &jweHeader{claims: map[string][]byte{}}
	err := ScanObject(b, h.member)
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return nil, refused
	case err != nil:
		return nil, refuse(ReasonHeader)
	case !slices.Contains(KeyAlgorithms, h.alg) || !slices.Contains(Encryptions, h.enc):
		return nil, refuse(ReasonAlgorithm)
	}
	return h, nil
}

func (h *jweHeader) member(name string, value []byte) error {
	if reason, refused := refusedJWE[name]; refused {
		return refuse(reason)
	}
	text, isText := unquote(string(value))
	switch name {
	case "alg":
		h.alg = Algorithm(text)
	case "enc":
		h.enc = Encryption(text)
	case "kid":
		h.kid, h.hasKid = text, true
	case "cty":
		h.cty = text
	case "typ":
	case "apu", "apv":
		if _, ok := appendDecoded(nil, []byte(text)); !ok {
			return errJSON
		}
	case "epk":
		return h.ephemeral(value)
	default:
		if slices.Contains(repeatable, name) {
			h.claims[name] = value
		}
		return nil
	}
	if !isText {
		return errJSON
	}
	return nil
}

// ephemeral reads epk. A private part in it would be a secret that everybody
// on the way has read.
func (h *jweHeader) ephemeral(value []byte) error {
	m, err := readMembers(string(value))
	if err != nil || m.kty != "EC" || m.private {
		return refuse(ReasonEphemeral)
	}
	x, okX := appendDecoded(nil, []byte(m.x))
	y, okY := appendDecoded(nil, []byte(m.y))
	if !okX || !okY {
		return refuse(ReasonEphemeral)
	}
	h.epk = &ephemeral{m.crv, x, y}
	return nil
}

// fits holds header and parts against the key, before anything is computed
// with it: the lengths are given by alg and enc, and a point that is not on the
// key's own curve would tell the sender something about the key.
func (h *jweHeader) fits(k *DecryptionKey, parts [5][]byte) error {
	size := encryptionSizes[h.enc]
	if len(parts[2]) != size.iv || len(parts[4]) != size.tag || len(parts[3]) == 0 {
		return refuse(ReasonDecrypt)
	}
	wrapped := 0 // of the content encryption key
	switch private := k.Private.(type) {
	case *rsa.PrivateKey:
		wrapped = private.Size()
		if h.epk != nil {
			return refuse(ReasonEphemeral)
		}
	case *ecdsa.PrivateKey:
		if h.alg != ECDHES {
			wrapped = size.key + 8 // RFC 3394 §2.2.1
		}
		if !h.epk.on(private.Curve) {
			return refuse(ReasonEphemeral)
		}
	}
	if len(parts[1]) != wrapped {
		return refuse(ReasonDecrypt)
	}
	return nil
}

// on reports whether e is a point of the curve, written as the curve's
// coordinates are (RFC 7518 §6.2.1.2).
func (e *ephemeral) on(curve elliptic.Curve) bool {
	if e == nil || e.crv != curveNames[curve] {
		return false
	}
	_, err := newEC(curve, e.x, e.y)
	return err == nil
}

// nests reports whether cty says that a JWT is in the envelope (RFC 7519 §5.2).
func (h *jweHeader) nests() bool {
	return mediaType(h.cty) == "jwt"
}

// repeats reports whether every claim in the header is the same in the signed
// token (RFC 7519 §5.3). The header is authenticated by nobody's signature.
func (h *jweHeader) repeats(c *Claims) bool {
	for name, value := range h.claims {
		if !sameClaim(value, c.Raw(name)) {
			return false
		}
	}
	return true
}

func sameClaim(a, b []byte) bool {
	if textA, ok := unquote(string(a)); ok {
		textB, ok := unquote(string(b))
		return ok && textA == textB
	}
	return len(b) > 0 && string(a) == string(b)
}
