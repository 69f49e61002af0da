package account

import (
	"slices"
	"strings"

	"sallyport/internal/token"
)

// Method is one way to prove who one is.
type Method string

// The methods. Each has a line in methods.
const (
	Password    Method = "pwd"
	TOTP        Method = "totp"         // a code of an authenticator app (RFC 6238)
	Recovery    Method = "recovery"     // a recovery code
	Passkey     Method = "passkey"      // WebAuthn with user verification, the key stays on one device
	PasskeySync Method = "passkey_sync" // the same, the key is copied between devices
	Email       Method = "email"        // a code or link sent by mail; never a factor (AU11)
	Elsewhere   Method = "elsewhere"    // a sign-in at another OpenID provider
	ElsewhereMF Method = "elsewhere_mf" // the same, by more than one factor, at a provider whose word on that is taken
)

// kind is what a method shows: two methods of different kinds are two factors.
type kind uint8

const (
	first  kind = iota + 1 // opens a sign-in by itself: something known, or somebody's word
	second                 // adds to a first, and is nothing alone
	whole                  // two factors in one, and the site cannot be a false one
	lent                   // two factors, proven elsewhere
)

// methods says what each is worth, and what tokens call it (RFC 8176 §2).
var methods = []struct {
	method Method
	kind   kind
	amr    []string
}{
	{Password, first, []string{"pwd"}},
	{Email, first, []string{"email"}},
	{Elsewhere, first, []string{"fed"}},
	{ElsewhereMF, lent, []string{"fed", "mfa"}},
	{TOTP, second, []string{"otp"}},
	{Recovery, second, []string{"otp"}},
	{Passkey, whole, []string{"hwk", "user"}},
	{PasskeySync, whole, []string{"swk", "user"}},
}

// Methods are what a person has proven in one sign-in, in order, each once,
// separated by spaces.
type Methods string

// With is m and one more.
func (m Methods) With(one Method) Methods {
	switch {
	case m.Has(one):
		return m
	case m == "":
		return Methods(one)
	}
	return m + " " + Methods(one)
}

// Has reports whether one is among them.
func (m Methods) Has(one Method) bool { return slices.Contains(strings.Fields(string(m)), string(one)) }

func (m Methods) has(k kind) bool {
	for _, line := range methods {
		if line.kind == k && m.Has(line.method) {
			return true
		}
	}
	return false
}

// ACR is the authentication context class that they reach; empty: they do not
// make a sign-in yet.
func (m Methods) ACR() string {
	switch {
	case m.has(whole):
		return token.ACRPhishing
	case m.has(lent), m.has(first) && m.has(second):
		return token.ACRMFA
	case m.has(first):
		return token.ACRPassword
	}
	return ""
}

// AMR are the authentication methods references, separated by spaces.
func (m Methods) AMR() string {
	var list []string
	for _, line := range methods {
		if m.Has(line.method) {
			for _, a := range line.amr {
				if !slices.Contains(list, a) {
					list = append(list, a)
				}
			}
		}
	}
	if token.ACRSatisfies(m.ACR(), token.ACRMFA) && !slices.Contains(list, "mfa") {
		list = append(list, "mfa")
	}
	return strings.Join(list, " ")
}
