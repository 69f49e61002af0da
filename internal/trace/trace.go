// Package trace follows single requests through this server and tells a
// collector of them (OpenTelemetry, OTLP over HTTP in JSON). It decides which
// requests are followed and what is told of them, which is never more than a
// line of the log has; it refuses to know what a token or a query is. A nil
// *Tracer and a nil *Span follow nothing and cost nothing. Start at
// Tracer.Start.
package trace

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/http"
	"net/netip"
	"time"
)

// Options say what is followed.
type Options struct {
	Share float64 // of requests that are followed: 0 to 1
	// Trusted are the networks of proxies whose traceparent is continued. That of
	// everybody else is not read: a stranger who chooses the ID of a trace mixes it
	// into those of others, and one who chooses the flag decides what we store.
	Trusted []netip.Prefix
	Queue   *Queue // takes spans that have ended
	Now     func() time.Time
}

// Tracer begins spans. Safe for concurrent use.
type Tracer struct {
	below   uint64 // random numbers that are followed
	trusted []netip.Prefix
	queue   *Queue
	now     func() time.Time
}

// New returns a Tracer, nil where nothing would be followed.
func New(o Options) *Tracer {
	if o.Queue == nil || o.Share <= 0 && len(o.Trusted) == 0 {
		return nil
	}
	t := &Tracer{trusted: o.Trusted, queue: o.Queue, now: o.Now, below: math.MaxUint64}
	if o.Share < 1 {
		t.below = uint64(max(o.Share, 0) * (1 << 63) * 2)
	}
	return t
}

// Start begins the span of a request, nil if it is not followed.
func (t *Tracer) Start(r *http.Request) *Span {
	if t == nil {
		return nil
	}
	parent, sampled, known := t.parent(r)
	if known && !sampled {
		return nil
	}
	var random [16]byte
	_, _ = rand.Read(random[:])
	if !known && (t.below == 0 || binary.LittleEndian.Uint64(random[:]) > t.below) {
		return nil
	}
	s := &Span{tracer: t, kind: server, start: t.now(), id: newID()}
	if s.trace, s.parent = random, [8]byte{}; known {
		s.trace, s.parent = parent.trace, parent.id
	}
	return s
}

func newID() (id [8]byte) {
	_, _ = rand.Read(id[:])
	return id
}

// parent reads the traceparent of a proxy that we trust (W3C Trace Context §3.2).
func (t *Tracer) parent(r *http.Request) (p spanContext, sampled, ok bool) {
	if len(t.trusted) == 0 {
		return p, false, false
	}
	lines := r.Header["Traceparent"]
	if len(lines) != 1 || !t.trusts(r.RemoteAddr) {
		return p, false, false
	}
	return parse(lines[0])
}

func (t *Tracer) trusts(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, n := range t.trusted {
		if n.Contains(a.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// spanContext names a span.
type spanContext struct {
	trace [16]byte
	id    [8]byte
}

// parse reads a traceparent. A version that is not known is read as far as this
// one goes (§4.3).
func parse(s string) (c spanContext, sampled, ok bool) {
	const size = 55
	if len(s) < size || s[2] != '-' || s[35] != '-' || s[52] != '-' || len(s) > size && s[size] != '-' {
		return c, false, false
	}
	var version, flags [1]byte
	for _, part := range []struct {
		to   []byte
		text string
	}{{version[:], s[:2]}, {c.trace[:], s[3:35]}, {c.id[:], s[36:52]}, {flags[:], s[53:55]}} {
		for i := range len(part.text) {
			if b := part.text[i]; (b < '0' || b > '9') && (b < 'a' || b > 'f') {
				return spanContext{}, false, false
			}
		}
		if _, err := hex.Decode(part.to, []byte(part.text)); err != nil {
			return spanContext{}, false, false
		}
	}
	if version[0] == 0xff || version[0] == 0 && len(s) != size || c.trace == [16]byte{} || c.id == [8]byte{} {
		return spanContext{}, false, false
	}
	return c, flags[0]&1 == 1, true
}

type contextKey struct{}

// With returns a context that carries s; ctx itself if s is nil.
func With(ctx context.Context, s *Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the span of the request, nil if it is not followed.
func FromContext(ctx context.Context) *Span {
	s, _ := ctx.Value(contextKey{}).(*Span)
	return s
}
