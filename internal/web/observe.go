package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/trace"
)

// observe is outermost, for the issuer and the gateway alike. It opens the
// record of a request, stops panics, and writes the one event (LG01, LG02).
func (s *site) observe(rw http.ResponseWriter, r *http.Request) {
	start := s.now()
	rec := &audit.Record{}
	w := &answer{ResponseWriter: rw, id: secret.NewID(start)}
	span := s.traces.Start(r)
	r = r.WithContext(trace.With(audit.WithRecord(r.Context(), rec), span))
	defer func() {
		again := s.recovered(w, r, recover())
		s.finish(w, r, rec, s.now().Sub(start), span)
		if again != nil {
			panic(again)
		}
	}()
	s.dispatch(w, r)
}

// recovered answers 500 after a panic and lets nothing through (LG07). What was
// thrown may hold data of the request, so only a runtime error is noted. It
// returns what must be thrown again, to end the connection.
func (s *site) recovered(w *answer, r *http.Request, v any) any {
	if v == nil || v == http.ErrAbortHandler { //nolint:errorlint // the server compares it so
		return v
	}
	rec := audit.FromContext(r.Context())
	what := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		what = err.Error()
	}
	rec.Set(slog.String("panic", what), slog.String("stack", string(debug.Stack())))
	if w.wrote() {
		return http.ErrAbortHandler // half an answer must not look whole
	}
	h := w.Header()
	clear(h)
	return func() (again any) {
		defer func() { again = recover() }()
		s.fail(w, r, classNotFound(r), errPanic)
		return nil
	}()
}

var errPanic = errors.New("panic")

// finish writes the event and counts.
func (s *site) finish(w *answer, r *http.Request, rec *audit.Record, took time.Duration, span *trace.Span) {
	if w.meter == nil {
		w.meter = s.meters.other
	}
	w.meter.observe(w.status, took)
	events := rec.Events()
	s.meters.count(events)
	level := slog.LevelInfo
	if w.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	ctx := context.WithoutCancel(r.Context())
	written, oneOf := s.writes(ctx, level, w, r, rec, events)
	if !written && span == nil {
		return
	}
	attrs := s.line(w, r, rec, events, took)
	if span != nil {
		attrs = append(attrs, slog.String("trace_id", span.ID()))
		endSpan(span, w, r, attrs)
	}
	if !written {
		return
	}
	if oneOf > 1 {
		attrs = append(attrs, slog.Int("one_of", oneOf))
	}
	if n := s.flood.leftOut.Swap(0); n > 0 {
		attrs = append(attrs, slog.Int64("lines_left_out", n))
	}
	// By the handler itself: LogAttrs would look up the source line of this one.
	record := slog.NewRecord(s.now(), level, "request", 0)
	record.AddAttrs(attrs...)
	_ = s.log.Handler().Handle(ctx, record)
}

// writes reports whether the request has its line, and for how many it stands.
func (s *site) writes(ctx context.Context, level slog.Level, w *answer, r *http.Request, rec *audit.Record, events []audit.Event) (written bool, oneOf int) {
	if !s.log.Enabled(ctx, level) {
		return false, 0
	}
	if written, oneOf = s.access.takes(w, rec, events); !written {
		return false, 0
	}
	if !s.flood.takes(s.now(), w, r, events) {
		s.meters.leftOut.Inc()
		return false, 0
	}
	return true, oneOf
}

// line is what the line of a request says, fit for any sink.
func (s *site) line(w *answer, r *http.Request, rec *audit.Record, events []audit.Event, took time.Duration) []slog.Attr {
	attrs := make([]slog.Attr, 0, 20)
	attrs = append(attrs,
		slog.String("request_id", w.id.String()), slog.String("method", knownMethod(r.Method)), slog.String("route", w.meter.route),
		slog.Int("status", w.status), slog.String("outcome", outcome(w)), slog.Int64("took_us", took.Microseconds()),
		slog.Int64("bytes", w.bytes), slog.String("remote", remote(r).String()))
	if s.policy != "" {
		attrs = append(attrs, slog.String("policy", s.policy))
	}
	set := rec.Attrs()
	attrs = append(attrs, set...)
	attrs = appendEvents(attrs, set, events)
	for i := range attrs {
		attrs[i] = safeAttr(attrs[i])
	}
	return attrs
}

// outcome is LG02's: what became of it, in one word.
func outcome(w *answer) string {
	switch status := w.status; {
	case w.refused:
		return "refused"
	case status == 0:
		return "aborted"
	case status == statusClientGone:
		return "client_gone"
	case status >= http.StatusInternalServerError:
		return "failed"
	case status >= http.StatusBadRequest:
		return "refused"
	}
	return "ok"
}

// knownMethod keeps what strangers invent out of logs.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace, "QUERY":
		return m
	}
	return "other"
}

// appendEvents adds the names of the events, their reasons, and whom they are
// about where nobody has said it. A request has one event, or few about the
// same client and person, so they share a line: names and reasons are in order,
// with spaces between.
func appendEvents(attrs, set []slog.Attr, events []audit.Event) []slog.Attr {
	if len(events) == 0 {
		return attrs
	}
	all := events[0]
	names := string(all.Name)
	for _, e := range events[1:] {
		names += " " + string(e.Name)
		if e.Reason != "" {
			all.Reason = strings.TrimPrefix(all.Reason+" "+e.Reason, " ")
		}
		all.Client, all.Subject, all.Grant = cmp.Or(e.Client, all.Client), cmp.Or(e.Subject, all.Subject), cmp.Or(e.Grant, all.Grant)
		all.Actor = cmp.Or(e.Actor, all.Actor)
	}
	attrs = append(attrs, slog.String("events", names))
	for _, a := range [...]slog.Attr{
		slog.String("reason", all.Reason), slog.String("client_id", all.Client), slog.String("subject", all.Subject),
		slog.String("grant_id", all.Grant), slog.String("actor", all.Actor),
	} {
		said := slices.ContainsFunc(set, func(b slog.Attr) bool { return b.Key == a.Key })
		if a.Value.String() != "" && !said {
			attrs = append(attrs, a)
		}
	}
	return attrs
}

// client notes which client a request is about.
func client(r *http.Request, clientID string) {
	audit.FromContext(r.Context()).Set(slog.String("client_id", clientID))
}

// subject notes who is signed in, by account ID.
func subject(r *http.Request, userID string) {
	audit.FromContext(r.Context()).Set(slog.String("subject", userID))
}
