package trace

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	maxWaiting = 4096 // spans, some 500 bytes each
	maxBatch   = 512
	sendEvery  = 2 * time.Second
	sendLimit  = 10 * time.Second
)

// Queue holds spans until they are sent. It is bounded: a collector that is
// away costs spans, and nothing else. Safe for concurrent use.
type Queue struct {
	waiting    chan *Span
	sent, lost atomic.Uint64
}

// NewQueue returns an empty Queue.
func NewQueue() *Queue { return &Queue{waiting: make(chan *Span, maxWaiting)} }

// Sent is how many spans a collector has taken; Lost how many it has not, or
// found no room.
func (q *Queue) Sent() uint64 { return q.sent.Load() }

// Lost is how many spans found no room, or were refused by the collector.
func (q *Queue) Lost() uint64 { return q.lost.Load() }

func (q *Queue) add(s *Span) {
	select {
	case q.waiting <- s:
	default:
		q.lost.Add(1)
	}
}

// Send sends an OTLP request (ExportTraceServiceRequest in JSON) to a collector.
type Send func(ctx context.Context, body []byte) error

// Run sends what waits until ctx ends, and then the rest. report is told of the
// first failure, and with nil when it is over.
func (q *Queue) Run(ctx context.Context, send Send, report func(error)) {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			q.flush(context.WithoutCancel(ctx), send, &failing, report)
			return
		case <-tick.C:
			q.flush(ctx, send, &failing, report)
		}
	}
}

// flush sends what waits now, in batches. It gives up at the first that fails.
func (q *Queue) flush(ctx context.Context, send Send, failing *bool, report func(error)) {
	for left := len(q.waiting); left > 0; {
		batch := make([]*Span, 0, min(left, maxBatch))
		for len(batch) < cap(batch) {
			select {
			case s := <-q.waiting:
				batch = append(batch, s)
				continue
			default: // the sender of another configuration has taken them
			}
			break
		}
		if left -= len(batch); len(batch) == 0 {
			return
		}
		limited, cancel := context.WithTimeout(ctx, sendLimit)
		err := send(limited, encode(batch))
		cancel()
		if err == nil {
			q.sent.Add(uint64(len(batch)))
		} else {
			q.lost.Add(uint64(len(batch)))
		}
		if (err != nil) != *failing {
			*failing = err != nil
			report(err)
		}
		if err != nil {
			return
		}
	}
}
