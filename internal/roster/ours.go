package roster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sallyport/internal/passhash"
)

// record is a line of our own format; docs/guide/people.md describes it. The names
// of its fields do not change.
type record struct {
	ID            string `json:"id,omitempty"`
	Username      string `json:"username"`
	Name          string `json:"name,omitempty"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Locale        string `json:"locale,omitempty"`
	Disabled      bool   `json:"disabled,omitempty"`
	CreatedAt     string `json:"created_at,omitempty"` // RFC 3339
	PasswordHash  string `json:"password_hash,omitempty"`
}

// Write writes p as a line of our own format, with its password hash if it has one
// that can be stored.
func Write(out io.Writer, p Person) error {
	r := record{p.ID, p.Username, p.Name, p.Email, p.EmailVerified, p.Locale, p.Disabled, "", ""}
	if !p.CreatedAt.IsZero() {
		r.CreatedAt = p.CreatedAt.UTC().Format(time.RFC3339)
	}
	if p.Password.Hash != nil {
		r.PasswordHash = p.Password.Hash.String()
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

func ourEntry(raw json.RawMessage) (Person, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var r record
	if err := dec.Decode(&r); err != nil {
		return Person{}, fmt.Errorf("is not an entry: %w", err)
	}
	if dec.More() {
		return Person{}, errors.New("has more than one entry")
	}
	p := Person{
		ID: r.ID, Username: r.Username, Name: r.Name, Email: r.Email, EmailVerified: r.EmailVerified, Locale: r.Locale, Disabled: r.Disabled,
	}
	var err error
	if r.CreatedAt != "" {
		if p.CreatedAt, err = time.Parse(time.RFC3339, r.CreatedAt); err != nil {
			return p, errors.New("created_at is not a time as 2026-01-31T12:00:00Z")
		}
	}
	if r.PasswordHash != "" {
		if p.Password, err = passhash.ParseForeign(r.PasswordHash); err != nil {
			return p, fmt.Errorf("password_hash is %w", err)
		}
	}
	return p, nil
}
