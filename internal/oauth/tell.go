package oauth

import "context"

// Told is something that a person should hear of.
type Told string

// What is told, after the transition that did it.
const (
	ToldConnected Told = "connected" // they let a client in for the first time
	ToldReused    Told = "reused"    // a refresh token was copied; the grant ended
	ToldEnded     Told = "ended"     // a partner had all that they have ended
	ToldLeaked    Told = "leaked"    // a credential of theirs was found in public, and ended
)

func (s *Service) tellPerson(ctx context.Context, userID string, what Told, clientID string) {
	if s.tells != nil && userID != "" {
		s.tells(ctx, userID, what, clientID)
	}
}

// AppName is what people know a client as; its client_id where it is gone.
func (s *Service) AppName(ctx context.Context, clientID string) string {
	if c, err := s.clients.get(ctx, clientID); err == nil {
		return c.DisplayName()
	}
	return clientID
}
