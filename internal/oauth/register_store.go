package oauth

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
)

// ErrFull: there are as many registered clients as there may be.
var ErrFull = errors.New("no room")

// RegistrationStore is what registration adds to Store. Each method is one
// transaction; one that changes a client tells the feed.
type RegistrationStore interface {
	// InitialToken returns an initial access token that lives and has uses left;
	// otherwise ErrNotFound.
	InitialToken(ctx context.Context, h secret.Hash, now time.Time) (InitialToken, error)
	// Register adds a client with its registration, and spends one use of the
	// initial access token, if there is one. ErrStale if that has none left;
	// ErrFull if there are already most registered clients.
	Register(ctx context.Context, r Registration, initial *secret.Hash, most int64, keep time.Time) error
	// Registration returns ErrNotFound for a client that did not register itself.
	Registration(ctx context.Context, clientID string) (Registration, error)
	// UpdateRegistration replaces all that a client is registered with but its ID,
	// type, origin and epoch, and what people have agreed to. It gets the token of
	// r if from is still its token, otherwise ErrStale. Its secrets become those
	// of r.Client.
	UpdateRegistration(ctx context.Context, r Registration, from secret.Hash, now, keep time.Time) error
	// RemoveRegistration is RemoveClient if from is still the client's token,
	// otherwise ErrStale.
	RemoveRegistration(ctx context.Context, clientID string, from secret.Hash, now, keep time.Time) error
	// UseRegistration notes that the client has been given a token, so that it
	// does not end by itself.
	UseRegistration(ctx context.Context, clientID string) error
	// BrowserRedirects lists the redirect URIs of all stored browser clients that
	// are not disabled.
	BrowserRedirects(ctx context.Context) ([]string, error)

	// RegistrationOwner returns the client of a registration access token, or ""
	// for an initial access token; ErrNotFound if it is neither.
	RegistrationOwner(ctx context.Context, h secret.Hash) (clientID string, err error)
	// LeakRegistration ends a registration access token or an initial one. The
	// client lives on; an administrator can remove it.
	LeakRegistration(ctx context.Context, h secret.Hash, e Ending) (Ended, error)
}

// Registration is a client that registered itself.
type Registration struct {
	Client    Client
	Token     secret.Hash // of its registration access token; zero: it has ended
	Statement string      // the software statement that it came with
	ExpiresAt time.Time   // when it is removed if it has never been given a token; zero: never
}

// InitialToken is an initial access token without the token (RFC 7591 §3).
type InitialToken struct {
	Hash      secret.Hash
	Note      string
	UsesLeft  int64
	CreatedAt time.Time
	ExpiresAt time.Time
}

// ID is what a person calls it by.
func (t *InitialToken) ID() string {
	const hexDigits = "0123456789abcdef"
	b := make([]byte, 0, 12)
	for _, c := range t.Hash[:6] {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return string(b)
}

// InitialTokenAdmin is what administration does with initial access tokens.
type InitialTokenAdmin interface {
	AddInitialToken(ctx context.Context, t InitialToken) error
	InitialTokens(ctx context.Context) ([]InitialToken, error)
	// RemoveInitialToken returns ErrNotFound for an unknown one.
	RemoveInitialToken(ctx context.Context, h secret.Hash) error
}
