package sallyport

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Caller is who makes a call, as the gateway has found out. It does not hold the
// token. The lists are shared: do not change them.
type Caller struct {
	Issuer   string
	Subject  string // the person's account, or "client:" and a client ID; unique within Issuer
	ClientID string
	Scopes   []string // those that this API knows
	ACR      string   // how the person signed in; empty for a client that acts for itself
	AMR      []string
	AuthTime time.Time // when; zero for a client
	Grant    string    // what the person agreed to; empty for a client
	ID       string    // jti of the inner token, which many calls share

	// Actors is who acts for Subject (RFC 8693 §4.1), the one who calls now first;
	// then who acted before, which is for the record alone. Empty: nobody does.
	Actors []string
	// Details are the authorization_details for this API (RFC 9396): a JSON array,
	// or nil.
	Details []byte

	IssuedAt, ExpiresAt time.Time

	claims []byte
}

// IsClient reports whether a client acts for itself, without a person.
func (c Caller) IsClient() bool { return strings.HasPrefix(c.Subject, "client:") }

// HasScope reports whether the call may do what scope stands for.
func (c Caller) HasScope(scope string) bool { return scope != "" && slices.Contains(c.Scopes, scope) }

// Claim returns the JSON of a further claim, nil if it is not there.
func (c Caller) Claim(name string) []byte {
	var found []byte
	_ = scanObject(c.claims, func(n string, value []byte) error {
		if n == name {
			found = bytes.Clone(value)
		}
		return nil
	})
	return found
}

// LogValue is what a log may know: identifiers and no more.
func (c Caller) LogValue() slog.Value {
	return slog.GroupValue(slog.String("sub", c.Subject), slog.String("client_id", c.ClientID), slog.String("jti", c.ID))
}

type contextKey struct{}

// CallerFrom returns who makes the call, and false outside of Require.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(contextKey{}).(Caller)
	return c, ok
}

// claims are the payload before it is judged.
type claims struct {
	Caller
	audience      string
	scope         string
	iat, exp, nbf int64
	has           map[string]bool
}

func parseClaims(payload []byte) (*claims, error) {
	c := &claims{has: make(map[string]bool, 16)}
	c.claims = payload
	var auth int64
	texts := map[string]*string{
		"iss": &c.Issuer, "sub": &c.Subject, "client_id": &c.ClientID, "jti": &c.ID, "scope": &c.scope, "acr": &c.ACR, "grant": &c.Grant,
	}
	times := map[string]*int64{"iat": &c.iat, "exp": &c.exp, "nbf": &c.nbf, "auth_time": &auth}
	err := scanObject(payload, func(name string, value []byte) (err error) {
		c.has[name] = true
		switch {
		case texts[name] != nil:
			*texts[name], err = stringValue(value)
			if strings.ContainsRune(*texts[name], utf8.RuneError) {
				err = errJSON // what others have made of bytes that are no text
			}
		case times[name] != nil:
			*times[name], err = numericDate(value)
		case name == "aud":
			c.audience, err = oneAudience(value)
		case name == "amr":
			c.AMR, err = stringList(value)
		case name == "act":
			c.Actors, err = actors(value)
		case name == "authorization_details":
			c.Details = bytes.Clone(value)
			err = scanArray(value, func(v []byte) error { return scanObject(v, nil) })
		}
		return err
	})
	if err != nil {
		return nil, refuse(ReasonClaims)
	}
	for _, name := range []string{"iss", "aud", "sub", "client_id", "iat", "exp", "jti"} {
		if !c.has[name] {
			return nil, refuse(ReasonClaims)
		}
	}
	if c.Subject == "" || c.ClientID == "" || c.ID == "" || c.iat <= 0 {
		return nil, refuse(ReasonClaims)
	}
	c.Scopes = strings.Fields(c.scope)
	c.IssuedAt, c.ExpiresAt = time.Unix(c.iat, 0), time.Unix(c.exp, 0)
	if auth > 0 {
		c.AuthTime = time.Unix(auth, 0)
	}
	return c, nil
}

// actors reads a chain of act claims (RFC 8693 §4.1). What it does not know of an
// actor it leaves out; who the actor is has to be there.
func actors(value []byte) ([]string, error) {
	var chain []string
	for value != nil {
		var sub string
		var before []byte
		err := scanObject(value, func(name string, v []byte) (err error) {
			switch name {
			case "sub":
				sub, err = stringValue(v)
			case "act":
				before = v
			}
			return err
		})
		if err != nil || sub == "" {
			return nil, errJSON
		}
		chain, value = append(chain, sub), before
	}
	return chain, nil
}

// oneAudience takes a string or an array of one (RFC 7519 §4.1.3).
func oneAudience(value []byte) (string, error) {
	if len(value) == 0 || value[0] != '[' {
		return stringValue(value)
	}
	list, err := stringList(value)
	if err != nil || len(list) != 1 {
		return "", errors.New("not one audience")
	}
	return list[0], nil
}

func stringList(value []byte) ([]string, error) {
	var list []string
	err := scanArray(value, func(v []byte) error {
		s, err := stringValue(v)
		list = append(list, s)
		return err
	})
	return list, err
}

// numericDate takes whole seconds (RFC 7519 §2) up to the year 9999.
func numericDate(value []byte) (int64, error) {
	const latest = 253402300799
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 0 || n > latest || value[0] == '-' || value[0] == '+' {
		return 0, errJSON
	}
	return n, nil
}
