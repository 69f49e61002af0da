package main

import (
	"context"
	"log/slog"
)

// everything is for handlers whose level the node decides.
var everything = &slog.HandlerOptions{Level: slog.LevelDebug}

// withLevel returns a logger that writes what l does, from a level on that can
// be changed while the server runs; from info at first.
func withLevel(l *slog.Logger) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	return slog.New(&leveled{l.Handler(), level}), level
}

type leveled struct {
	slog.Handler
	level *slog.LevelVar
}

// Enabled implements slog.Handler.
func (h *leveled) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level.Level() && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h *leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &leveled{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h *leveled) WithGroup(name string) slog.Handler {
	return &leveled{h.Handler.WithGroup(name), h.level}
}
