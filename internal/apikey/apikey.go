// Package apikey finds the API keys that programs send in place of a token:
// long-lived, for listed operations of one API of tier low, and never a person.
// What a key may do where is the gateway's to decide. Start at Keys.
package apikey

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
)

// Key is an API key without the key. Times have whole seconds.
type Key struct {
	ID         secret.ID
	Hash       secret.Hash
	API        string   // name
	Operations []string // "GET /items/{id}", as the API lists them
	Owner      string   // mail address of who looks after it, or ""
	Successor  string   // client_id of the client that takes its place, or ""
	CreatedAt  time.Time
	ExpiresAt  time.Time
	RevokedAt  time.Time // zero for most
	UsedAt     time.Time // within a minute; zero for one that never was
}

// MaxLife is the longest that a key may live. Who needs longer makes a client.
const MaxLife = 90 * 24 * time.Hour

// UnusedAfter is when a key that nobody uses is flagged.
const UnusedAfter = 30 * 24 * time.Hour

// Unused reports whether nobody has used the key for UnusedAfter.
func (k *Key) Unused(now time.Time) bool {
	last := k.UsedAt
	if last.IsZero() {
		last = k.CreatedAt
	}
	return now.Sub(last) >= UnusedAfter
}

// Dead reports whether the key has ended by now.
func (k *Key) Dead(now time.Time) bool { return !k.RevokedAt.IsZero() || !now.Before(k.ExpiresAt) }

// What a caller must act on.
var (
	ErrNotFound = errors.New("there is no such API key")
	ErrStale    = errors.New("the API key has ended already")
)

// Finder finds keys by the hash of their handle.
type Finder interface {
	// APIKey returns the key, dead or not, or ErrNotFound.
	APIKey(context.Context, secret.Hash) (Key, error)
}

// Store keeps keys. What changes one tells all nodes through the feed.
type Store interface {
	Finder
	// APIKeys returns all, the oldest first.
	APIKeys(context.Context) ([]Key, error)
	AddAPIKey(context.Context, Key) error
	// RevokeAPIKey ends a key that has not ended, or returns ErrNotFound or ErrStale.
	RevokeAPIKey(ctx context.Context, id secret.ID, reason string, now, keep time.Time) error
	// SucceedAPIKey says which client takes the place of a key, and lets the key end
	// at until if it would live longer. It returns ErrNotFound, or ErrStale if the
	// key has ended or has a successor.
	SucceedAPIKey(ctx context.Context, id secret.ID, client string, until, now, keep time.Time) error
	// APIKeysUsed notes when keys were used last.
	APIKeysUsed(context.Context, map[secret.ID]time.Time) error
}
