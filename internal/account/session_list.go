package account

import (
	"context"
	"fmt"
	"time"

	"sallyport/internal/secret"
)

// SessionListStore lists where people are signed in.
type SessionListStore interface {
	// Sessions lists the sessions that are alive at now, the newest first: of one
	// person, or of everybody where userID is empty. before is the ID of the last one
	// of the page before; zero: the first page. There are at most most.
	Sessions(ctx context.Context, userID string, before secret.ID, now time.Time, most int) ([]Session, error)
}

// MostSessionsListed is how many sessions are read at a time.
const MostSessionsListed = 200

// Sessions lists where a person is signed in, or with an empty userID everybody,
// the newest first and at most MostSessionsListed; before as the store has it.
func (s *Service) Sessions(ctx context.Context, userID string, before secret.ID) ([]Session, error) {
	list, err := s.store.Sessions(ctx, userID, before, seconds(s.now()), MostSessionsListed)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}
