package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

// keysEvery is how often a node looks for keys that are due, and reads all keys
// anew in case that it has missed a change.
const (
	keysEvery = 30 * time.Second
	keysAgain = time.Second // after a failure
)

// keyring is the ring of a node and what keeps it up to date.
type keyring struct {
	*token.Ring
	keeper *token.Keeper
	log    *slog.Logger
	news   chan struct{} // the feed says that keys have changed
	told   bool          // events before the start are not logged again
}

// openKeyring opens the ring of a node. A master key that does not fit changes
// nothing.
func (c *config) openKeyring(ctx context.Context, st *store.Store, logger *slog.Logger, now func() time.Time) (*keyring, error) {
	master, err := c.master()
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	ring, err := token.OpenRing(ctx, st.Keys(), master, now)
	if err != nil {
		return nil, c.explainMaster(err)
	}
	ring.FollowMaster(c.privateMaster)
	return &keyring{Ring: ring, keeper: c.keeper(st, now), log: logger, news: make(chan struct{}, 1)}, nil
}

func (c *config) keeper(st *store.Store, now func() time.Time) *token.Keeper {
	return &token.Keeper{Store: st.Keys(), Master: c.privateMaster, Now: now, Rotate: c.Keys.rotate()}
}

// explainMaster says which file does not fit.
func (c *config) explainMaster(err error) error {
	var wrong *token.MasterError
	if !errors.As(err, &wrong) {
		return err
	}
	by := wrong.WrappedBy
	if by == "" {
		by = "another one"
	}
	return fmt.Errorf("%w: put back the %s that this database was made with: it has the fingerprint %s, and the keys were wrapped by %s; nothing has been changed",
		token.ErrMasterKey, c.file(c.MasterKeyFile), strings.Join(wrong.Have, " and "), by)
}

// keyEvents are the audit events for what the feed says of keys.
var keyEvents = map[string]audit.Name{
	revocation.KeyMade:        audit.KeyMade,
	revocation.KeyActivated:   audit.KeyActivated,
	revocation.KeyCompromised: audit.KeyCompromised,
	revocation.KeysRewrapped:  audit.KeyRewrapped,
}

// onEntry follows the feed. A compromised key is dead when it returns, whether
// the keys can be read or not.
func (k *keyring) onEntry(e revocation.Entry) {
	if e.Kind != revocation.Keys {
		return
	}
	if id, err := secret.ParseID(e.ID); err == nil && e.Reason == revocation.KeyCompromised {
		k.Drop(id)
	}
	if k.told {
		k.log.Info("keys have changed", slog.String("event", string(keyEvents[e.Reason])), slog.String("key_id", e.ID))
	}
	k.readAgain()
}

// readAgain makes run read the keys, soon and without waiting for it. Keys that
// were dropped stay so.
func (k *keyring) readAgain() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// run rotates keys that are due, and reads them anew when the feed says so,
// until ctx ends.
func (k *keyring) run(ctx context.Context) {
	var tending, reading complaint
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due := false
		select {
		case <-ctx.Done():
			return
		case <-k.news:
		case <-timer.C:
			due = true
		}
		var tendErr error
		if due {
			_, tendErr = k.keeper.Tend(ctx)
			tending.about(ctx, k.log, "keys cannot be rotated: the old ones go on", tendErr)
		}
		readErr := k.Reload(ctx)
		reading.about(ctx, k.log, "keys cannot be read: those that are known go on", readErr)
		if tendErr != nil || readErr != nil {
			timer.Reset(keysAgain)
		} else if due {
			timer.Reset(keysEvery)
		}
	}
}

// complaint is logged once, and once more when it is over.
type complaint struct{ last string }

func (c *complaint) about(ctx context.Context, log *slog.Logger, what string, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil && c.last != "":
		c.last = ""
		log.InfoContext(ctx, "keys are followed again")
	case err != nil && c.last == "":
		c.last = what
		log.ErrorContext(ctx, what, slog.Any("error", err)) //nolint:sloglint // one of two texts of this file
	}
}
