package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"sallyport/internal/token"
)

const expireEvery = time.Hour

// serve answers on all listeners until ctx ends, then lets running requests
// end and returns nil. Another error means that a listener failed.
func (n *node) serve(ctx context.Context, doors listeners, ready func()) error {
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	work.Go(func() { n.feed.Run(background, n.reportFeed) })
	work.Go(func() { n.keys.run(background) })
	work.Go(func() { n.statics.run(background) })
	work.Go(func() { n.expire(background) })
	n.reloads.start(background, &work)
	if n.reloads.asked != nil {
		work.Go(func() { n.reloads.follow(background) })
	}
	n.watchCertificates(background, &work)
	failed := make(chan error, 4)
	if n.challenges != nil {
		work.Go(func() { failed <- n.challenges.Serve(doors.challenges) })
	}
	work.Go(func() { failed <- n.fronts.public.ServeTLS(doors.public, "", "") })
	work.Go(func() { failed <- n.ops.Serve(doors.ops) })
	if n.mutual != nil {
		work.Go(func() { failed <- n.fronts.mutual.ServeTLS(doors.mutual, "", "") })
	}
	ready()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	n.draining.Store(true)
	drain := n.current.Load().config.Drain
	if err == nil {
		n.waitUnready(background, drain.Delay.std())
	}
	n.drain(background, drain.Limit.std())
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// waitUnready goes on serving while /readyz says that this node is stopping.
func (n *node) waitUnready(ctx context.Context, delay time.Duration) {
	if delay <= 0 {
		return
	}
	n.log.InfoContext(ctx, "no longer ready; stopping soon", slog.Duration("in", delay))
	time.Sleep(delay)
}

// drain lets running requests end for a time and cuts off those that do not.
func (n *node) drain(ctx context.Context, most time.Duration) {
	n.log.InfoContext(ctx, "stopping")
	limit, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var work sync.WaitGroup
	if n.challenges != nil {
		_ = n.challenges.Close()
	}
	for _, s := range []front{n.fronts.public, n.fronts.mutual} {
		if s == nil {
			continue
		}
		work.Go(func() {
			if err := s.Shutdown(limit); err != nil {
				n.log.WarnContext(ctx, "some requests were cut off", slog.Any("error", err))
				_ = s.Close()
			}
		})
	}
	work.Wait()
	_ = n.ops.Close()
}

func (n *node) reportFeed(err error) {
	if err != nil {
		n.log.Error("revocations cannot be read: tiers will be refused as they get stale", slog.Any("error", err))
		return
	}
	n.log.Info("revocations can be read again")
}

// feedReturned forgets what this node remembers of a store that has gone back.
func (n *node) feedReturned() {
	n.log.Error("the database is not where it was: a backup was put back, or a replica took over that lacks the last changes; " +
		"the revocations that this node knows stay in force, and all others are read again; what no node knows is lost")
	if a := n.current.Load(); a != nil {
		a.oauth.Forget()
	}
	n.keys.readAgain()
}

// expire removes rows that have ended, once an hour. It does nothing in the first
// hour, when a clock may not be set yet, nor in one in which the clock was set:
// what is deleted too soon is gone for all nodes.
func (n *node) expire(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for before := n.now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := n.now()
		steady, wall := now.Sub(before), now.Round(0).Sub(before.Round(0))
		if before = now; !clockHeld(steady, wall) {
			n.log.WarnContext(ctx, "the clock was set: nothing is deleted in this hour", slog.Duration("by", wall-steady))
			continue
		}
		if removed, err := n.store.Expire(ctx, n.now()); err != nil && ctx.Err() == nil {
			n.log.WarnContext(ctx, "expire rows", slog.Any("error", err))
		} else if removed > 0 {
			n.log.InfoContext(ctx, "expired rows", slog.Int64("rows", removed))
		}
	}
}

// clockHeld reports whether the clock on the wall went with the steady one, but
// for what a time server corrects now and then.
func clockHeld(steady, wall time.Duration) bool { return (wall - steady).Abs() <= time.Minute }

var errDraining = errors.New("stopping")

// ready reports whether this node should get requests.
func (n *node) ready(ctx context.Context) error {
	if n.draining.Load() {
		return errDraining
	}
	if err := n.keys.ready(); err != nil {
		return err
	}
	if !n.feed.Fresh(token.TierStandard) {
		return errors.New("revocations are stale")
	}
	return n.store.Ping(ctx)
}
