package account

import "context"

// Prove lets tests prove a method that another part of the package checks.
func (s *Service) Prove(ctx context.Context, v Visit, u User, m Method) (Progress, error) {
	return s.prove(ctx, v, u, m)
}

// What apps compute, for the vectors of RFC 6238.
var (
	CodeAt = codeAt
	StepAt = stepAt
)

// WaitAfter and Told are the rules for wrong codes in a row.
var (
	WaitAfter = waitAfter
	Told      = told
)

// What is made of a code that somebody has typed.
var (
	Tightened    = tightened
	RecoveryForm = recoveryForm
)
