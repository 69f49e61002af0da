package notify

import (
	"context"
	"errors"
	"time"

	"sallyport/internal/secret"
)

// Post is a message to an address of a client that a node has taken.
type Post struct {
	ID        string // time-ordered
	Kind      string
	To        string // recipient: those to one are sent one after another
	Payload   []byte // what the message is made of
	Attempts  int    // with this one
	CreatedAt time.Time
	GiveUp    time.Time
	Until     time.Time // when the next node may take it
}

// Posts keeps messages until they are sent. Safe for concurrent use by nodes.
type Posts interface {
	// ClaimPosts takes messages that are due, all to the recipient of the oldest
	// that no node has in hand, most at most, oldest first; until then nobody else
	// gets any to that recipient. What was tried less often counts as older, so that
	// recipients that never answer do not come before others each time.
	ClaimPosts(ctx context.Context, now, until time.Time, most int) ([]Post, error)
	// DonePosts removes messages.
	DonePosts(ctx context.Context, list []Post) error
	// RetryPosts gives messages back that this node has still claimed.
	RetryPosts(ctx context.Context, list []Post, due time.Time) error
}

// PostRequest is a message as it leaves.
type PostRequest struct {
	URL           string
	ContentType   string
	Accept        string       // empty: none
	Authorization secret.Value // the whole header; zero: none
	Body          secret.Value
}

// What makers and senders say.
var (
	// ErrNothing: there is nothing to send any more.
	ErrNothing = errors.New("nothing to send")
	// ErrFinal: another attempt would end the same way.
	ErrFinal = errors.New("refused for good")
	// ErrAway: nobody answers, so the next message would not arrive either.
	ErrAway = errors.New("the receiver does not answer")
)

// PostOptions of a Postman. All fields are needed.
type PostOptions struct {
	Posts Posts
	// Make makes a message when it is sent: a signature is young, and who has gone
	// meanwhile is sent nothing. ErrNothing and ErrFinal are final.
	Make func(context.Context, Post) (PostRequest, error)
	// Send delivers one. ErrFinal is final; ErrAway puts off the others to the same
	// recipient as well.
	Send   func(context.Context, PostRequest) error
	Now    func() time.Time
	Report func(Delivery) // what became of messages
}

// Postman sends messages to addresses of clients. Any number may run on any
// number of nodes.
type Postman struct{ o PostOptions }

// NewPostman returns a postman; Run makes it work.
func NewPostman(o PostOptions) *Postman { return &Postman{o} }
