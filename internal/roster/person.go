package roster

import (
	"errors"
	"fmt"
	"io"
	"time"

	"sallyport/internal/passhash"
)

// Person is one entry of a list.
type Person struct {
	Line          int    // where it begins in the file; from 1
	ID            string // by which the other system, and its apps, know them
	Username      string
	Name          string
	Email         string
	EmailVerified bool
	Locale        string
	Disabled      bool
	CreatedAt     time.Time        // zero: not known
	Password      passhash.Foreign // zero: none that can be taken over
	Notes         []string         // what could not be taken over
}

// Format is how a list is written.
type Format string

// The formats.
const (
	Sallyport Format = "sallyport" // our own JSON Lines
	Keycloak  Format = "keycloak"  // a realm export, or the users of one
	Auth0     Format = "auth0"     // JSON Lines of an export, or the array of a bulk import
	Firebase  Format = "firebase"  // JSON or CSV of auth:export
)

// Formats lists them, for help texts.
var Formats = []Format{Sallyport, Keycloak, Auth0, Firebase}

// Options of Read.
type Options struct {
	Format     Format
	HashConfig *HashConfig // of Firebase; nil: its passwords cannot be taken over
}

// EntryError is what is wrong with one entry; the others can still be read.
type EntryError struct {
	Line int
	Err  error
}

// Error implements error.
func (e *EntryError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *EntryError) Unwrap() error { return e.Err }

// ErrFormat: the list as a whole is not in the format that it should be in.
var ErrFormat = errors.New("the list is not in that format")

// Read calls each for every entry in turn, with either a person or an *EntryError,
// until each returns an error, which Read returns. It keeps one entry in memory, of
// at most a megabyte.
func Read(list io.Reader, o Options, each func(Person, error) error) error {
	in := newInput(list)
	switch o.Format {
	case Sallyport:
		return in.lines(each, ourEntry)
	case Keycloak:
		return in.values("users", each, keycloakEntry)
	case Auth0:
		if first, err := in.first(); err != nil || first == '[' {
			return errors.Join(err, in.values("", each, auth0Entry))
		}
		return in.lines(each, auth0Entry)
	case Firebase:
		if first, err := in.first(); err != nil || first == '{' || first == '[' {
			return errors.Join(err, in.values("users", each, o.firebaseEntry))
		}
		return in.csv(each, o.firebaseRow)
	}
	return fmt.Errorf("format %q: %w", o.Format, ErrFormat)
}
