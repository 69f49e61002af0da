package main

import (
	"log/slog"
	"sync"

	"sallyport/internal/audit"
	"sallyport/internal/egress"
	"sallyport/internal/gateway"
)

// connectors are what is remembered of connectors from one configuration to the next.
type connectors struct {
	log    *slog.Logger
	mu     sync.Mutex
	meters map[string]*egress.Meter
}

// meter is that of a connector, by its name.
func (c *connectors) meter(name string) *egress.Meter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.meters == nil {
		c.meters = map[string]*egress.Meter{}
	}
	if c.meters[name] == nil {
		c.meters[name] = egress.NewMeter(func(by gateway.Caller) {
			c.log.Warn("an upstream sent the key of a connector back", slog.String("event", string(audit.EgressSecretEchoed)),
				slog.String("api", by.API), slog.String("operation", by.Label), slog.String("subject", by.Subject))
		})
	}
	return c.meters[name]
}
