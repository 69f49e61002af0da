package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
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
	// keysOld is when a node that cannot read the keys should get no requests.
	keysOld = 3 * keysEvery
)

var errKeysOld = errors.New("the keys cannot be read")

// keyring is the ring of a node and what keeps it up to date.
type keyring struct {
	*token.Ring
	keeper atomic.Pointer[token.Keeper]
	log    *slog.Logger
	news   chan struct{} // the feed says that keys have changed
	told   bool          // events before the start are not logged again
	astray map[secret.ID]bool
	now    func() time.Time
	read   atomic.Int64 // Unix seconds of when all keys were read last
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
	k := &keyring{Ring: ring, log: logger, news: make(chan struct{}, 1), astray: map[secret.ID]bool{}, now: now}
	k.setPolicy(c.keeper(st, now), c)
	k.read.Store(now().Unix())
	return k, nil
}

// setPolicy says how keys are made from now on.
func (k *keyring) setPolicy(keeper *token.Keeper, c *config) {
	keeper.Astray = k.onAstray
	keeper.Wants = []token.Purpose{token.SignIDTokenRSA}
	if c.Signals.Enabled {
		keeper.Wants = append(keeper.Wants, token.SignSET)
	}
	k.keeper.Store(keeper)
}

// onAstray logs each such key once.
func (k *keyring) onAstray(r token.KeyRecord) {
	if k.astray[r.ID] {
		return
	}
	k.astray[r.ID] = true
	k.log.Warn("a key is active only far ahead: the clock of the node that made it was wrong; rotation passes it over, end it with sallyport key compromise",
		slog.String("key_id", r.ID.String()), slog.String("purpose", string(r.Purpose)), slog.Time("active_at", r.ActiveAt))
}

// ready fails when the keys could not be read for longer than keysOld: what
// other nodes make now may be unknown here.
func (k *keyring) ready() error {
	if k.now().Sub(time.Unix(k.read.Load(), 0)) > keysOld {
		return errKeysOld
	}
	return nil
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
		k.log.Info("keys have changed", slog.String("events", string(keyEvents[e.Reason])), slog.String("key_id", e.ID))
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

// run rotates keys that are due, and reads them anew, also when the feed says
// that they have changed, until ctx ends.
func (k *keyring) run(ctx context.Context) {
	var c complaints
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.news: // one may have died and have no successor
		case <-timer.C:
		}
		timer.Reset(k.once(ctx, &c))
	}
}

type complaints struct{ tending, reading complaint }

// once returns when to come again.
func (k *keyring) once(ctx context.Context, c *complaints) time.Duration {
	_, tendErr := k.keeper.Load().Tend(ctx)
	c.tending.about(ctx, k.log, "keys cannot be rotated: the old ones go on", tendErr)
	readErr := k.Reload(ctx)
	c.reading.about(ctx, k.log, "keys cannot be read: those that are known go on", readErr)
	if readErr == nil {
		k.read.Store(k.now().Unix())
	}
	if tendErr != nil || readErr != nil {
		return keysAgain
	}
	return keysEvery
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
