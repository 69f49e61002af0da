package roster

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/internal/passhash"
)

// auth0User is what we read of the exports of Auth0, of the schema of its bulk
// imports, and of the lists of password hashes that its support gives out.
type auth0User struct {
	UserID        string          `json:"user_id"`
	Username      string          `json:"username"`
	Email         string          `json:"email"`
	EmailVerified bool            `json:"email_verified"`
	Name          string          `json:"name"`
	GivenName     string          `json:"given_name"`
	FamilyName    string          `json:"family_name"`
	Blocked       bool            `json:"blocked"`
	CreatedAt     string          `json:"created_at"`
	PasswordHash  string          `json:"password_hash"` // bcrypt
	FromSupport   string          `json:"passwordHash"`  // the same
	Custom        *auth0Hash      `json:"custom_password_hash"`
	MFA           json.RawMessage `json:"mfa_factors"`
}

type auth0Text struct {
	Value    string `json:"value"`
	Encoding string `json:"encoding"` // base64, hex or utf8
	Position string `json:"position"` // of a salt: prefix or suffix
}

type auth0Hash struct {
	Algorithm string `json:"algorithm"`
	Hash      struct {
		auth0Text
		Digest string     `json:"digest"` // of an HMAC
		Key    *auth0Text `json:"key"`
	} `json:"hash"`
	Salt *auth0Text `json:"salt"`
}

func auth0Entry(raw json.RawMessage) (Person, error) {
	var u auth0User
	if err := json.Unmarshal(raw, &u); err != nil {
		return Person{}, fmt.Errorf("is not a user: %w", err)
	}
	p := Person{
		ID: u.UserID, Username: cmp.Or(u.Username, u.Email), Name: cmp.Or(u.Name, strings.TrimSpace(u.GivenName+" "+u.FamilyName)),
		Email: u.Email, EmailVerified: u.EmailVerified, Disabled: u.Blocked,
	}
	if p.Name == p.Email {
		p.Name = "" // Auth0 fills it in
	}
	p.CreatedAt, _ = time.Parse(time.RFC3339, u.CreatedAt) // zero: not known
	if len(u.MFA) > 0 && string(u.MFA) != "null" && string(u.MFA) != "[]" {
		p.Notes = append(p.Notes, "second factors are not taken over")
	}
	var err error
	switch text := cmp.Or(u.PasswordHash, u.FromSupport); {
	case text != "":
		p.Password, err = passhash.ParseForeign(text)
	case u.Custom != nil:
		p.Password, err = u.Custom.read()
	}
	if err != nil {
		p.Notes = append(p.Notes, "the password is not taken over: "+err.Error())
	}
	return p, nil
}

func (h *auth0Hash) read() (passhash.Foreign, error) {
	switch h.Algorithm {
	case "bcrypt", "argon2", "pbkdf2", "scrypt", "ldap": // PHC strings, MCF or LDAP
		return passhash.ParseForeign(phcSpelling(h.Hash.Value))
	}
	w := passhash.Weak{Function: h.Algorithm}
	var err error
	if w.Sum, err = h.Hash.bytes(); err != nil {
		return passhash.Foreign{}, err
	}
	if h.Salt != nil {
		w.SaltLast = h.Salt.Position == "suffix"
		if w.Salt, err = h.Salt.bytes(); err != nil {
			return passhash.Foreign{}, err
		}
	}
	if h.Algorithm == "hmac" {
		if h.Hash.Key == nil {
			return passhash.Foreign{}, errors.New("an HMAC has no key")
		}
		w.Function = "hmac-" + h.Hash.Digest
		if w.Key, err = h.Hash.Key.bytes(); err != nil {
			return passhash.Foreign{}, err
		}
	}
	return passhash.WeakHash(w)
}

// phcSpelling turns $pbkdf2-sha256$i=1000,l=32$salt$hash, as PHC has it, into what
// Passlib writes, and leaves everything else.
func phcSpelling(s string) string {
	parts := strings.Split(s, "$")
	if len(parts) != 5 || !strings.HasPrefix(parts[1], "pbkdf2") || !strings.HasPrefix(parts[2], "i=") {
		return s
	}
	parts[2], _, _ = strings.Cut(strings.TrimPrefix(parts[2], "i="), ",")
	for i := 3; i < 5; i++ {
		parts[i] = strings.ReplaceAll(strings.TrimRight(parts[i], "="), "+", ".")
	}
	return strings.Join(parts, "$")
}

func (t auth0Text) bytes() ([]byte, error) {
	switch t.Encoding {
	case "base64":
		return anyBase64(t.Value)
	case "hex":
		return hex.DecodeString(t.Value)
	case "utf8":
		return []byte(t.Value), nil
	}
	return nil, fmt.Errorf("the encoding %q is not known", t.Encoding)
}
