package bff

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
)

// ErrNotFound says that there is no such session, or no longer.
var ErrNotFound = errors.New("no such browser session")

// ErrStale says that somebody else renews the tokens of a session, or has done so.
var ErrStale = errors.New("the browser session has changed")

// Session is a browser that is signed in, as it is stored. Times have whole seconds.
type Session struct {
	ID      secret.ID
	Hash    secret.Hash // of the cookie
	App     string      // name of the browser app
	GrantID secret.ID   // what the person agreed to
	Tokens  string      // sealed for this ID
	Version int64       // of Tokens, from 1

	CreatedAt, LastSeen      time.Time
	IdleUntil, AbsoluteUntil time.Time
}

// Store keeps browser sessions. Each method is one transaction.
type Store interface {
	// AddBrowserSession stores s, and ends the one that it replaces in the same
	// browser, if that is not zero.
	AddBrowserSession(ctx context.Context, s Session, replaces secret.ID) error
	// BrowserSession finds a session. ErrNotFound. It does not look at the clock.
	BrowserSession(ctx context.Context, id secret.ID) (Session, error)
	// TouchBrowserSession notes that a session is used. ErrNotFound if it has ended.
	// Of two calls that overtake each other, the later moment counts.
	TouchBrowserSession(ctx context.Context, id secret.ID, lastSeen, idleUntil time.Time) error
	// ClaimRenewal lets one caller renew the tokens of this version until a time.
	// ErrStale if somebody else is at it at now, or has done it; ErrNotFound.
	ClaimRenewal(ctx context.Context, id secret.ID, version int64, now, until time.Time) error
	// SaveRenewal stores the tokens that follow those of version, as version+1.
	// ErrStale if somebody else has done it; ErrNotFound.
	SaveRenewal(ctx context.Context, id secret.ID, version int64, tokens string, lastSeen, idleUntil time.Time) error
	// ReleaseRenewal gives a claim back after a failure that may pass.
	ReleaseRenewal(ctx context.Context, id secret.ID, version int64) error
	// EndBrowserSession deletes a session. ErrNotFound if somebody else has done it.
	EndBrowserSession(ctx context.Context, id secret.ID) error
}
