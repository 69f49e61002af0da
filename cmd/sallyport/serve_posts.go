package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"sallyport/internal/notify"
	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
)

// assemblePosts makes what sends messages to addresses of clients: logout tokens,
// signals. keys has the door to those.
func (a *assembly) assemblePosts(_ context.Context, keys *keyFinder) error {
	a.postman = notify.NewPostman(notify.PostOptions{
		Posts: a.store.Outbox(), Make: a.makePost, Send: poster{keys.door}.send, Now: a.now, Report: a.reportDelivery,
	})
	return nil
}

func (a *assembly) makePost(ctx context.Context, p notify.Post) (notify.PostRequest, error) {
	m, err := a.oauth.MakePost(ctx, p.ID, oauth.PostKind(p.Kind), p.Payload)
	if errors.Is(err, oauth.ErrNothingToSend) {
		return notify.PostRequest{}, notify.ErrNothing
	}
	return notify.PostRequest(m), err
}

// poster delivers messages to addresses of clients.
type poster struct{ door *outbound.Client }

func (p poster) send(ctx context.Context, m notify.PostRequest) error {
	header := map[string]string{"Content-Type": m.ContentType}
	if m.Accept != "" {
		header["Accept"] = m.Accept
	}
	if auth := m.Authorization.Reveal(); auth != "" {
		header["Authorization"] = auth
	}
	err := judgeDelivery(p.door.Post(ctx, m.URL, header, []byte(m.Body.Reveal())))
	if m.Authorization.IsZero() {
		return err
	}
	return judgeCredential(err)
}

// judgeCredential is for messages that carry a credential of the receiver's: who
// refuses it once refuses it again, and where a redirect leads it does not belong
// (CIBA Core §10.2).
func judgeCredential(err error) error {
	var failed *outbound.Error
	if !errors.As(err, &failed) {
		return err
	}
	if failed.Reason == outbound.ReasonRedirect || failed.Status == http.StatusUnauthorized || failed.Status == http.StatusForbidden {
		return fmt.Errorf("%w: %w", notify.ErrFinal, err)
	}
	return err
}

// judgeDelivery says whether another attempt may end better: 400 means that the
// receiver has understood and refuses (Back-Channel Logout §2.8, RFC 8935 §2.4),
// and an address that is never asked will not be asked later.
func judgeDelivery(err error) error {
	var failed *outbound.Error
	if !errors.As(err, &failed) {
		return err
	}
	switch failed.Reason {
	case outbound.ReasonURL, outbound.ReasonRequest:
		return fmt.Errorf("%w: %w", notify.ErrFinal, err)
	case outbound.ReasonStatus:
		if failed.Status == http.StatusBadRequest || failed.Status == http.StatusGone {
			return fmt.Errorf("%w: %w", notify.ErrFinal, err)
		}
		return err
	}
	return fmt.Errorf("%w: %w", notify.ErrAway, err)
}

// silentClients are those of the configuration that are not told when a session
// ends.
func (c *config) silentClients() []string {
	var list []string
	for i := range c.Clients {
		if client := c.Clients[i].client(); client.Settings.BackChannelURI == "" {
			list = append(list, client.ID)
		}
	}
	for i := range c.BrowserApps { // they see it in the feed
		if client, own := c.browserClient(&c.BrowserApps[i]); own {
			list = append(list, client.ID)
		}
	}
	return list
}
