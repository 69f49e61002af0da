package roster

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/passhash"
)

// keycloakUser is what we read of a UserRepresentation.
type keycloakUser struct {
	ID                     string               `json:"id"`
	Username               string               `json:"username"`
	Email                  string               `json:"email"`
	EmailVerified          bool                 `json:"emailVerified"`
	FirstName              string               `json:"firstName"`
	LastName               string               `json:"lastName"`
	Enabled                *bool                `json:"enabled"`
	CreatedTimestamp       int64                `json:"createdTimestamp"` // ms
	Attributes             map[string][]string  `json:"attributes"`
	Credentials            []keycloakCredential `json:"credentials"`
	RequiredActions        []string             `json:"requiredActions"`
	ServiceAccountClientID string               `json:"serviceAccountClientId"`
}

// keycloakCredential has two members that are JSON in a string.
type keycloakCredential struct {
	Type           string `json:"type"`
	SecretData     string `json:"secretData"`
	CredentialData string `json:"credentialData"`
}

func keycloakEntry(raw json.RawMessage) (Person, error) {
	var u keycloakUser
	if err := json.Unmarshal(raw, &u); err != nil {
		return Person{}, fmt.Errorf("is not a user: %w", err)
	}
	if u.ServiceAccountClientID != "" {
		return Person{}, errors.New("is a service account, which is a client here")
	}
	p := Person{
		ID: u.ID, Username: u.Username, Name: strings.TrimSpace(u.FirstName + " " + u.LastName), Email: u.Email, EmailVerified: u.EmailVerified,
		Disabled: u.Enabled != nil && !*u.Enabled, CreatedAt: milliseconds(u.CreatedTimestamp),
	}
	if l := u.Attributes["locale"]; len(l) > 0 {
		p.Locale = l[0]
	}
	for _, c := range u.Credentials {
		if c.Type != "password" {
			p.Notes = append(p.Notes, "a credential of type "+strconv.Quote(c.Type)+" is not taken over")
			continue
		}
		var err error
		if p.Password, err = c.password(); err != nil {
			p.Notes = append(p.Notes, "the password is not taken over: "+err.Error())
		}
	}
	for _, action := range u.RequiredActions {
		if action == "UPDATE_PASSWORD" {
			p.Password = passhash.Foreign{}
			p.Notes = append(p.Notes, "the password was to be changed, so it is not taken over")
		}
	}
	return p, nil
}

func milliseconds(n int64) time.Time {
	if n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

func (c keycloakCredential) password() (passhash.Foreign, error) {
	var secret struct {
		Value string `json:"value"`
		Salt  string `json:"salt"`
	}
	var data struct {
		Algorithm            string              `json:"algorithm"`
		HashIterations       int                 `json:"hashIterations"`
		AdditionalParameters map[string][]string `json:"additionalParameters"`
	}
	if json.Unmarshal([]byte(c.SecretData), &secret) != nil || json.Unmarshal([]byte(c.CredentialData), &data) != nil {
		return passhash.Foreign{}, passhash.ErrHash
	}
	sum, err := anyBase64(secret.Value)
	if err != nil {
		return passhash.Foreign{}, passhash.ErrHash
	}
	salt, err := anyBase64(secret.Salt)
	if err != nil {
		return passhash.Foreign{}, passhash.ErrHash
	}
	if data.Algorithm == "argon2" {
		return keycloakArgon2(data.HashIterations, data.AdditionalParameters, salt, sum)
	}
	name, ok := strings.CutPrefix(data.Algorithm, "pbkdf2")
	if !ok {
		return passhash.Foreign{}, fmt.Errorf("%q is not known", data.Algorithm)
	}
	return passhash.PBKDF2(cmp.Or(strings.TrimPrefix(name, "-"), "sha1"), data.HashIterations, salt, sum)
}

func keycloakArgon2(passes int, more map[string][]string, salt, sum []byte) (passhash.Foreign, error) {
	number := func(name string) int {
		if list := more[name]; len(list) == 1 {
			n, _ := strconv.Atoi(list[0]) // 0 is out of bounds
			return n
		}
		return 0
	}
	memory, threads := number("memory"), number("parallelism")
	if kind := more["type"]; len(kind) != 1 || kind[0] != "id" || passes < 1 || passes > 1<<10 || memory < 1 || memory > 1<<30 || threads < 1 || threads > 255 {
		return passhash.Foreign{}, passhash.ErrHash
	}
	return passhash.Argon2id(passhash.Argon2Params{MemoryKiB: uint32(memory), Passes: uint32(passes), Threads: uint8(threads)}, salt, sum)
}

// anyBase64 reads both alphabets, padded or not.
func anyBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return base64.RawStdEncoding.DecodeString(s)
}
