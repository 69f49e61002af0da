package store

import (
	"context"
	"strings"
)

// OpenError says why a database cannot be used and what to do about it. Nothing
// in the database has been changed.
type OpenError struct {
	Problem string // what is wrong, a clause
	Fix     string // what to do, a clause
	Err     error  // what the engine said, may be nil
}

// Error is one sentence.
func (e *OpenError) Error() string { return "store: " + e.Problem + "; " + e.Fix }

// Unwrap returns what the engine said.
func (e *OpenError) Unwrap() error { return e.Err }

const sqliteScheme = "sqlite:"

func openEngine(ctx context.Context, dsn string, o Options) (engine, error) {
	if path, ok := strings.CutPrefix(dsn, sqliteScheme); ok {
		return openSQLite(ctx, path)
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return openPostgres(ctx, dsn, o)
	}
	// The text itself is not shown: it may hold a password.
	return nil, &OpenError{Problem: "the store address has an unknown form", Fix: "write sqlite:PATH or postgres://USER@HOST/DATABASE"}
}
