package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	feedChannel   = "sallyport_feed"
	firstRelisten = 100 * time.Millisecond
	lastRelisten  = 15 * time.Second
)

// listen turns NOTIFY into hints until close. A hint only saves a follower the
// wait for its next poll, so a fault here is not an error: it tries again.
func (e *postgresEngine) listen() {
	wait := firstRelisten
	for e.life.Err() == nil {
		if e.listenOnce() {
			wait = firstRelisten
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-e.life.Done():
			timer.Stop()
		}
		wait = min(2*wait, lastRelisten)
	}
}

// listenOnce reports whether it got as far as listening.
func (e *postgresEngine) listenOnce() bool {
	conn, err := pgx.ConnectConfig(e.life, e.conf.Copy())
	if err != nil {
		return false
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.life), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(e.life, "LISTEN "+feedChannel); err != nil {
		return false
	}
	for err == nil {
		e.hints.signal() // at first for what was said while nobody listened
		_, err = conn.WaitForNotification(e.life)
	}
	return true
}
