package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/metrics"
	"sallyport/internal/shared"
	"sallyport/internal/token"
)

// sharedAddress is where the nodes share what is short-lived, "" for nowhere.
func (c *config) sharedAddress() (string, error) {
	if c.SharedFile != "" {
		return readSecret(c.file(c.SharedFile))
	}
	return c.Shared, nil
}

func checkShared(j *judge) {
	path := "shared"
	switch {
	case j.c.Shared == "" && j.c.SharedFile == "":
		if dsn, err := j.c.dsn(); err == nil && strings.HasPrefix(dsn, "postgres") {
			j.warnf(path, "is missing: with more than one node, a DPoP proof can be used once at each of them")
		}
		return
	case j.c.Shared != "" && j.c.SharedFile != "":
		j.failf("shared_file", "is set together with shared: keep one")
		return
	case j.c.SharedFile != "":
		path = "shared_file"
	}
	text, err := j.c.sharedAddress()
	if err != nil {
		j.failf(path, "%v", err)
		return
	}
	a, err := shared.ParseAddress(text)
	if err != nil {
		j.failf(path, "%v", err)
		return
	}
	if !a.Password.IsZero() && j.c.SharedFile == "" {
		j.failf(path, "has a password in it, which ends up in copies of this file: move it to a file and set shared_file")
	}
	if !a.TLS && !a.Local() {
		j.warnf(path, "redis:// sends everything, a password too, so that others on the way can read and change it: use rediss://")
	}
}

// openReplay returns what remembers used proofs: the memory of this node, and
// behind it the servers that all nodes share, if there are any. A proof that
// this node has seen is refused without asking them, and no key can fill them
// faster than the memory of a node allows.
func (n *node) openReplay(ctx context.Context, c *config) (token.Replay, error) {
	memory := token.NewReplayTable(0, n.now)
	text, err := c.sharedAddress()
	if err != nil {
		return nil, fmt.Errorf("read the address of the shared state: %w", err)
	}
	if text == "" {
		return memory, nil
	}
	a, err := shared.ParseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("the address of the shared state %w", err)
	}
	n.shared, err = shared.Open(ctx, shared.Options{Address: a, Deployment: c.Issuer, Now: n.now})
	if err != nil {
		return nil, err
	}
	n.state.Rates().Share(n.shared)
	return bothReplays{memory, n.shared}, nil
}

// bothReplays spends first here, then everywhere.
type bothReplays struct{ here, everywhere token.Replay }

// Spend implements token.Replay.
func (b bothReplays) Spend(ctx context.Context, id [32]byte, until time.Time) (bool, error) {
	if fresh, err := b.here.Spend(ctx, id, until); err != nil || !fresh {
		return false, err
	}
	return b.everywhere.Spend(ctx, id, until)
}

func (n *node) closeShared() {
	if n.shared != nil {
		n.shared.Close()
	}
}

// registerShared counts what the shared servers have said.
func (n *node) registerShared(r prometheus.Registerer) {
	if n.shared == nil {
		return
	}
	for result, of := range map[string]func(shared.Counts) uint64{
		"fresh":    func(c shared.Counts) uint64 { return c.Spent },
		"repeated": func(c shared.Counts) uint64 { return c.Repeated },
		"failed":   func(c shared.Counts) uint64 { return c.Failed },
	} {
		r.MustRegister(metrics.CounterFunc("sallyport_shared_state_total", func() float64 { return float64(of(n.shared.Counts())) }, result))
	}
}
