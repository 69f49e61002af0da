package oauth

import (
	"context"
	"errors"
	"fmt"
)

// embeddedUA says what happens to people who come in a web view inside an app.
const (
	embeddedBlock = "block" // the default
	embeddedWarn  = "warn"
)

// EmbeddedAllowed reports whether people may go on in a web view that the app of
// this client shows, with a warning. An unknown client is none of those.
func (s *Service) EmbeddedAllowed(ctx context.Context, clientID string) (bool, error) {
	c, err := s.clients.get(ctx, clientID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, unavailable("find client", err)
	}
	return c.Settings.EmbeddedUA == embeddedWarn, nil
}

func (c *Client) embeddedProblem() (setting, why string) {
	switch c.Settings.EmbeddedUA {
	case "", embeddedBlock, embeddedWarn:
		return "", ""
	}
	return "embedded_ua", fmt.Sprintf("%q is neither block nor warn", c.Settings.EmbeddedUA)
}
