package token

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"time"

	"sallyport/internal/secret"
)

// ErrInvalid is the only answer to a token that does not open: which check
// failed is nobody's business outside.
var ErrInvalid = errors.New("invalid token")

// Confirmation is the key that a token is bound to (RFC 7800 cnf).
type Confirmation struct {
	Method ConfirmationMethod
	Digest [32]byte // SHA-256
}

// ConfirmationMethod says what Digest is over.
type ConfirmationMethod uint8

// The confirmation methods.
const (
	ConfirmNone ConfirmationMethod = iota
	ConfirmJKT                     // thumbprint of a DPoP key, RFC 9449 §6
	ConfirmX5T                     // x5t#S256 of a client certificate, RFC 8705 §3.1
)

// Access is what an access token says. Lists are single strings with one
// space between their members, as on the wire.
type Access struct {
	GrantID   secret.ID // zero for a client that acts for itself
	Serial    secret.ID // this token alone
	ClientID  string
	Subject   string // of a person the account ID; of a client ClientSubject
	Audience  string // absolute URIs
	Scope     string
	IssuedAt  int64 // Unix seconds
	Lifetime  int64 // seconds, at least 1
	AuthTime  int64 // Unix seconds, 0 where no person signed in
	ACR       string
	AMR       string
	InstallID secret.ID // zero where no install is known
	Confirm   Confirmation
	Tier      Tier

	Details string // authorization_details, a JSON array (RFC 9396 §9.1); or empty
	Actor   string // act, a JSON object (RFC 8693 §4.1): who acts, by whom before; or empty
	// Exchanger is the epoch of the client that got the token by exchanging one
	// of another client's. The token ends with either. Otherwise zero.
	Exchanger secret.ID
}

// extended reports whether a says what version 1 of the layout has no room for.
func (a *Access) extended() bool { return a.Details != "" || a.Actor != "" || !a.Exchanger.IsZero() }

var errDelegation = errors.New("access token: authorization_details is an array and act an object")

// wellFormed reports whether what is JSON is of its kind.
func (a *Access) wellFormed() bool {
	return (a.Details == "" || a.Details[0] == '[') && (a.Actor == "" || a.Actor[0] == '{')
}

// clientSubject begins the subject of a client that acts for itself; no account
// ID has a colon.
const clientSubject = "client:"

// ClientSubject is the subject of a client that acts for itself.
func ClientSubject(clientID string) string { return clientSubject + clientID }

// IsPerson reports whether the token acts for a person.
func (a *Access) IsPerson() bool {
	return !strings.HasPrefix(a.Subject, clientSubject) && !strings.HasPrefix(a.Subject, keySubject)
}

// keySubject begins the subject of an API key, which is nobody (T025). No client_id
// has a colon either.
const keySubject = "key:"

// KeySubject is the subject, and in the place of a client_id, of an API key.
func KeySubject(id secret.ID) string { return keySubject + id.String() }

// ExpiresAt is the first second in which the token is dead, in Unix seconds.
func (a *Access) ExpiresAt() int64 { return a.IssuedAt + a.Lifetime }

// Expired reports whether the token is dead at now. Issuer and gateway share
// a key ring and so a clock policy: there is no skew to allow for.
func (a *Access) Expired(now time.Time) bool { return now.Unix() >= a.ExpiresAt() }

// HasScope reports whether scope is one of the granted values, exactly.
func (a *Access) HasScope(scope string) bool { return hasMember(a.Scope, scope) }

// HasAudience reports whether the token is meant for audience, exactly.
func (a *Access) HasAudience(audience string) bool { return hasMember(a.Audience, audience) }

func hasMember(list, member string) bool {
	if member == "" {
		return false
	}
	for list != "" {
		var head string
		head, list, _ = strings.Cut(list, " ")
		if head == member {
			return true
		}
	}
	return false
}

// Limits of the encoding. They are far above what the issuer hands out.
const (
	maxField = 4 << 10
	maxPlain = 6 << 10
)

