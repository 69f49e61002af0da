package account

import (
	"context"
	"fmt"
)

// LocaleStore keeps the language in which a person wants to be written to.
type LocaleStore interface {
	// SetLocale replaces it. ErrNotFound for an unknown person.
	SetLocale(ctx context.Context, userID, tag string) error
}

// SetLocale remembers the language of mails to a person, a tag of BCP 47. It
// changes nothing that proves who they are.
func (s *Service) SetLocale(ctx context.Context, userID, tag string) error {
	if err := s.store.SetLocale(ctx, userID, tag); err != nil {
		return fmt.Errorf("set language: %w", err)
	}
	return nil
}
