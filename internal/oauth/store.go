package oauth

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
	// ErrExists: the row was there already. For RedeemCode it means a replay.
	ErrExists = errors.New("exists already")
	// ErrStale: the row is no longer in the state that the transition starts from.
	ErrStale = errors.New("state has changed")
)

// Store keeps what must survive a restart. Every method is one transaction,
// durable when it returns nil, and safe for concurrent use. Times are kept to
// the second. A method that revokes also appends to the revocation feed, in the
// same transaction, with the entry kept until keep.
type Store interface {
	// Client returns ErrNotFound for an unknown client_id.
	Client(ctx context.Context, clientID string) (Client, error)
	// ConfigClient returns the epoch of a client of the configuration, which it
	// makes when there is none yet, and which of the hashes have been compromised.
	ConfigClient(ctx context.Context, clientID string, hashes []secret.Hash) (epoch secret.ID, dead []secret.Hash, err error)

	// RedeemCode makes the grant that an authorization code stands for. The
	// code carries the grant's ID, so the row decides: the first call inserts
	// it, every later one gets ErrExists and changes nothing. ErrStale also where the
	// person has withdrawn any of its scopes since.
	RedeemCode(ctx context.Context, g Grant) error

	// Grant returns ErrNotFound for an unknown ID. A revoked grant is returned,
	// with RevokedAt set.
	Grant(ctx context.Context, id secret.ID) (Grant, error)

	// RotateRefresh moves a grant from generation from to from+1 if it is alive
	// and still at from; otherwise ErrStale, and nothing changes.
	RotateRefresh(ctx context.Context, id secret.ID, from uint32, now, idleUntil time.Time) error

	// BindRefresh is RotateRefresh that also binds a grant to a key: the refresh
	// tokens from generation from+1 on. ErrStale also if it is bound already.
	BindRefresh(ctx context.Context, id secret.ID, from uint32, to token.Confirmation, now, idleUntil time.Time) error

	// KeepRefresh lets the refresh token of generation at, which stays the
	// current one, live until idleUntil, if the grant is alive and still there;
	// otherwise ErrStale, and nothing changes.
	KeepRefresh(ctx context.Context, id secret.ID, at uint32, now, idleUntil time.Time) error

	// RevokeGrant ends a grant. Ending it twice is not an error and adds nothing
	// to the feed.
	RevokeGrant(ctx context.Context, id secret.ID, reason string, now, keep time.Time) error

	// RevokeSerial ends one access token.
	RevokeSerial(ctx context.Context, serial secret.ID, reason string, now, keep time.Time) error

	// EndSession ends the sessions with this sid and every grant that came from
	// them, whether or not a session is still there, and posts a farewell to each
	// client of it that wants one. It returns the client_ids of all of them. Ending
	// it twice is not an error, and tells nobody again.
	EndSession(ctx context.Context, sid secret.ID, reason string, now, keep time.Time) (clients []string, err error)

	// EndUser does so with every session and grant of a person. Of an unknown
	// person there is nothing to end.
	EndUser(ctx context.Context, userID, reason string, now, keep time.Time) error

	// PeopleByEmail returns the account IDs of those whose address it is, verified
	// or not, whatever the case of its letters.
	PeopleByEmail(ctx context.Context, email string) ([]string, error)

	// Post puts messages into the outbox, and says how many it did not take because
	// too many wait for the recipient. A transition that messages tell of posts them
	// itself.
	Post(ctx context.Context, list []Post) (lost int, err error)

	// Consent returns what userID agreed to for clientID; ErrNotFound if nothing.
	Consent(ctx context.Context, userID, clientID string) (Consent, error)
	// SaveConsent adds to the record for its user and client: what is agreed to is
	// no longer declined, and the other way round. Two at once both count.
	SaveConsent(ctx context.Context, c Consent) error

	// Spend uses up a name once: ErrExists if it was used before. The name is a
	// digest of what may be used once, and is remembered until until.
	Spend(ctx context.Context, name secret.Hash, until time.Time) error

	// AddPushed keeps an authorization request that a client has pushed.
	AddPushed(ctx context.Context, p Pushed) error
	// Pushed returns ErrNotFound for a handle that is unknown or used up. One that
	// has expired may still be returned.
	Pushed(ctx context.Context, handle secret.Hash) (Pushed, error)
	// TakePushed uses up a pushed request: ErrStale if it is gone, and so for all
	// callers but the first.
	TakePushed(ctx context.Context, id secret.ID) error

	AskedStore
	LeakStore
	PersonStore
	RegistrationStore
}

// Pushed is an authorization request that waits under a handle (RFC 9126 §2.2).
type Pushed struct {
	ID        secret.ID
	Handle    secret.Hash
	ClientID  string
	Request   string    // sealed
	ExpiresAt time.Time // of the handle: afterwards it opens nothing
	KeptUntil time.Time // of the row, which decides what becomes of a sign-in that has begun
}

