package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/secret"
)

// Post is a message to an address of a client, to be put into the outbox by the
// transition that it tells of, so that a crash loses neither.
type Post struct {
	ID      secret.ID
	Kind    PostKind
	To      string    // recipient, "" for Kind and ClientID: one that is slow delays no other
	Client  string    // client_id that it concerns
	Payload []byte    // what the maker of Kind makes the message of; no secret, see SealForPost
	GiveUp  time.Time // until when it is tried
}

// Recipient is whom those that share it are sent to one after another.
func (p *Post) Recipient() string {
	if p.To != "" {
		return string(p.Kind) + ":" + p.To
	}
	return string(p.Kind) + ":" + p.Client
}

// PostKind says what a message is.
type PostKind string

// Message is what is sent: one POST.
type Message struct {
	URL           string
	ContentType   string
	Accept        string       // empty: none
	Authorization secret.Value // the whole header; zero: none
	Body          secret.Value
}

// ErrNothingToSend: whom a message was for has gone, or wants none any more.
var ErrNothingToSend = errors.New("nothing to send")

// postMakers make the messages of each kind when they are sent: id is the same
// when a message is sent again. ErrNothingToSend ends one without a word; any
// other error is tried again.
var postMakers = map[PostKind]func(s *Service, ctx context.Context, id string, payload []byte) (Message, error){
	PostLogout: (*Service).makeLogout,
	PostPing:   (*Service).makePing,
}

// MakePost makes a message that has been taken from the outbox.
func (s *Service) MakePost(ctx context.Context, id string, kind PostKind, payload []byte) (Message, error) {
	makePost := postMakers[kind]
	if makePost == nil {
		return Message{}, fmt.Errorf("no message has the kind %q", kind)
	}
	return makePost(s, ctx, id, payload)
}

const postLabel = "post"

// SealForPost hides a secret in the payload of a message, for an hour at least.
func (s *Service) SealForPost(v secret.Value) (string, error) {
	h, err := s.ring.Seal(secret.PendingSignIn, postLabel, []byte(v.Reveal()))
	if err != nil {
		return "", fmt.Errorf("seal a secret of a message: %w", err)
	}
	return h.Reveal(), nil
}

// OpenForPost reads what SealForPost has made. When its key has gone, the error
// is ErrNothingToSend.
func (s *Service) OpenForPost(sealed string) (secret.Value, error) {
	plain, err := s.ring.Open(secret.PendingSignIn, postLabel, sealed)
	if err != nil {
		return secret.Value{}, ErrNothingToSend
	}
	return secret.New(string(plain)), nil
}
