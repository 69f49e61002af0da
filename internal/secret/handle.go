package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"strings"
)

// Prefix names a kind of credential. It is the part before the underscore, so
// a reader, a log filter or a secret scanner knows what it has found.
type Prefix string

// The kinds of credential.
const (
	AccessToken   Prefix = "spat"
	RefreshToken  Prefix = "sprt"
	AuthCode      Prefix = "spac"
	PendingSignIn Prefix = "spfl" // and a sign-out that is under way
	ClientSecret  Prefix = "spcs"
	SessionCookie Prefix = "spse"
	MasterKey     Prefix = "spmk"
	Registration  Prefix = "sprg" // registration access token, RFC 7592
	InitialAccess Prefix = "spia" // initial access token, RFC 7591
	DeviceCode    Prefix = "spdc"
	AuthRequestID Prefix = "sprq" // auth_req_id of CIBA

	BrowserSession Prefix = "spbs" // cookie of a browser app
	APIKey         Prefix = "spak"
)

// Prefixes lists every kind, for scanners and for the reference page.
var Prefixes = []Prefix{AccessToken, RefreshToken, AuthCode, PendingSignIn, ClientSecret, SessionCookie, MasterKey, Registration, InitialAccess, DeviceCode, AuthRequestID, BrowserSession, APIKey}

// MaxHandle is the longest handle that Decode looks at, in bytes.
const MaxHandle = 8 << 10

// ErrMalformed says that a string is not a handle of the wanted kind: prefix,
// alphabet, canonical encoding or checksum is wrong.
var ErrMalformed = errors.New("malformed handle")

const (
	checksumLen = 6
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	randomBytes = 32
)

// encoding refuses non-canonical trailing bits, but skips CR and LF, which
// DecodeInto therefore refuses by itself.
var encoding = base64.RawURLEncoding.Strict()

// NewHandle returns a handle over 256 random bits.
func NewHandle(p Prefix) Value { return Encode(p, Random(randomBytes)) }

// Random returns n bytes from the system's generator. A failing generator
// ends the process (crypto/rand), so there is no error to check.
func Random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// Encode builds the handle <prefix>_<base64url payload><checksum>. The
// checksum is CRC-32 (IEEE) over everything before it, as six base-62 digits,
// most significant first.
func Encode(p Prefix, payload []byte) Value {
	return New(string(AppendHandle(nil, p, payload)))
}

// AppendHandle appends the handle to dst. It allocates only to grow dst.
func AppendHandle(dst []byte, p Prefix, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, p...)
	dst = append(dst, '_')
	dst = encoding.AppendEncode(dst, payload)
	sum := checksum(dst[start:])
	return append(dst, sum[:]...)
}

// Decode returns the payload of a handle of kind p, or ErrMalformed.
func Decode(p Prefix, s string) ([]byte, error) { return DecodeInto(nil, p, s) }

// DecodeInto appends the payload to dst and allocates only to grow it, by at
// most len(s).
func DecodeInto(dst []byte, p Prefix, s string) ([]byte, error) {
	head := len(p) + 1
	if len(s) > MaxHandle || len(s) < head+checksumLen || s[:len(p)] != string(p) || s[len(p)] != '_' {
		return nil, ErrMalformed
	}
	body, sum := s[:len(s)-checksumLen], s[len(s)-checksumLen:]
	if strings.IndexByte(body, '\n') >= 0 || strings.IndexByte(body, '\r') >= 0 {
		return nil, ErrMalformed
	}
	start := len(dst)
	dst = append(dst, body...)
	if want := checksum(dst[start:]); string(want[:]) != sum {
		return nil, ErrMalformed
	}
	n, err := encoding.Decode(dst[start:], dst[start+head:]) // in place: output never overtakes input
	if err != nil {
		return nil, ErrMalformed
	}
	return dst[:start+n], nil
}

// Kind reports the prefix of a well-formed handle of ours, whichever it is.
func Kind(s string) (Prefix, bool) {
	name, _, found := strings.Cut(s, "_")
	if !found {
		return "", false
	}
	for _, p := range Prefixes {
		if name == string(p) {
			_, err := Decode(p, s)
			return p, err == nil
		}
	}
	return "", false
}

func checksum(body []byte) (out [checksumLen]byte) {
	crc := crc32.ChecksumIEEE(body)
	for i := checksumLen - 1; i >= 0; i-- {
		out[i] = base62[crc%62]
		crc /= 62
	}
	return out
}
