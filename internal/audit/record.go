package audit

import (
	"context"
	"log/slog"
	"sync"
)

// Record is what the one log event of a request says. The HTTP edge opens it,
// those on the way fill it, the edge writes it at the end. It holds no
// credential: put identifiers in, never tokens. Safe for concurrent use; all
// methods accept a nil Record and then do nothing.
type Record struct {
	mu     sync.Mutex
	attrs  []slog.Attr
	room   [10]slog.Attr // enough for most
	events []Event
}

// Set adds attributes. A later value for the same key replaces the earlier.
func (r *Record) Set(attrs ...slog.Attr) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.attrs == nil {
		r.attrs = r.room[:0]
	}
next:
	for _, a := range attrs {
		for i := range r.attrs {
			if r.attrs[i].Key == a.Key {
				r.attrs[i] = a
				continue next
			}
		}
		r.attrs = append(r.attrs, a)
	}
}

// SetCount adds a number, for those who write no logs themselves.
func (r *Record) SetCount(key string, n int) { r.Set(slog.Int(key, n)) }

// Add notes a security event.
func (r *Record) Add(e Event) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Attrs returns what was set, in order.
func (r *Record) Attrs() []slog.Attr {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]slog.Attr(nil), r.attrs...)
}

// Events returns what was noted, in order.
func (r *Record) Events() []Event {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events...)
}

type contextKey struct{}

// WithRecord returns a context that carries r.
func WithRecord(ctx context.Context, r *Record) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// FromContext returns the record of the request, or nil.
func FromContext(ctx context.Context) *Record {
	r, _ := ctx.Value(contextKey{}).(*Record)
	return r
}
