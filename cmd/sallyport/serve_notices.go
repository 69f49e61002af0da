package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"sallyport/internal/audit"
	"sallyport/internal/notify"
	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/store"
)

// assembleNotices makes the worker that tells people of leaks, and says which
// secrets of the file are refused.
func (a *assembly) assembleNotices(ctx context.Context, _ *keyFinder) error {
	c, n := a.config, a.node
	dead, err := c.deadSecrets(deadIn(ctx, n.store))
	if err != nil {
		return err
	}
	for _, i := range dead {
		n.log.WarnContext(ctx, "the secret of a client was compromised and is refused", slog.String("client_id", c.Clients[i].ClientID), slog.String("why", c.deadSentence(i)))
	}
	mailer, err := c.mailer()
	if err != nil {
		return err
	}
	hook, err := c.webhook()
	if err != nil {
		return err
	}
	a.notices = notify.NewWorker(notify.Options{
		Outbox: n.store.Outbox(), Directory: directory{c, n.store.OAuth()}, Issuer: c.Issuer, Operators: c.Leaks.Notify,
		Mailer: mailer, Webhook: hook, Now: n.now, Record: n.recordLeak, Report: n.reportDelivery,
		OpenLetter: func(id, sealed string) (secret.Value, error) { return a.accounts.OpenLetter(id, sealed) },
	})
	return nil
}

func deadIn(ctx context.Context, st *store.Store) func(secret.Hash) (bool, error) {
	return func(h secret.Hash) (bool, error) {
		dead, err := st.OAuth().DeadSecrets(ctx, []secret.Hash{h})
		return len(dead) > 0, err
	}
}

// webhook is nil where none is called.
func (c *config) webhook() (*notify.Webhook, error) {
	l := &c.Leaks
	if l.Webhook == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	text, err := readSecret(c.file(l.WebhookSecretFile))
	if err != nil {
		return nil, fmt.Errorf("secret of the webhook: %w", err)
	}
	u, err := url.Parse(l.Webhook)
	if err != nil {
		return nil, errors.New("leaks.webhook is not an address") // url's own error quotes it
	}
	return notify.NewWebhook(l.Webhook, secret.New(text), outbound.NewClient(l.door(u)).PostJSON), nil
}

// recordLeak writes the record of one leak. All that it has is fit for a log.
func (n *node) recordLeak(l audit.Leak) {
	level := slog.LevelWarn
	if l.Event == audit.LeakMasterKey {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("events", string(l.Event)), slog.String("incident", l.ID), slog.Time("at", l.At)}
	for _, a := range []slog.Attr{
		slog.String("kind", l.Kind),
		slog.String("hash_prefix", l.HashPrefix),
		slog.String("action", l.Action),
		slog.String("client_id", l.ClientID),
		slog.String("subject", l.Subject),
		slog.String("grant_id", l.Grant),
		slog.String("url", l.URL),
		slog.String("source", l.Source),
		slog.String("reporter", l.Reporter),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	n.log.LogAttrs(context.Background(), level, "leak", attrs...)
}

func (n *node) reportDelivery(d notify.Delivery) {
	attrs := []slog.Attr{slog.String("to", d.To), slog.Int("notices", d.Notices)}
	level, what := slog.LevelWarn, "a notice could not be sent yet"
	switch d.Event {
	case audit.NoticeSent, audit.PostSent:
		level = slog.LevelInfo
	case audit.NoticeLost:
		level = slog.LevelError
	}
	if d.Event != "" {
		what = "notice"
		attrs = append(attrs, slog.String("events", string(d.Event)))
	}
	if d.Err != nil {
		attrs = append(attrs, slog.Any("error", d.Err))
	}
	n.log.LogAttrs(context.Background(), level, what, attrs...) //nolint:sloglint // one of two texts
}

// directory finds addresses in the configuration and the store.
type directory struct {
	c     *config
	store store.OAuth
}

// Contacts implements notify.Directory.
func (d directory) Contacts(ctx context.Context, clientID string) ([]string, error) {
	for i := range d.c.Clients {
		if d.c.Clients[i].ClientID == clientID {
			return d.c.Clients[i].Contacts, nil
		}
	}
	c, err := d.store.Client(ctx, clientID)
	if errors.Is(err, oauth.ErrNotFound) {
		return nil, nil
	}
	return c.Contacts, err
}

// Address implements notify.Directory. An address that nobody has made sure of
// may be somebody else's, so it is told nothing.
func (d directory) Address(ctx context.Context, userID string) (string, error) {
	u, err := d.store.User(ctx, userID)
	if errors.Is(err, oauth.ErrNotFound) || err == nil && !u.EmailVerified {
		return "", nil
	}
	return u.Email, err
}
