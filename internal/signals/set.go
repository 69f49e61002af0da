package signals

import (
	"context"
	"encoding/json"
	"fmt"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// typeSET is the typ of a security event token (RFC 8417 §2.3). No verifier of
// access tokens, ID tokens or logout tokens takes it, and its key signs nothing else.
const typeSET = "secevent+jwt"

// set is a security event token as SSF 1.0 §4.1 has it: one event, sub_id and
// never sub, and no exp.
type set struct {
	Issuer   string                     `json:"iss"`
	IssuedAt int64                      `json:"iat"`
	ID       string                     `json:"jti"`
	Audience string                     `json:"aud"` // §4.1.8: the client_id, exactly
	Txn      string                     `json:"txn"`
	Subject  json.RawMessage            `json:"sub_id"`
	Events   map[string]json.RawMessage `json:"events"`
}

// sign makes the token of an event for the receiver of a stream. A zero value
// means that the receiver has removed that subject.
func (s *Service) sign(ctx context.Context, stream *Stream, e *Event) (secret.Value, error) {
	subject, names, err := s.subject(ctx, stream, e)
	if err != nil {
		return secret.Value{}, err
	}
	if len(names) > 0 {
		gone, err := s.o.Store.Excluded(ctx, stream.ID, names)
		if err != nil {
			return secret.Value{}, fmt.Errorf("look for removed subject: %w", err)
		}
		if gone {
			return secret.Value{}, nil
		}
	}
	claims, err := json.Marshal(set{
		Issuer: s.o.Issuer, IssuedAt: e.At.Unix(), ID: e.ID.String(), Audience: stream.ClientID, Txn: e.Txn.String(),
		Subject: subject, Events: map[string]json.RawMessage{e.Type: e.Claims},
	})
	if err != nil {
		return secret.Value{}, fmt.Errorf("write event: %w", err)
	}
	jwt, err := s.o.Ring.Signer(token.SignSET).Sign(typeSET, claims)
	if err != nil {
		return secret.Value{}, fmt.Errorf("sign event: %w", err)
	}
	return secret.New(jwt), nil
}

// JWKS returns the keys that verify the tokens, as of now: those of nothing else.
func (s *Service) JWKS() ([]byte, error) {
	_ = s.o.Ring.Signer(token.SignSET) // makes the first one
	return s.o.Ring.JWKS(token.SignSET)
}
