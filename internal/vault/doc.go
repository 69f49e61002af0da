// Package vault keeps the secrets of others on the server: keys of third-party
// APIs, passwords, service accounts. It decides which version of a secret counts
// and that a compromised one never does; what is done with a secret it refuses
// to know. Values are sealed by keys of their own purpose (token.SealSecret),
// which the master key wraps. Start at Vault.
package vault

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
)

// Kind says what a secret looks like.
type Kind string

// The kinds.
const (
	Text                 Kind = "text"                   // one line
	GoogleServiceAccount Kind = "google-service-account" // the JSON file of a service account
	AWSAccessKey         Kind = "aws-access-key"         // ACCESS_KEY_ID:SECRET_ACCESS_KEY, and perhaps :SESSION_TOKEN
)

// Kinds lists every kind.
var Kinds = []Kind{Text, GoogleServiceAccount, AWSAccessKey}

// Version is one value of a secret as the store keeps it. Times have whole
// seconds.
type Version struct {
	Name          string
	Number        int64     // from 1 on; the highest counts
	ID            secret.ID // what the sealed value is bound to, besides Name
	Kind          Kind
	Sealed        string // empty once it has ended or was compromised
	SetBy         string // who ran the command
	CreatedAt     time.Time
	Until         time.Time // of one that has a successor: when its overlap ends
	CompromisedAt time.Time
	UsedAt        time.Time // within a minute
}

// Store keeps versions. Each method that changes something is one transaction
// that tells all nodes through the revocation feed.
type Store interface {
	// Versions returns those of name, the newest first; none if there is none.
	Versions(ctx context.Context, name string) ([]Version, error)
	// AllVersions returns all, by name, the newest of each first.
	AllVersions(ctx context.Context) ([]Version, error)
	// SetVersion stores v if its Number is one more than the highest of its name,
	// and otherwise returns ErrStale. The versions before it end at othersUntil, or
	// when they ended before; the values of those that have ended are destroyed.
	SetVersion(ctx context.Context, v Version, othersUntil, keep time.Time) error
	// CompromiseSecret destroys all values of name and returns how many lived, or
	// ErrNoSecret if there is no such name.
	CompromiseSecret(ctx context.Context, name string, at, keep time.Time) (int, error)
	// RemoveSecret deletes all of name, or returns ErrNoSecret.
	RemoveSecret(ctx context.Context, name string, keep time.Time) error
	// SecretsUsed notes when the newest version of each name was used last. Names
	// that are gone are passed over.
	SecretsUsed(ctx context.Context, used map[string]time.Time) error
}

// What a caller must act on. Those that are of type *Condition need an operator.
var (
	ErrNoSecret    error = &Condition{"there is no such secret", "egress_no_secret"}
	ErrCompromised error = &Condition{"the secret was compromised and has no successor yet", "egress_secret_compromised"}
	ErrSealed      error = &Condition{"the secret is sealed by a key that is not accepted any more: set it again", "egress_secret_sealed"}
	ErrStale             = errors.New("the secret has been changed by somebody else")
)

// Condition is why a secret is not handed out.
type Condition struct{ text, reason string }

// Error implements error.
func (c *Condition) Error() string { return c.text }

// EgressReason is the word for the log of a call that needed the secret.
func (c *Condition) EgressReason() string { return c.reason }

// MaxValue is the longest value, in bytes.
const MaxValue = 4 << 10

// MaxName is the longest name, in bytes.
const MaxName = 64

// CheckName returns what is wrong with a name, or "".
func CheckName(name string) string {
	if name == "" || len(name) > MaxName {
		return "must have 1 to 64 characters"
	}
	for i := range len(name) {
		b := name[i]
		if letter := b >= 'a' && b <= 'z'; !letter && (i == 0 || b != '_' && b != '-' && b != '.' && (b < '0' || b > '9')) {
			return "use lower-case letters, digits, and . _ - after the first letter"
		}
	}
	return ""
}

// CheckValue returns what is wrong with a value of a kind, or "". It quotes
// nothing of it.
func CheckValue(kind Kind, value secret.Value) string {
	text := value.Reveal()
	switch {
	case text == "":
		return "is empty"
	case len(text) > MaxValue:
		return "is longer than 4096 bytes"
	}
	if kind != GoogleServiceAccount {
		for i := range len(text) {
			if text[i] < 0x20 || text[i] == 0x7f {
				return "has a line break or another control character, which no header can carry"
			}
		}
	}
	switch kind {
	case Text:
		return ""
	case AWSAccessKey:
		if _, err := ParseAWSAccessKey(value); err != nil {
			return err.Error()
		}
		return ""
	case GoogleServiceAccount:
		if _, err := ParseServiceAccount(value); err != nil {
			return err.Error()
		}
		return ""
	}
	return "is of no kind that there is"
}
