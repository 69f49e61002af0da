package oauth

import (
	"context"
	"time"

	"sallyport/internal/secret"
)

// PersonStore is what a person sees and ends of their own. Each method is one
// transaction, and what belongs to somebody else is as if it were not there.
type PersonStore interface {
	// GrantsOf lists the grants of a person that are alive at now, the newest first,
	// at most most of them, with where they were made. clientID "" is any client.
	GrantsOf(ctx context.Context, userID, clientID string, now time.Time, most int) ([]Grant, error)
	// ConsentsOf lists what a person has agreed to, at most most records, in the order
	// of client_ids. A record of which everything was withdrawn is none.
	ConsentsOf(ctx context.Context, userID string, most int) ([]Consent, error)

	// EndSessionOf ends the session with this ID, if it is the person's, as EndSession
	// does. ended is false where it is not, and then nothing changes.
	EndSessionOf(ctx context.Context, userID string, id secret.ID, reason string, now, keep time.Time) (ended bool, err error)
	// EndOtherSessions ends all of a person's sessions and grants but those of sid, in
	// the same way, and returns how many sessions that were.
	EndOtherSessions(ctx context.Context, userID string, sid secret.ID, reason string, now, keep time.Time) (int, error)
	// EndGrantOf ends a living grant of the person. ended is false where there is none.
	EndGrantOf(ctx context.Context, userID string, id secret.ID, reason string, now, keep time.Time) (ended bool, err error)
	// Withdraw takes back what a person has agreed to for a client: the scopes, or
	// everything where there are none. Grants that carry any of it end, and so do
	// requests that were allowed elsewhere and not redeemed; a code that was issued
	// before is not redeemed after it. It returns how many grants and records that
	// changed; none: there was nothing.
	Withdraw(ctx context.Context, userID, clientID string, scopes []string, reason string, now, keep time.Time) (int, error)
}
