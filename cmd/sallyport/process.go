package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// signalPause is how long after the first signal another one is ignored:
// timeout(1) and shells signal the whole group, so that it comes twice.
const signalPause = 2 * time.Second

// untilSignal returns a context that ends with the first SIGINT or SIGTERM.
// After signalPause a further one ends the process at once, whatever it does.
func untilSignal(ctx context.Context) context.Context {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(signalPause, stop) })
	return ctx
}

// collectorPercent lets the heap grow to five times of what lives. That is a
// few MiB, which Go's default of 100 collects every few hundred requests. With
// 400 a request costs a tenth to a fifth less CPU, in bench/issuer on two
// shared cores; the price is some tens of MiB under load.
const collectorPercent = 400

// tuneCollector sets it, unless whoever started the process has chosen.
func tuneCollector(env []string) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, chosen := lookup(env, name); chosen {
			return
		}
	}
	debug.SetGCPercent(collectorPercent)
}
