package account

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 §1.2: the apps know no other everywhere; HMAC does not need it to resist collisions
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/secret"
)

// Codes of authenticator apps as RFC 6238 has them, with what every app can do:
// SHA-1, six digits, a step of 30 seconds. Our clock alone decides; a code of the
// step before or after counts too (§5.2), each once (AU07).
const (
	seedBytes  = 20 // RFC 4226 §4 R6 recommends 160 bits
	codeDigits = 6
	codeStep   = 30 * time.Second
	stepsAside = 1
)

// stepAt is the number of the time step of a moment (RFC 6238 §4.2).
func stepAt(t time.Time) int64 { return t.Unix() / int64(codeStep/time.Second) }

// codeAt is the code of one step (RFC 4226 §5.3).
func codeAt(seed []byte, step int64) string {
	mac := hmac.New(sha1.New, seed)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step))) //nolint:gosec // not before 1970
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", codeDigits, n%1_000_000)
}

// stepOf returns the latest step near now, and after last, of which code is the
// code. All are compared, whatever fits.
func stepOf(seed []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	for s := stepAt(now) - stepsAside; s <= stepAt(now)+stepsAside; s++ {
		if subtle.ConstantTimeCompare([]byte(codeAt(seed, s)), []byte(code)) == 1 && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

var seedText = base32.StdEncoding.WithPadding(base32.NoPadding)

// seedURI is what an app reads from the picture: the key URI format that all of
// them know. issuer and person are what the app calls the account. What is left out
// (SHA-1, six digits, 30 seconds) is what apps take then, and the picture is coarser
// without it.
func seedURI(seed []byte, issuer, person string) secret.Value {
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	return secret.New("otpauth://totp/" + escape(issuer) + ":" + escape(person) + "?secret=" + seedText.EncodeToString(seed) +
		"&issuer=" + escape(issuer))
}

// inGroups writes s in groups of four, for people.
func inGroups(s, between string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 4 {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(s[i:min(i+4, len(s))])
	}
	return b.String()
}
