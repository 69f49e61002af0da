package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *safeBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func TestLinesAreThoseOfSlog(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 12, 0, 0, 123456000, time.FixedZone("", 3600))
	for name, attrs := range map[string][]slog.Attr{
		"nothing":          nil,
		"plain values":     {slog.String("a", "b"), slog.Int("n", -3), slog.Uint64("u", 1<<63), slog.Bool("ok", true), slog.Duration("d", time.Minute)},
		"quotes":           {slog.String("a", `"\`), slog.String(`k"`, "x")},
		"control bytes":    {slog.String("a", "b\r\n\t\x00\x1f\x7f")},
		"not ASCII":        {slog.String("a", "ä\u2028\u2029€")},
		"not UTF-8":        {slog.String("a", "\xff\xfeb")},
		"marks of HTML":    {slog.String("a", "<a&b>")},
		"a group":          {slog.Group("g", slog.Int("a", 1))},
		"an error":         {slog.Any("error", errors.New("x\ny"))},
		"a time":           {slog.Time("at", at)},
		"a number":         {slog.Float64("f", 1.5)},
		"no name":          {slog.String("", "x")},
		"nothing at all":   {{}},
		"plain, then more": {slog.String("a", "b"), slog.Any("x", []string{"c"})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError + 1} {
				var want bytes.Buffer
				var got safeBuffer
				out := newLineWriter(&got)
				for _, h := range []slog.Handler{slog.NewJSONHandler(&want, nil), newLineHandler(out, nil)} {
					r := slog.NewRecord(at, level, "a message", 0)
					r.AddAttrs(attrs...)
					if err := h.Handle(t.Context(), r); err != nil {
						t.Fatal(err)
					}
				}
				if err := out.flush(); err != nil || got.String() != want.String() {
					t.Errorf("%v\ngot  %s\nwant %s", err, got.String(), want.String())
				}
			}
		})
	}
}

func TestLinesWaitForEachOther(t *testing.T) {
	t.Parallel()
	var got safeBuffer
	log := slog.New(newLineHandler(newLineWriter(&got), nil))
	log.Info("first")
	if !strings.Contains(got.String(), "first") {
		t.Error("the first line waits")
	}
	log.Info("second")
	log.Info("third")
	if strings.Contains(got.String(), "second") {
		t.Error("each line is written by itself")
	}
	log.Warn("warning")
	if s := got.String(); strings.Index(s, "third") > strings.Index(s, "warning") || !strings.Contains(s, "warning") {
		t.Errorf("a warning waits, or overtakes: %s", s)
	}
	log.Info("last")
	for range 100 {
		if strings.Contains(got.String(), "last") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the last line never comes")
}

func BenchmarkLine(b *testing.B) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	for _, key := range []string{"request_id", "method", "route", "outcome", "remote", "policy", "api", "operation", "client_id", "subject"} {
		r.AddAttrs(slog.String(key, "06h15do7nkcn8qac720k62k5rc"))
	}
	r.AddAttrs(slog.Int("status", 200), slog.Int64("took_us", 118), slog.Int64("bytes", 1024))
	for name, h := range map[string]slog.Handler{"slog": slog.NewJSONHandler(io.Discard, nil), "lines": newLineHandler(newLineWriter(io.Discard), nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = h.Handle(b.Context(), r)
			}
		})
	}
}
