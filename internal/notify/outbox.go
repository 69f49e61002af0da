// Package notify tells people and machines what has happened. A Worker takes
// notices of leaks from the outbox and writes a plain text mail or a signed webhook
// from each; a Postman takes messages to addresses of clients, which others make
// and sign. Both try again until it is sent or given up, which is reported. It
// decides what people are told to do, and knows neither how a credential was ended
// nor who may report one. Start at Worker, then texts.go.
package notify

import (
	"context"
	"time"
)

// Notice is a message that a node has taken from the outbox.
type Notice struct {
	ID        string // time-ordered
	To        string // record, operator, webhook, or client: or user: and an ID
	Address   string // which address of several, as AddressKey; empty: it is not split
	Body      []byte // an audit.Leak as JSON
	CreatedAt time.Time
	Attempts  int       // with this one
	Until     time.Time // when the next node may take it
}

// Outbox keeps notices until they are sent. Safe for concurrent use by nodes.
type Outbox interface {
	// Claim takes notices that are due, all to the recipient and address of the
	// oldest, most at most, oldest first; until then nobody else gets them.
	Claim(ctx context.Context, now, until time.Time, most int) ([]Notice, error)
	// Done removes notices.
	Done(ctx context.Context, list []Notice) error
	// Retry gives notices back that this node has still claimed.
	Retry(ctx context.Context, list []Notice, due time.Time) error
	// Split replaces notices to one recipient, which this node has still claimed,
	// by one for each address, as one write. An address for which too many wait gets
	// no more; lost counts those.
	Split(ctx context.Context, list []Notice, addresses []string, due time.Time) (lost int, err error)
}
