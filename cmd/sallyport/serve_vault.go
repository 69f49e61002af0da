package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"sallyport/internal/apikey"
	"sallyport/internal/audit"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
	secrets "sallyport/internal/vault"
)

// usedEvery is how often the store hears which secrets and API keys were used.
const usedEvery = 30 * time.Second

// statics are the secrets of others and the API keys of a node. They outlive
// the configuration.
type statics struct {
	log    *slog.Logger
	store  *store.Store
	vault  *secrets.Vault
	keys   *apikey.Keys
	caught bool // events before the start are not logged again
}

// openStatics makes them. The feed has to be told of onEntry and forget.
func openStatics(st *store.Store, ring *token.Ring, feed *revocation.Follower, log *slog.Logger, now func() time.Time) *statics {
	s := &statics{log: log, store: st, keys: apikey.NewKeys(st.APIKeys(), now)}
	s.vault = secrets.New(secrets.Options{
		Store: st.Vault(), Keys: ring, Now: now,
		// The strictest that an API may ask for holds for everybody's secrets: one
		// that was compromised is not sent by a node that has not heard of it.
		Fresh: func() bool { return feed.Age() <= secretMaxAge },
	})
	feed.OnEntry(s.onEntry)
	feed.OnReturn(s.forget)
	return s
}

// secretMaxAge is how old a node's view of changes may be when it sends a secret
// out of memory.
const secretMaxAge = 5 * time.Second

// onEntry follows the feed.
func (s *statics) onEntry(e revocation.Entry) {
	switch e.Kind {
	case revocation.Secret:
		s.vault.Forget(e.ID)
		if event := secretEvents[e.Reason]; event != "" && s.caught {
			s.log.Info("a secret has changed", slog.String("events", string(event)), slog.String("secret_name", e.ID))
		}
	case revocation.APIKey:
		if id, err := secret.ParseID(e.ID); err == nil {
			s.keys.Forget(id)
		}
	case revocation.Changed:
		if text, ok := strings.CutPrefix(e.ID, "key:"); ok {
			if id, err := secret.ParseID(text); err == nil {
				s.keys.Forget(id)
			}
		}
	default:
	}
}

// secretEvents are the audit events for what the feed says of secrets.
var secretEvents = map[string]audit.Name{
	revocation.SecretSet:         audit.SecretSet,
	revocation.SecretCompromised: audit.VaultCompromised,
	revocation.SecretRemoved:     audit.SecretRemoved,
}

// forget drops all, because the store has gone back.
func (s *statics) forget() {
	s.vault.Forget("")
	s.keys.Forget(secret.ID{})
}

// run notes uses in the store until ctx ends, and once more then.
func (s *statics) run(ctx context.Context) {
	tick := time.NewTicker(usedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			s.flush(last)
			return
		case <-tick.C:
			s.flush(ctx)
		}
	}
}

func (s *statics) flush(ctx context.Context) {
	if err := s.vault.Flush(ctx); err != nil {
		s.log.WarnContext(ctx, "the last use of secrets is not noted", slog.Any("error", err))
	}
	if used := s.keys.TakeUsed(); len(used) > 0 {
		if err := s.store.APIKeys().APIKeysUsed(ctx, used); err != nil {
			s.log.WarnContext(ctx, "the last use of API keys is not noted", slog.Any("error", err))
		}
	}
}
