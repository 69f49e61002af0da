package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// lineHandler writes what slog.JSONHandler would, at a fifth of the cost: a busy
// node writes a line a call. A record that has more than plain values goes the
// long way.
type lineHandler struct {
	slog.Handler
	out *lineWriter
}

func newLineHandler(out *lineWriter, o *slog.HandlerOptions) *lineHandler {
	return &lineHandler{slog.NewJSONHandler(out, o), out}
}

var lines = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// Handle implements slog.Handler.
func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	p := lines.Get().(*[]byte) //nolint:errcheck,forcetypeassert // nothing else is in it
	defer lines.Put(p)
	b := append((*p)[:0], '{')
	if !r.Time.IsZero() {
		b = append(b, `"time":"`...)
		b = append(r.Time.Round(0).AppendFormat(b, time.RFC3339Nano), `",`...)
	}
	b = append(b, `"level":"`...)
	b = append(append(b, r.Level.String()...), `","msg":`...)
	b = appendText(b, r.Message)
	plain := true
	r.Attrs(func(a slog.Attr) bool {
		b, plain = appendAttr(b, a)
		return plain
	})
	*p = b
	if !plain {
		return h.Handler.Handle(ctx, r)
	}
	*p = append(b, "}\n"...)
	return h.out.add(*p, r.Time, r.Level >= slog.LevelWarn)
}

// appendAttr reports false for what it cannot write.
func appendAttr(b []byte, a slog.Attr) ([]byte, bool) {
	if a.Key == "" {
		return b, false
	}
	b = appendText(append(b, ','), a.Key)
	b = append(b, ':')
	switch v := a.Value; v.Kind() {
	case slog.KindString:
		return appendText(b, v.String()), true
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10), true
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10), true
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool()), true
	case slog.KindDuration:
		return strconv.AppendInt(b, int64(v.Duration()), 10), true
	default:
		return b, false
	}
}

// appendText appends a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			var out bytes.Buffer
			e := json.NewEncoder(&out)
			e.SetEscapeHTML(false)
			_ = e.Encode(s) // a string cannot fail
			return append(b, bytes.TrimRight(out.Bytes(), "\n")...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

const (
	linesWait = 20 * time.Millisecond
	linesMax  = 32 << 10
)

// lineWriter gathers lines while more than one comes in 20 ms, so that a busy
// node makes fifty writes a second and not one a call. A warning is written at
// once, with all before it. Safe for concurrent use.
type lineWriter struct {
	mu    sync.Mutex
	w     io.Writer
	buf   []byte
	last  time.Time // when something was written, by the clock of the records
	timer *time.Timer
	armed bool
}

func newLineWriter(w io.Writer) *lineWriter {
	l := &lineWriter{w: w}
	l.timer = time.AfterFunc(time.Hour, func() { _ = l.flush() })
	l.timer.Stop()
	return l
}

// Write implements io.Writer: a line that is not to wait.
func (l *lineWriter) Write(line []byte) (int, error) {
	return len(line), l.add(line, time.Time{}, true)
}

func (l *lineWriter) add(line []byte, at time.Time, urgent bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, line...)
	waited := at.Sub(l.last)
	switch {
	case urgent || len(l.buf) >= linesMax || !l.armed && waited >= linesWait:
		l.last = at
		return l.flushLocked()
	case !l.armed:
		l.armed = true
		l.timer.Reset(linesWait)
	}
	return nil
}

// flush writes what has been gathered.
func (l *lineWriter) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	return l.flushLocked()
}

func (l *lineWriter) flushLocked() error {
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.w.Write(l.buf)
	if l.buf = l.buf[:0]; cap(l.buf) > 2*linesMax {
		l.buf = nil
	}
	return err
}
