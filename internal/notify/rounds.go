package notify

import (
	"context"
	"sync"
	"time"
)

// rounds claims and delivers until ctx ends, at most so many at a time, and lets
// what is under way end with it. It looks again at once while there is something,
// and every pollEvery when there is not. failed hears of the first failure in a
// row to claim, so that a store which is away fills no log.
func rounds[T any](ctx context.Context, most int, claim func(context.Context) ([]T, error), deliver func(context.Context, []T), failed func(error)) {
	var under sync.WaitGroup
	defer under.Wait()
	slots := make(chan struct{}, most)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		list, err := claim(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			failed(err)
		}
		failing = err != nil
		if len(list) > 0 {
			under.Go(func() { defer func() { <-slots }(); deliver(ctx, list) })
			continue
		}
		<-slots
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
