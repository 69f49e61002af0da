// Package revocation follows the feed, the one ordered list of what has been
// revoked, and answers in memory whether a token still counts and how old that
// knowledge is. It decides nothing about who may revoke. Start at Entry, then
// follower.go.
package revocation

import (
	"context"
	"time"

	"sallyport/internal/token"
)

// Kind says what an Entry names.
type Kind string

// The kinds. Grant and Serial end tokens by what they carry, for ever. Nothing
// ends "all tokens until now": nodes' clocks differ, and a token can be made
// between that moment and the commit. Changed ends nothing: it tells nodes that
// what they remember of a client is old. Keys tells them that the key ring has
// changed; the keys that Reason calls compromised are dead at once.
const (
	Grant   Kind = "grant"   // ID is a grant ID, or the epoch of a client
	Serial  Kind = "serial"  // ID is the serial of one access token
	Changed Kind = "changed" // ID is a client_id
	Keys    Kind = "keys"    // ID is a key ID, or the fingerprint of a master key
	APIKey  Kind = "api_key" // ID is that of an API key, which has ended: the serial of what is opened of it
	Secret  Kind = "secret"  // ID is the name of a secret of others, which has changed
)

// What happened to the key of an entry of kind Keys, as its Reason.
const (
	KeyMade        = "made"
	KeyActivated   = "activated" // sooner than it was to be
	KeyCompromised = "compromised"
	KeysRewrapped  = "rewrapped"
)

// What happened to the secret of an entry of kind Secret, as its Reason.
const (
	SecretSet         = "set"
	SecretCompromised = "compromised"
	SecretRemoved     = "removed"
)

// Entry is one line of the feed.
type Entry struct {
	Seq       int64 // given by the store; rises by commit order, never reused
	Kind      Kind
	ID        string
	Reason    string    // one of the Reason or Key constants, for logs and clients
	ExpiresAt time.Time // when no token that it ends can be alive any more
}

// Why something was revoked, as the wire has it.
const (
	ReasonLogout     = token.ReasonLogout
	ReasonReused     = token.ReasonReused
	ReasonRevoked    = token.ReasonRevoked
	ReasonCodeReplay = token.ReasonCodeReplay
	ReasonDisabled   = token.ReasonDisabled
	ReasonPassword   = token.ReasonPassword
	ReasonAdmin      = token.ReasonAdmin
	ReasonClientGone = token.ReasonClientGone
	ReasonLeaked     = token.ReasonLeaked
)

// Head is where the feed ends, and which feed it is.
type Head struct {
	Seq int64 // of the newest entry ever committed, 0 before the first
	// Mark was drawn at random when Seq was committed: two feeds that have
	// parted have other marks from there on, at whatever number.
	Mark   string
	MarkAt string // the mark at the number that was asked for, empty if it is forgotten
}

// Log is the stored feed.
type Log interface {
	// Entries returns up to limit entries with Seq > after, in order: all of
	// them, also such as have expired but have not been deleted yet, since a
	// clock that is wrong for a moment must not hide any.
	Entries(ctx context.Context, after int64, limit int) ([]Entry, error)
	// Head is the end of the feed and the mark at an earlier end, as of one moment.
	// It is cheap: it is asked several times a second.
	Head(ctx context.Context, at int64) (Head, error)
	// Hint is signalled, without blocking, when an entry may have been added. A
	// nil channel means that only polling finds them.
	Hint() <-chan struct{}
}
