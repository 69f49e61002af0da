package account

import (
	"context"
	"time"
)

// PeopleStore is for whoever administers many people. Part of Store.
type PeopleStore interface {
	// ListUsers returns people in the order of folded names.
	ListUsers(ctx context.Context, f UserFilter) ([]User, error)
	// UserUse returns how a person's account is used.
	UserUse(ctx context.Context, userID string) (UserUse, error)
	// ImportUsers adds people in one transaction, with what became of each, in
	// order. Who is there already, by name or ID, is left or, by update and the name,
	// changed: what they have ends if the password or being disabled changes.
	ImportUsers(ctx context.Context, list []User, update bool, now, keep time.Time) ([]ImportResult, error)
}

// UserFilter says whom to list.
type UserFilter struct {
	Text     string // is part of the username, name or address, in any case; empty: of all
	Disabled *bool  // only those; nil: both
	After    string // folded name of the last on the page before
	Limit    int    // 0: all
}

// UserUse is how an account is used.
type UserUse struct {
	Sessions int
	LastSeen time.Time // zero: never, or too long ago
}

// ImportResult is what became of one person.
type ImportResult string

// The results.
const (
	Imported  ImportResult = "imported"
	Updated   ImportResult = "updated"
	Unchanged ImportResult = "exists" // the name is taken
	IDTaken   ImportResult = "id taken"
	Invalid   ImportResult = "invalid"
)
