package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"time"

	"sallyport/internal/egress"
	"sallyport/internal/shared"
)

// quietLibraries drops what libraries write by themselves. net/http quotes what a
// server sends on a connection that nobody uses: that could be a key of ours.
func quietLibraries() { log.SetOutput(io.Discard) }

// openConnectors makes what is remembered of connectors from one configuration to
// the next.
func (n *node) openConnectors() {
	if n.shared == nil {
		n.connectors = egress.NewState(nil, n.now)
		return
	}
	n.connectors = egress.NewState(sharedLedger{n.shared, n.now}, n.now)
}

// sharedLedger counts for all nodes.
type sharedLedger struct {
	store *shared.Store
	now   func() time.Time
}

// Spend implements egress.Ledger. What is too much is taken back: for a moment
// another call may find less than there is, and never more.
func (l sharedLedger) Spend(ctx context.Context, account [32]byte, n, limit int64, until time.Time) (bool, error) {
	sum, err := l.store.Add(ctx, account, n, until.Sub(l.now())+time.Second)
	if err != nil || sum <= limit {
		return err == nil, err
	}
	l.Refund(ctx, account, n)
	return false, nil
}

// Refund implements egress.Ledger. If it fails, too much is counted.
func (l sharedLedger) Refund(ctx context.Context, account [32]byte, n int64) {
	_, _ = l.store.Add(ctx, account, -n, time.Second)
}

// ways are the transports of the connectors of an assembly.
type ways []*http.Transport

// close ends connections that nobody uses: the next assembly has its own.
func (w ways) close() {
	for _, t := range w {
		t.CloseIdleConnections()
	}
}
