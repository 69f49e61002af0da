package main

import (
	"sallyport/internal/gateway"
	"sallyport/internal/idempotency"
)

// idempotencyConfig says how long keys are remembered.
type idempotencyConfig struct {
	Keep duration `yaml:"keep" default:"24h" example:"24h" doc:"How long an Idempotency-Key is remembered with its answer, 1m to 24h."`
}

// operationIdempotency says what an operation does with Idempotency-Key.
type operationIdempotency struct {
	Idempotency string `yaml:"idempotency" enum:"off,optional,required" example:"required" doc:"What is done with Idempotency-Key: optional gives a request that comes again the answer of the first, required refuses requests without a key, off passes the key on. Without it, required in tier high and else optional; off where stream_body is set, and for GET and HEAD."`
}

func (o *operationIdempotency) gateway(stream bool) gateway.Idempotency {
	switch o.Idempotency {
	case "off":
		return gateway.IdempotencyOff
	case "optional":
		return gateway.IdempotencyOptional
	case "required":
		return gateway.IdempotencyRequired
	}
	if stream {
		return gateway.IdempotencyOff
	}
	return gateway.IdempotencyByTier
}

// records are shared by the nodes, or nil for a node that stands alone.
func (a *assembly) records() gateway.IdempotencyRecords {
	if a.shared == nil {
		return nil
	}
	return idempotency.NewShared(a.shared, func() idempotency.Sealer { return a.keys.Ring })
}
