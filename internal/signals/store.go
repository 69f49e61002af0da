package signals

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
)

// What a store answers. A stream of another client is not found.
var (
	ErrNotFound = errors.New("there is no such stream")
	ErrExists   = errors.New("the client has a stream already")
	ErrTooSoon  = errors.New("too soon after the last one")
	ErrFull     = errors.New("too many subjects")
)

// Store keeps streams and the events that wait in them. Each method is one
// transaction. Events come in by those that end sessions, in the order of their
// commits in each stream; at most a bound of the store wait in one. Past it the
// oldest go, and the stream is paused: its receiver must know that some are lost.
// Safe for concurrent use by nodes.
type Store interface {
	// AddStream returns ErrExists if the client has one.
	AddStream(ctx context.Context, s Stream) error
	// Stream returns a stream of the client; an empty clientID is any.
	Stream(ctx context.Context, id secret.ID, clientID string) (Stream, error)
	// Streams returns those of a client, or with an empty clientID all, oldest first.
	Streams(ctx context.Context, clientID string) ([]Stream, error)
	// ChangeStream stores what f makes of the stream, but for its status, and lets
	// its delivery be tried at once. f may be called again; its error changes nothing.
	ChangeStream(ctx context.Context, id secret.ID, clientID string, f func(*Stream) error) (Stream, error)
	// SetStatus ends what waits with Disabled. With tell, the receiver hears of it.
	SetStatus(ctx context.Context, id secret.ID, clientID string, status Status, reason string, tell bool, now time.Time) (Stream, error)
	DeleteStream(ctx context.Context, id secret.ID, clientID string) error

	// SetSubject excludes somebody by a name, or includes them again. ErrFull past
	// maxSubjects exclusions.
	SetSubject(ctx context.Context, id secret.ID, clientID, name string, included bool) error
	// Excluded reports whether one of the names is excluded.
	Excluded(ctx context.Context, id secret.ID, names []string) (bool, error)

	// AddEvent puts an event into one stream, unless the last one that was put so
	// was after notBefore: ErrTooSoon. A disabled stream takes none.
	AddEvent(ctx context.Context, id secret.ID, clientID string, e Event, notBefore time.Time) error
	// Waiting returns events of a stream that may be sent now, oldest first.
	Waiting(ctx context.Context, id secret.ID, most int) ([]Event, error)
	// Settle removes events and returns how many there were.
	Settle(ctx context.Context, id secret.ID, events []secret.ID) (int64, error)

	// ClaimStream takes a push stream in which events wait and whose delivery is
	// due; until then nobody else gets it. ErrNotFound if there is none.
	ClaimStream(ctx context.Context, now, until time.Time) (Stream, error)
	// ReleaseStream gives it back, if it is still claimed until that moment.
	ReleaseStream(ctx context.Context, id secret.ID, until, due time.Time, attempts int, problem string) error
	// ExpireEvents removes those from before a moment. Streams that lose some are
	// paused, and told.
	ExpireEvents(ctx context.Context, before, now time.Time) (lost int64, err error)

	// Hint is signalled when events may have come; one for each caller.
	Hint() <-chan struct{}
}

// MaxSubjects bounds the exclusions of one stream.
const MaxSubjects = 10_000

// Lost is the reason of a stream that is paused because events are gone.
const Lost = "events were lost: they waited for too long, or too many did; read what you need anew, then enable the stream"
