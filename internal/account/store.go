package account

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// What a caller of the store must tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
)

// Store keeps people and their sessions. Every method is one transaction,
// durable when it returns nil, and safe for concurrent use. Times are kept to
// the second. A method that ends tokens also appends to the revocation feed,
// in the same transaction, with the entry kept until keep.
type Store interface {
	LocaleStore
	PeopleStore
	LetterStore
	PasskeyStore
	IdentityStore
	MailStore
	AddressStore
	SignUpStore
	RecoveryStore
	SessionListStore
	PersonalStore

	// UserByName and UserByID return ErrNotFound for an unknown person. Names
	// compare by their folded form, see FoldUsername.
	UserByName(ctx context.Context, folded string) (User, error)
	UserByID(ctx context.Context, id string) (User, error)
	Users(ctx context.Context) ([]User, error)

	// AddUser returns ErrExists if the ID or the folded name is taken.
	AddUser(ctx context.Context, u User) error
	// SetPassword replaces the hash and ends every session and grant of the
	// person, so that a stolen session does not outlive the change.
	SetPassword(ctx context.Context, userID, hash string, now, keep time.Time) error
	// UpgradePassword replaces the hash old by new and ends nothing: the
	// password is the same. ErrNotFound if the hash is no longer old.
	UpgradePassword(ctx context.Context, userID, old, new string) error
	// SetDisabled with true ends every session and grant.
	SetDisabled(ctx context.Context, userID string, disabled bool, now, keep time.Time) error
	// EndSessions ends every session and grant of the person, and nothing else.
	EndSessions(ctx context.Context, userID string, now, keep time.Time) error
	// DeleteUser removes the person, sessions, grants and consents, and ends
	// every token.
	DeleteUser(ctx context.Context, userID string, now, keep time.Time) error

	// AddSession stores s if the person is there, enabled and still at version
	// s.UserVersion, and ErrNotFound otherwise: what was proven no longer counts. If
	// replaces is not zero, it ends that session in the same transaction, without
	// touching the grants that came from it. A zero SID is stored as s.ID. If the
	// person has more than s.Most sessions then, those that were unused for longest
	// end in the same way.
	AddSession(ctx context.Context, s Session, replaces secret.ID) error
	// Session returns ErrNotFound for an unknown or ended session.
	Session(ctx context.Context, id secret.ID) (Session, error)
	// TouchSession moves LastSeen and IdleUntil of a session that is alive.
	TouchSession(ctx context.Context, id secret.ID, lastSeen, idleUntil time.Time) error

	// Factors says what a person can prove who they are with, besides a password.
	Factors(ctx context.Context, userID string) (Factors, error)

	FactorStore
	EventStore
	BrowserStore
}

// User is a person who can sign in.
type User struct {
	ID            string // stable, never reused
	Username      string
	Name          string
	Email         string
	EmailVerified bool
	PasswordHash  string // PHC string; empty: no password, so none fits
	Disabled      bool
	CreatedAt     time.Time
	// Version changes with everything that proves the person: the password, a
	// factor that is removed, being disabled. What was proven before no longer counts.
	Version int64
	Locale  string // of mails, BCP 47; empty: not known
}

// Factors are what a person has set up to prove who they are, besides a password.
type Factors struct {
	Passkeys       int
	Authenticators int // confirmed ones
	RecoveryCodes  int // unused ones
	Identities     int // sign-ins elsewhere
}

// Session is one browser in which a person is signed in.
type Session struct {
	ID            secret.ID
	SID           secret.ID   // what grants and ID tokens call it: it stays when the same person signs in again here
	Hash          secret.Hash // of the whole cookie value
	UserID        string
	UserVersion   int64 // of the person when they proved who they are; AddSession compares it and stores it not
	Methods       Methods
	ACR           string     // follows from Methods
	AMR           string     // follows from Methods
	AuthTime      time.Time  // of the first of Methods
	Tier          token.Tier // whose limits it has
	Keep          bool       // the person wants to stay signed in when the browser closes
	Most          int        // sessions that the person may have; AddSession ends those over it, and stores it not. 0: any number
	Purpose       string     // the act that the sign-in was for; empty: none
	Device        string     // as its owner knows it, such as "Firefox on Linux"
	Place         string     // coarse; empty: not known
	Provider      string     // where they signed in, if elsewhere
	ProviderSID   string     // and as what
	CreatedAt     time.Time
	LastSeen      time.Time
	Idle          time.Duration // how long it was unused until now; Service.Session says it, and no store
	IdleUntil     time.Time
	AbsoluteUntil time.Time
}
