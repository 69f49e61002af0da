package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// PostPing tells a client that somebody has answered (CIBA Core §10.2).
const PostPing PostKind = "ciba_ping"

// ping is what a ping needs. Both are secrets of the client: they wait sealed.
type ping struct {
	RequestID string `json:"r"`
	Token     string `json:"t"` // client_notification_token
}

// pingPayload is what waits in the outbox.
type pingPayload struct {
	Client string `json:"client_id"`
	Sealed string `json:"sealed"`
}

func (s *Service) sealPing(requestID, notify secret.Value) (string, error) {
	plain, err := json.Marshal(ping{requestID.Reveal(), notify.Reveal()})
	if err != nil {
		return "", unavailable("write ping", err)
	}
	return s.SealForPost(secret.New(string(plain)))
}

// pingOf is the message that a client is owed once the row is decided. It is tried
// for as long as the answer can be fetched.
func (s *Service) pingOf(row *Asked) (Post, error) {
	payload, err := json.Marshal(pingPayload{row.ClientID, row.Sealed})
	if err != nil {
		return Post{}, unavailable("write ping", err)
	}
	return Post{ID: secret.NewID(s.now()), Kind: PostPing, Client: row.ClientID, Payload: payload, GiveUp: row.ExpiresAt}, nil
}

// makePing makes the ping. It goes to where the client is registered now.
func (s *Service) makePing(ctx context.Context, _ string, payload []byte) (Message, error) {
	var p pingPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return Message{}, fmt.Errorf("read a ping: %w", err)
	}
	c, err := s.clients.get(ctx, p.Client)
	if errors.Is(err, ErrNotFound) || err == nil && (c.Disabled || c.Settings.CIBAMode != cibaPing || c.Settings.CIBANotify == "") {
		return Message{}, ErrNothingToSend
	}
	if err != nil {
		return Message{}, fmt.Errorf("find client: %w", err)
	}
	plain, err := s.OpenForPost(p.Sealed)
	if err != nil {
		return Message{}, err
	}
	var what ping
	if err := json.Unmarshal([]byte(plain.Reveal()), &what); err != nil {
		return Message{}, fmt.Errorf("read a ping: %w", err)
	}
	body := token.AppendJSONString([]byte(`{"auth_req_id":`), what.RequestID)
	return Message{
		URL: c.Settings.CIBANotify, ContentType: "application/json", Authorization: secret.New("Bearer " + what.Token),
		Body: secret.New(string(append(body, '}'))),
	}, nil
}
