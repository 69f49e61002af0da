package oauth

import (
	"context"
	"time"

	"sallyport/internal/secret"
)

// Asked is what was asked for in one place and is decided by a person in
// another: by a device (RFC 8628), or by a client alone (CIBA).
type Asked struct {
	ID          secret.ID   // and that of the grant that it leads to
	Hash        secret.Hash // of device_code or auth_req_id
	GrantType   string
	ClientID    string
	ClientEpoch secret.ID // of the client when it asked
	UserCode    string    // keyed digest, for a device; unique
	// UserID is who is asked with CIBA, and who has decided for a device.
	UserID    string
	Hint      string // digest of how the client named the person
	Request   []byte // an Authorization as JSON
	Sealed    string // what a ping needs; empty: none is wanted
	State     AskedState
	By        Session // SID, ACR, AMR and AuthTime of who allowed it
	CreatedAt time.Time
	ExpiresAt time.Time
}

// AskedState says how far it is.
type AskedState string

// The states. AskedNobody is one that nobody can decide, since the client named
// nobody whom we know; to the client it looks like AskedPending.
const (
	AskedPending  AskedState = "pending"
	AskedNobody   AskedState = "nobody"
	AskedAllowed  AskedState = "allowed"
	AskedDenied   AskedState = "denied"
	AskedRedeemed AskedState = "redeemed"
)

// AskedStore is what asking elsewhere adds to Store.
type AskedStore interface {
	// AddAsked returns ErrExists if the ID or the user code is taken, and ErrStale
	// if as many as most of the same client wait for the same hint, or have begun to
	// in the last five minutes; most 0 is no limit. One that comes past most for the
	// same person, by other hints, becomes AskedNobody: an error would say that the
	// hints are of one person. The notices go into the outbox with it.
	AddAsked(ctx context.Context, a Asked, most int, notices []Notice) error
	// Asked returns ErrNotFound for an unknown ID.
	Asked(ctx context.Context, id secret.ID) (Asked, error)
	// AskedByUserCode finds what waits at now under one of the digests of a user
	// code, or ErrNotFound.
	AskedByUserCode(ctx context.Context, digests []string, now time.Time) (Asked, error)
	// AskedOf lists what waits for a person at now, the newest first, at most 50.
	AskedOf(ctx context.Context, userID string, now time.Time) ([]Asked, error)
	// DecideAsked moves what waits to to, which is AskedAllowed or AskedDenied, and
	// remembers who decided. The first call wins; ErrStale where it does not wait,
	// has expired, or waits for somebody else. The posts go into the outbox with it.
	DecideAsked(ctx context.Context, id secret.ID, to AskedState, by Session, now time.Time, posts []Post) error
	// RedeemAsked makes the grant of what was allowed, once: then ErrExists. The
	// error is ErrStale if the person is gone or disabled, the session in which it
	// was allowed has ended, or the client has.
	RedeemAsked(ctx context.Context, g Grant, allowedIn secret.ID) error
	// LeakAsked sees to it that nothing comes of it, or ends the grant that did.
	LeakAsked(ctx context.Context, id secret.ID, e Ending) (Ended, error)
	// UserByHint finds a person by the name that they sign in with, or by the mail
	// address that is theirs alone and that somebody has made sure of; ErrNotFound.
	UserByHint(ctx context.Context, hint string) (User, error)
}
