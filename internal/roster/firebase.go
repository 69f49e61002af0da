package roster

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"sallyport/internal/passhash"
)

// HashConfig are the parameters of the passwords of a Firebase project.
type HashConfig struct {
	SignerKey     []byte
	SaltSeparator []byte
	Rounds        int
	MemCost       int
}

var configLine = regexp.MustCompile(`(?m)^\s*"?([a-z0-9_]+)"?\s*:\s*"?([^\s",]+)"?,?\s*$`)

// ReadHashConfig reads the hash_config as the console of Firebase shows it.
func ReadHashConfig(r io.Reader) (*HashConfig, error) {
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("read hash_config: %w", err)
	}
	fields := map[string]string{}
	for _, m := range configLine.FindAllStringSubmatch(string(text), -1) {
		fields[m[1]] = m[2]
	}
	if a := cmp.Or(fields["algorithm"], "SCRYPT"); a != "SCRYPT" {
		return nil, fmt.Errorf("hash_config: the algorithm is %q and not SCRYPT", a)
	}
	c := &HashConfig{}
	var errs [4]error
	c.SignerKey, errs[0] = anyBase64(fields["base64_signer_key"])
	c.SaltSeparator, errs[1] = anyBase64(fields["base64_salt_separator"])
	c.Rounds, errs[2] = strconv.Atoi(fields["rounds"])
	c.MemCost, errs[3] = strconv.Atoi(fields["mem_cost"])
	if err := errors.Join(errs[:]...); err != nil || len(c.SignerKey) == 0 {
		return nil, errors.New("hash_config needs base64_signer_key, base64_salt_separator, rounds and mem_cost, as the console shows them")
	}
	return c, nil
}

type firebaseUser struct {
	LocalID       string          `json:"localId"`
	Email         string          `json:"email"`
	EmailVerified bool            `json:"emailVerified"`
	PasswordHash  string          `json:"passwordHash"`
	Salt          string          `json:"salt"`
	DisplayName   string          `json:"displayName"`
	CreatedAt     string          `json:"createdAt"` // ms
	Disabled      bool            `json:"disabled"`
	MFA           json.RawMessage `json:"mfaInfo"`
}

func (o Options) firebaseEntry(raw json.RawMessage) (Person, error) {
	var u firebaseUser
	if err := json.Unmarshal(raw, &u); err != nil {
		return Person{}, fmt.Errorf("is not a user: %w", err)
	}
	return o.firebasePerson(u)
}

func (o Options) firebasePerson(u firebaseUser) (Person, error) {
	created, _ := strconv.ParseInt(u.CreatedAt, 10, 64) // 0: not known
	p := Person{
		ID: u.LocalID, Username: u.Email, Name: u.DisplayName, Email: u.Email, EmailVerified: u.EmailVerified, Disabled: u.Disabled, CreatedAt: milliseconds(created),
	}
	if u.Email == "" {
		return p, errors.New("has no email, so there is no name to sign in with")
	}
	if len(u.MFA) > 0 {
		p.Notes = append(p.Notes, "second factors are not taken over")
	}
	if u.PasswordHash == "" {
		return p, nil
	}
	if o.HashConfig == nil {
		p.Notes = append(p.Notes, "the password is not taken over: there is no hash_config")
		return p, nil
	}
	sum, err := anyBase64(u.PasswordHash)
	if err == nil {
		var salt []byte
		if salt, err = anyBase64(u.Salt); err == nil {
			c := o.HashConfig
			p.Password, err = passhash.FirebaseScrypt(c.MemCost, c.Rounds, c.SignerKey, c.SaltSeparator, salt, sum)
		}
	}
	if err != nil {
		p.Notes = append(p.Notes, "the password is not taken over: "+err.Error())
	}
	return p, nil
}

// The columns of the CSV of auth:export that we read, from 0.
const (
	columnID, columnEmail, columnVerified, columnHash, columnSalt, columnName = 0, 1, 2, 3, 4, 5
	columnCreated                                                             = 23
)

func (o Options) firebaseRow(row []string) (Person, error) {
	if len(row) <= columnName {
		return Person{}, fmt.Errorf("has %d columns, and auth:export writes 26", len(row))
	}
	u := firebaseUser{
		LocalID: row[columnID], Email: row[columnEmail], EmailVerified: strings.EqualFold(row[columnVerified], "true"),
		PasswordHash: row[columnHash], Salt: row[columnSalt], DisplayName: row[columnName],
	}
	if len(row) > columnCreated {
		u.CreatedAt = row[columnCreated]
	}
	return o.firebasePerson(u)
}