// appendPlain writes the inner layout, version 2 for a token that is extended and
// else version 1: IDs, the fixed numbers, then length-prefixed strings. See
// docs/reference/token-format.md.
func (a *Access) appendPlain(dst []byte) ([]byte, error) {
	if !a.wellFormed() {
		return nil, errDelegation
	}
	if a.IssuedAt < 0 || a.Lifetime < 1 || a.AuthTime < 0 || a.Lifetime > math.MaxInt32 {
		return nil, errors.New("access token: time out of range")
	}
	dst = append(dst, a.GrantID[:]...)
	dst = append(dst, a.Serial[:]...)
	dst = append(dst, a.InstallID[:]...)
	extended := a.extended()
	if extended {
		dst = append(dst, a.Exchanger[:]...)
	}
	dst = append(dst, byte(a.Tier), byte(a.Confirm.Method))
	if a.Confirm.Method != ConfirmNone {
		dst = append(dst, a.Confirm.Digest[:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(a.IssuedAt))
	dst = binary.AppendUvarint(dst, uint64(a.Lifetime))
	dst = binary.AppendUvarint(dst, uint64(a.AuthTime))
	fields := [...]string{a.ClientID, a.Subject, a.Audience, a.Scope, a.ACR, a.AMR, a.Details, a.Actor}
	for _, s := range fields[:fieldsOf(extended)] {
		if len(s) > maxField {
			return nil, errors.New("access token: field too long")
		}
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	if len(dst) > maxPlain {
		return nil, errors.New("access token: too long")
	}
	return dst, nil
}

// fieldsOf is how many strings the layout has.
func fieldsOf(extended bool) int {
	if extended {
		return 8
	}
	return 6
}

// parsePlain fills a from the layout, version 2 if extended. All strings share one
// allocation, which tokens of the same grant and scope share too. It refuses
// trailing bytes, unknown values, a length that leaves the input and version 2
// for what version 1 can say, and on error leaves a in no useful state.
func (a *Access) parsePlain(b []byte, extended bool) error {
	fixed := 3*16 + 2
	if extended {
		fixed += 16
	}
	if len(b) < fixed || len(b) > maxPlain {
		return ErrInvalid
	}
	copy(a.GrantID[:], b[0:16])
	copy(a.Serial[:], b[16:32])
	copy(a.InstallID[:], b[32:48])
	a.Exchanger, a.Details, a.Actor = secret.ID{}, "", ""
	if extended {
		copy(a.Exchanger[:], b[48:64])
	}
	b = b[fixed-2:]
	a.Tier, a.Confirm = Tier(b[0]), Confirmation{Method: ConfirmationMethod(b[1])}
	b = b[2:]
	if a.Tier > TierHigh || a.Confirm.Method > ConfirmX5T {
		return ErrInvalid
	}
	if a.Confirm.Method != ConfirmNone {
		if len(b) < 32 {
			return ErrInvalid
		}
		copy(a.Confirm.Digest[:], b)
		b = b[32:]
	}
	for _, n := range [...]*int64{&a.IssuedAt, &a.Lifetime, &a.AuthTime} {
		v, size := binary.Uvarint(b)
		if size <= 0 || v > math.MaxInt32<<8 {
			return ErrInvalid
		}
		*n, b = int64(v), b[size:]
	}
	if a.Lifetime < 1 || a.Lifetime > math.MaxInt32 {
		return ErrInvalid
	}
	var text string
	if extended {
		text = string(b) // too long and too rare to be remembered
	} else {
		text = texts.intern(a.GrantID, b)
	}
	fields := [...]*string{&a.ClientID, &a.Subject, &a.Audience, &a.Scope, &a.ACR, &a.AMR, &a.Details, &a.Actor}
	for _, field := range fields[:fieldsOf(extended)] {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > maxField || int(n) > len(b)-size {
			return ErrInvalid
		}
		end := size + int(n)
		*field, text, b = text[size:end], text[end:], b[end:]
	}
	switch {
	case len(b) != 0, extended != a.extended(), !a.wellFormed():
		return ErrInvalid
	}
	return nil
}
