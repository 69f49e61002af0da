package oauth

import (
	"context"
	"time"

	"sallyport/internal/secret"
)

// LeakStore is what the answer to a leak adds to Store. Each Leak method is one
// transaction that ends one thing, tells the feed, and puts the notices into the
// outbox, so that a crash loses neither. What is not alive is not ended again,
// and nobody is told a second time.
type LeakStore interface {
	// SecretOwners returns the stored clients of which h is a secret, alive or not.
	SecretOwners(ctx context.Context, h secret.Hash) ([]string, error)
	// SessionOf returns the sid and the person of the stored session with this ID
	// and hash, or ErrNotFound.
	SessionOf(ctx context.Context, id secret.ID, h secret.Hash) (sid secret.ID, userID string, err error)

	// BrowserGrant returns the grant behind the stored session of a browser app with
	// this ID and hash, or ErrNotFound.
	BrowserGrant(ctx context.Context, id secret.ID, h secret.Hash) (grantID secret.ID, err error)

	// APIKeyOf returns the ID of the API key with that hash, or ErrNotFound.
	APIKeyOf(ctx context.Context, h secret.Hash) (secret.ID, error)

	// LeakAPIKey ends an API key that has not ended.
	LeakAPIKey(ctx context.Context, id secret.ID, e Ending) (Ended, error)
	LeakSerial(ctx context.Context, serial secret.ID, e Ending) (Ended, error)
	LeakGrant(ctx context.Context, id secret.ID, e Ending) (Ended, error)
	// LeakCode ends the grant that a code stands for. One that does not exist yet
	// is made, and is dead: so the code can never be redeemed.
	LeakCode(ctx context.Context, g Grant, e Ending) (Ended, error)
	// LeakSession ends what EndSession ends.
	LeakSession(ctx context.Context, sid secret.ID, e Ending) (Ended, error)
	// LeakSecret ends one secret of a client, and the client's epoch. The other
	// secrets, and the grants of people, live on. The secret of a client of the
	// configuration is refused from then on, whatever the file says.
	LeakSecret(ctx context.Context, clientID string, h secret.Hash, fromConfig bool, e Ending) (Ended, error)
	// Tell puts notices into the outbox for what cannot be ended.
	Tell(ctx context.Context, notices []Notice) (lost int, err error)
}

// Ending says why something ends, and who is told of it.
type Ending struct {
	Reason    string
	Now, Keep time.Time
	Notices   []Notice
}

// Ended says what became of it.
type Ended struct {
	Alive bool // it was, until now
	Lost  int  // notices that found the outbox full
}

// Notice is a message that waits in the outbox.
type Notice struct {
	ID   secret.ID
	To   string // ToRecord, ToOperator, ToWebhook, or ToClient or ToUser and an ID
	Body []byte // an audit.Leak as JSON
}

// Whom a notice is for. Addresses are looked up when it is sent.
const (
	ToRecord   = "record" // the log of a node
	ToOperator = "operator"
	ToWebhook  = "webhook"
	ToClient   = "client:"
	ToUser     = "user:"
)

// Compromise says what dies with the secrets of a client.
type Compromise struct {
	ClientID   string
	New        ClientSecret  // of a stored client
	FromConfig []secret.Hash // the secrets that the configuration gives it; none for a stored client
	KillGrants bool          // every grant that people gave it, too
}
