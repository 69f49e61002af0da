package token

import (
	"errors"
	"strconv"
	"strings"

	"sallyport/internal/secret"
)

// TypeAccess is the typ of access tokens that are JWTs (RFC 9068 §2.1).
const TypeAccess = "at+jwt"

// TokenID is the jti of the JWT form: the grant and the serial of this token, and
// the epoch of the client that exchanged another for it, because each can be
// revoked and nothing else of the token names them.
func (a *Access) TokenID() string {
	id := a.GrantID.String() + "." + a.Serial.String()
	if !a.Exchanger.IsZero() {
		id += "." + a.Exchanger.String()
	}
	return id
}

// setTokenID reads a jti of ours.
func (a *Access) setTokenID(jti string) error {
	grant, serial, _ := strings.Cut(jti, ".")
	serial, exchanger, exchanged := strings.Cut(serial, ".")
	if exchanged {
		var err error
		if a.Exchanger, err = secret.ParseID(exchanger); err != nil || a.Exchanger.IsZero() {
			return ErrInvalid
		}
	}
	var err1, err2 error
	a.GrantID, err1 = secret.ParseID(grant)
	a.Serial, err2 = secret.ParseID(serial)
	if err1 != nil || err2 != nil || a.Serial.IsZero() {
		return ErrInvalid
	}
	return nil
}

// SignAccess makes the JWT form of the access token that says a (RFC 9068 §2).
// It holds what that asks for and nothing that only our own nodes need: no tier,
// no install.
func (ring *Ring) SignAccess(a *Access, issuer string) (secret.Value, error) {
	if !a.wellFormed() {
		return secret.Value{}, errDelegation
	}
	if a.Serial.IsZero() || a.Audience == "" || a.Scope == "" && a.Details == "" || a.IssuedAt < 1 || a.Lifetime < 1 {
		return secret.Value{}, errors.New("access token: incomplete")
	}
	jwt, err := ring.Signer(SignAccess).Sign(TypeAccess, a.appendClaims(make([]byte, 0, 768), issuer))
	if err != nil {
		return secret.Value{}, err
	}
	if len(jwt) > maxJWT {
		return secret.Value{}, errors.New("access token: longer than 8 KiB")
	}
	return secret.New(jwt), nil
}

func (a *Access) appendClaims(b []byte, issuer string) []byte {
	b = AppendJSONString(append(b, `{"iss":`...), issuer)
	b = append(b, `,"aud":`...)
	if audiences := strings.Fields(a.Audience); len(audiences) == 1 {
		b = AppendJSONString(b, audiences[0])
	} else {
		b = appendJSONStrings(b, audiences)
	}
	b = AppendJSONString(append(b, `,"sub":`...), a.Subject)
	b = AppendJSONString(append(b, `,"client_id":`...), a.ClientID)
	if a.Scope != "" { // RFC 9068 §2.2.3: only where there is one
		b = AppendJSONString(append(b, `,"scope":`...), a.Scope)
	}
	b = AppendJSONString(append(b, `,"jti":`...), a.TokenID())
	b = strconv.AppendInt(append(b, `,"iat":`...), a.IssuedAt, 10)
	b = strconv.AppendInt(append(b, `,"exp":`...), a.ExpiresAt(), 10)
	if a.AuthTime != 0 {
		b = strconv.AppendInt(append(b, `,"auth_time":`...), a.AuthTime, 10)
	}
	if a.ACR != "" {
		b = AppendJSONString(append(b, `,"acr":`...), a.ACR)
	}
	if a.AMR != "" {
		b = appendJSONStrings(append(b, `,"amr":`...), strings.Fields(a.AMR))
	}
	if a.Confirm.Method != ConfirmNone {
		b = a.Confirm.AppendJSON(append(b, `,"cnf":`...))
	}
	return append(a.AppendDelegation(b), '}')
}

// AppendDelegation appends the members authorization_details (RFC 9396 §9.1) and
// act (RFC 8693 §4.1) to an object that has others already: each with a comma
// before it, or nothing where the token has none.
func (a *Access) AppendDelegation(b []byte) []byte {
	if a.Details != "" {
		b = append(append(b, `,"authorization_details":`...), a.Details...)
	}
	if a.Actor != "" {
		b = append(append(b, `,"act":`...), a.Actor...)
	}
	return b
}

func appendJSONStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendJSONString(b, s)
	}
	return append(b, ']')
}