// ClientType says where a client runs, and so what it can keep secret.
type ClientType string

// The client types. Native and Browser are public (OAuth 2.1 §2.1): they have
// no secret. Server acts for people, ServiceClient only for itself.
const (
	Native        ClientType = "native"
	Browser       ClientType = "browser"
	Server        ClientType = "server"
	ServiceClient ClientType = "service"
)

// ClientTypes lists the types.
var ClientTypes = []ClientType{Native, Browser, Server, ServiceClient}

// Public reports whether clients of this type have no secret.
func (t ClientType) Public() bool { return t == Native || t == Browser }

// Client is a registered application.
type Client struct {
	ID                     string
	Name                   string // shown to people; empty means ID
	Type                   ClientType
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	Scope                  string   // all that it may ask for, separated by single spaces
	Resources              []string // names of the APIs whose tokens it may introspect, as their resource server
	Secrets                []ClientSecret
	Disabled               bool
	Contacts               []string // e-mail addresses of those who look after it (RFC 7591 §2)
	Settings               Settings
	Origin                 ClientOrigin
	DPoPBound              bool // gets no token without a DPoP proof: dpop_bound_access_tokens, RFC 9449 §5.2
	CertificateBound       bool // nor without a client certificate: tls_client_certificate_bound_access_tokens, RFC 8705 §3.4
	// Epoch is what the codes of the client, and the tokens that it has for
	// itself, count under. Disabling or removing the client and compromising its
	// secret end it.
	Epoch      secret.ID
	CreatedAt  time.Time
	FromConfig bool // defined in the configuration file, so not in the store
	Unused     bool // it registered itself, has been given no token yet, and will end by itself

	instance string // thumbprint of the attested key that speaks, in the copy that authenticate returns
}

// DisplayName is what pages call the client.
func (c Client) DisplayName() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// ClientSecret is one valid secret of a client, as its hash.
type ClientSecret struct {
	Hash      secret.Hash
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
}

// Grant is what a person agreed to: the root of all tokens that came from it.
type Grant struct {
	ID          secret.ID
	ClientID    string
	UserID      string
	ClientEpoch secret.ID // of the client when the code was issued; RedeemCode compares it and stores it not
	SID         secret.ID // of the session that it came from; the sid of ID tokens
	Scope       string
	Audience    string // absolute URIs, separated by single spaces
	ACR         string
	AMR         string
	AuthTime    time.Time
	Nonce       string // of the authorization request, for ID tokens
	CreatedAt   time.Time
	Refreshable bool

	// The refresh token of generation g is made of ID, g and Salt; none is stored.
	Generation    uint32
	Salt          []byte    // 16 bytes
	RotatedAt     time.Time // when Generation last moved; CreatedAt at first
	IdleUntil     time.Time
	AbsoluteUntil time.Time

	// Device and Place are where it was made, as the session had them; RedeemCode
	// takes them from there, and GrantsOf alone reads them. Empty: not known.
	Device string
	Place  string

	// Terms are what was agreed to beyond the scope; RedeemCode stores them.
	Terms Terms

	// Confirm is the key that the refresh tokens of a public client are bound to,
	// from generation ConfirmedFrom on; those before are bearer tokens.
	Confirm       token.Confirmation
	ConfirmedFrom uint32

	RevokedAt    time.Time // zero: alive
	RevokeReason string
}

// Consent is what a person agreed to, remembered.
type Consent struct {
	UserID    string
	ClientID  string
	Scope     string
	Declined  string // scopes that the client asked for and the person left out
	GrantedAt time.Time
}

// User is what the protocol needs to know of a person.
type User struct {
	ID            string
	Username      string
	Name          string
	Email         string
	EmailVerified bool
	Disabled      bool
}

// Users finds people. It returns ErrNotFound for an unknown ID.
type Users interface {
	User(ctx context.Context, id string) (User, error)
}

// ClientAdmin is what administration adds to Store. Each method is one
// transaction and, where it changes a client, tells the feed.
type ClientAdmin interface {
	Clients(ctx context.Context) ([]Client, error)
	// AddClient returns ErrExists if the ID is taken.
	AddClient(ctx context.Context, c Client) error
	// AddClientSecret adds s and lets every other secret of the client end at
	// othersUntil, if it would live longer.
	AddClientSecret(ctx context.Context, clientID string, s ClientSecret, othersUntil, now, keep time.Time) error
	// SetClientDisabled also ends every grant and token when disabled is true.
	SetClientDisabled(ctx context.Context, clientID string, disabled bool, now, keep time.Time) error
	// RemoveClient removes the client, its secrets, consents and grants, and
	// ends every token of it.
	RemoveClient(ctx context.Context, clientID string, now, keep time.Time) error
	// CompromiseSecret ends every secret of a client at once, and its epoch.
	CompromiseSecret(ctx context.Context, c Compromise, e Ending) (Ended, error)
}
