package account

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
)

// What a caller of the store must tell apart of passkeys.
var (
	// ErrRegressed: the signature counter did not go up, so there may be a copy.
	ErrRegressed = errors.New("the signature counter did not go up")
	// ErrTooMany: the person has as many as one may have.
	ErrTooMany = errors.New("too many of them")
)

// Credential is a passkey as it is kept: a public key credential of WebAuthn.
type Credential struct {
	ID             string // credential ID, base64url
	UserID         string
	Name           string // the person's own
	PublicKey      []byte // COSE_Key (RFC 9052 §7)
	SignCount      uint32
	Transports     []string
	AAGUID         string // of the kind of authenticator, not proven; 32 hexadecimal digits
	BackupEligible bool   // the key may be copied between devices of the person
	BackedUp       bool   // and is
	CreatedAt      time.Time
	LastUsed       time.Time // zero: never
}

// Method is what a sign-in with it counts as.
func (c *Credential) Method() Method {
	if c.BackupEligible {
		return PasskeySync
	}
	return Passkey
}

// PasskeyStore keeps passkeys. A challenge counts once: both methods that take
// one spend it in the transaction that it allows, until until, and return
// ErrExists if it was spent before.
type PasskeyStore interface {
	// AddPasskey stores c. ErrExists also if the credential ID is taken, by
	// whomever; ErrNotFound if the person is gone or disabled; ErrTooMany if they
	// have most already.
	AddPasskey(ctx context.Context, c Credential, challenge secret.Hash, until time.Time, most int) error
	// UsePasskey moves SignCount, BackedUp and LastUsed to those of c. ErrNotFound
	// if the person does not have the passkey any more, ErrRegressed if SignCount is not
	// above the stored one, unless both are 0 (WebAuthn §7.2 step 22).
	UsePasskey(ctx context.Context, c Credential, challenge secret.Hash, until time.Time) error
	// Passkey returns ErrNotFound for an unknown credential ID.
	Passkey(ctx context.Context, id string) (Credential, error)
	// Passkeys are those of a person, the oldest first.
	Passkeys(ctx context.Context, userID string) ([]Credential, error)
	// RenamePasskey returns ErrNotFound if the person does not have it.
	RenamePasskey(ctx context.Context, userID, id, name string) error
	// RemovePasskey takes away the passkey and returns it. It ends the sessions and
	// grants that were opened with one of its kind, but for r.Spare; what was proven
	// before no longer counts. With the last factor the recovery codes go.
	// ErrNotFound, ErrLastFactor.
	RemovePasskey(ctx context.Context, id string, r Removal) (Credential, error)
}
