package account

import (
	"context"
	"fmt"
	"time"
)

// Personal is all that is kept of a person, but secrets, keys and what stands for
// one: for each kind of record its rows, and each row by name. Times are RFC 3339.
type Personal map[string][]map[string]any

// PersonalStore is what a person may take along and change of their own.
type PersonalStore interface {
	// Export returns everything of a person in one moment. ErrNotFound for nobody.
	Export(ctx context.Context, userID string) (Personal, error)
	// SetName replaces the name that apps are told. ErrNotFound for nobody.
	SetName(ctx context.Context, userID, name string) error
	// EraseUser is DeleteUser that also takes letters to the person out of the
	// outbox, and writes l to all their addresses; nil: nothing is written.
	EraseUser(ctx context.Context, userID string, l *Letter, now, keep time.Time) error
}

// Export returns all that is kept of a person; see Personal. ErrNotFound for nobody.
func (s *Service) Export(ctx context.Context, userID string) (Personal, error) {
	p, err := s.store.Export(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return p, nil
}

// SetName changes what a person is called. *InvalidError if the rules of AddUser
// forbid it, ErrNotFound for nobody.
func (s *Service) SetName(ctx context.Context, userID, name string) error {
	u, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return fmt.Errorf("find user: %w", err)
	}
	u.Name = normalName(name)
	if err := checkUser(u); err != nil {
		return err
	}
	if err := s.store.SetName(ctx, userID, u.Name); err != nil {
		return fmt.Errorf("set name: %w", err)
	}
	return nil
}
