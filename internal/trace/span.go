package trace

import (
	"encoding/hex"
	"time"
)

// kind is who began it (OTLP Span.SpanKind).
type kind int

const (
	server kind = 2
	client kind = 3
)

// Span is one piece of work of a request that is followed. It is used by one
// goroutine. All methods accept nil and then do nothing.
type Span struct {
	tracer     *Tracer
	trace      [16]byte
	id, parent [8]byte
	kind       kind
	name       string
	start, end time.Time
	attrs      []attr
	failed     bool
}

// attr is a string or a number.
type attr struct {
	key, text string
	number    int64
	isNumber  bool
}

// Begin begins a span for a call to another server, as a part of s.
func (s *Span) Begin(name string) *Span {
	if s == nil {
		return nil
	}
	return &Span{tracer: s.tracer, trace: s.trace, id: newID(), parent: s.id, kind: client, name: name, start: s.tracer.now()}
}

// Name says what the span is about: a word of the code or the configuration.
func (s *Span) Name(name string) {
	if s != nil {
		s.name = name
	}
}

// Text adds an attribute: a word of the code or the configuration.
func (s *Span) Text(key, value string) {
	if s != nil && value != "" {
		s.attrs = append(s.attrs, attr{key: key, text: value})
	}
}

// Number adds an attribute.
func (s *Span) Number(key string, value int64) {
	if s != nil {
		s.attrs = append(s.attrs, attr{key: key, number: value, isNumber: true})
	}
}

// Failed says that it did not end well, and that it was our fault or an
// upstream's.
func (s *Span) Failed() {
	if s != nil {
		s.failed = true
	}
}

// End hands the span over. It must not be used afterwards.
func (s *Span) End() {
	if s != nil {
		s.end = s.tracer.now()
		s.tracer.queue.add(s)
	}
}

// ID names the trace, "" for nil.
func (s *Span) ID() string {
	if s == nil {
		return ""
	}
	return hex.EncodeToString(s.trace[:])
}

// Parent is the traceparent for whoever is called within s (W3C Trace Context
// §3.2), "" for nil.
func (s *Span) Parent() string {
	if s == nil {
		return ""
	}
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, s.trace[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, s.id[:])
	return string(append(b, "-01"...))
}
