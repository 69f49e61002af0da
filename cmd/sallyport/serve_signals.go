package main

import (
	"context"
	"log/slog"

	"sallyport/internal/audit"
	"sallyport/internal/outbound"
	"sallyport/internal/signals"
)

// assembleSignals makes the transmitter, where there is to be one. door is how
// addresses of receivers may be asked: they come from clients.
func (n *node) assembleSignals(c *config, door *outbound.Client) error {
	if !c.Signals.Enabled {
		return nil
	}
	var err error
	n.signals, err = signals.New(signals.Options{
		Issuer: c.Issuer, Store: n.store.Signals(), Ring: n.keys.Ring, Keep: c.Signals.Keep.std(), Now: n.now,
		Check: door.Check, Post: door.Send, Receives: n.oauth.Receives, Person: n.oauth.Known, Session: n.oauth.KnownSession, Report: n.reportSignal,
	})
	return err
}

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
