package main

import (
	"context"
	"log/slog"

	"sallyport/internal/audit"
	"sallyport/internal/signals"
	"sallyport/internal/store"
)

// assembleSignals makes the transmitter, where there is to be one. keys has the
// door to addresses of receivers: they come from clients.
func (a *assembly) assembleSignals(_ context.Context, keys *keyFinder) error {
	c, door := a.config, keys.door
	if !c.Signals.Enabled {
		return nil
	}
	var err error
	a.signals, err = signals.New(signals.Options{
		Issuer: c.Issuer, Store: hinted{a.store.Signals(), a.news}, Ring: a.keys.Ring, Keep: c.Signals.Keep.std(), Now: a.now,
		Check: door.Check, Post: door.Send, Receives: a.oauth.Receives, Person: a.oauth.Known, Session: a.oauth.KnownSession, Report: a.reportSignal,
	})
	return err
}

// hinted has one channel of hints for all assemblies, one after another.
type hinted struct {
	store.Signals
	news <-chan struct{}
}

// Hint implements signals.Store.
func (h hinted) Hint() <-chan struct{} { return h.news }

// reportSignal logs what became of an event. One that was sent is no news.
func (n *node) reportSignal(d signals.Delivery) {
	attrs := []slog.Attr{slog.String("client_id", d.ClientID), slog.String("type", d.Type)}
	level, what := slog.LevelWarn, "an event could not be delivered yet"
	if d.Event != "" {
		what = "signal"
		attrs = append(attrs, slog.String("events", string(d.Event)))
	}
	if d.Event == audit.SignalSent {
		level = slog.LevelDebug
	}
	if d.Event == audit.SignalsLost {
		level = slog.LevelError
	}
	if d.Code != "" {
		attrs = append(attrs, slog.String("refusal", d.Code))
	}
	if d.Err != nil {
		attrs = append(attrs, slog.Any("error", d.Err))
	}
	n.log.LogAttrs(context.Background(), level, what, attrs...) //nolint:sloglint // one of two texts
}
