package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// PostLogout is a logout token (OpenID Connect Back-Channel Logout 1.0 §2.5).
const PostLogout PostKind = "logout"

// LogoutTries is for how long a logout token is sent again: a client that is away
// for longer learns of the end when it refreshes.
const LogoutTries = time.Hour

// Farewell is the payload of PostLogout: which client is told that which session
// of whom has ended.
type Farewell struct {
	Client string    `json:"client"`
	SID    secret.ID `json:"sid"`
	UserID string    `json:"user"`
}

// Post makes the message for the outbox.
func (f Farewell) Post(now time.Time) (Post, error) {
	payload, err := json.Marshal(f)
	return Post{ID: secret.NewID(now), Kind: PostLogout, Client: f.Client, Payload: payload, GiveUp: now.Add(LogoutTries)}, err
}

// Logout tokens live for two minutes (Back-Channel Logout §4 recommends that at
// most), so they are made when they are sent.
const (
	logoutTokenLife = 2 * time.Minute
	typeLogout      = "logout+jwt"
	logoutEvent     = "http://schemas.openid.net/event/backchannel-logout"
)

func (s *Service) makeLogout(ctx context.Context, id string, payload []byte) (Message, error) {
	var f Farewell
	if err := json.Unmarshal(payload, &f); err != nil {
		return Message{}, fmt.Errorf("read a farewell: %w", err)
	}
	c, err := s.clients.get(ctx, f.Client)
	if errors.Is(err, ErrNotFound) || err == nil && (c.Settings.BackChannelURI == "" || c.Disabled) {
		return Message{}, ErrNothingToSend
	}
	if err != nil {
		return Message{}, fmt.Errorf("find client: %w", err)
	}
	jwt, err := s.logoutToken(ctx, c, &f, id)
	if err != nil {
		return Message{}, err
	}
	return Message{
		URL: c.Settings.BackChannelURI, ContentType: "application/x-www-form-urlencoded",
		Body: secret.New("logout_token=" + jwt.Reveal()), // its alphabet needs no escapes
	}, nil
}

// logoutToken makes a logout token (Back-Channel Logout §2.4): signed as the
// client's ID tokens are, with sub and sid, and never with a nonce. It is
// encrypted if they are.
func (s *Service) logoutToken(ctx context.Context, c *Client, f *Farewell, id string) (secret.Value, error) {
	now := s.now()
	b := make([]byte, 0, 512)
	b = append(b, `{"iss":`...)
	b = token.AppendJSONString(b, s.issuer)
	b = append(b, `,"sub":`...)
	b = token.AppendJSONString(b, s.subjectFor(c, f.UserID))
	b = append(b, `,"aud":`...)
	b = token.AppendJSONString(b, c.ID)
	b = appendInt(b, `,"iat":`, now.Unix())
	b = appendInt(b, `,"exp":`, now.Add(logoutTokenLife).Unix())
	b = append(b, `,"jti":`...)
	b = token.AppendJSONString(b, id) // the same when it is sent again: a client may ignore it
	b = append(b, `,"sid":`...)
	b = token.AppendJSONString(b, s.sidFor(c, f.SID))
	b = append(b, `,"events":{"`+logoutEvent+`":{}}}`...)
	signer, err := s.clientSigner(c.Settings.IDTokenSig)
	if err != nil {
		return secret.Value{}, err
	}
	jwt, err := signer.Sign(typeLogout, b)
	if err != nil {
		return secret.Value{}, fmt.Errorf("sign logout token: %w", err)
	}
	return s.encryptFor(ctx, c, c.Settings.IDTokenAlg, c.Settings.IDTokenEnc, secret.New(jwt), "logout token")
}
