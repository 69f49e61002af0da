package account

import "context"

// Prove lets tests prove a method that another part of the package checks.
func (s *Service) Prove(ctx context.Context, v Visit, u User, m Method) (Progress, error) {
	return s.prove(ctx, v, u, m)
}
