package revocation

import (
	"context"
	"time"

	"sallyport/internal/token"
)

type watcher struct {
	access token.Access
	end    context.CancelCauseFunc
}

// Cause tells why a watched context ended.
type Cause string

// Error implements error.
func (c Cause) Error() string { return string(c) }

// The causes.
const (
	CauseRevoked Cause = "token revoked"
	CauseExpired Cause = "token expired"
)

// Watch returns a context that ends when a is revoked or expires, so that a
// stream or a socket opened with it does not outlive it. Call stop when the
// stream ends by itself.
func (f *Follower) Watch(ctx context.Context, a *token.Access) (watched context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watcher{access: *a, end: cancel}
	f.watchMu.Lock()
	f.watchers[w] = struct{}{}
	f.watchMu.Unlock()
	if f.Revoked(a) { // it was revoked between the caller's check and now
		cancel(CauseRevoked)
	}
	ctx, expire := context.WithDeadlineCause(ctx, time.Unix(a.ExpiresAt(), 0), CauseExpired)
	return ctx, func() {
		expire()
		cancel(nil)
		f.watchMu.Lock()
		delete(f.watchers, w)
		f.watchMu.Unlock()
	}
}

func (f *Follower) endWatched() {
	f.watchMu.Lock()
	defer f.watchMu.Unlock()
	for w := range f.watchers {
		if f.Revoked(&w.access) {
			w.end(CauseRevoked)
		}
	}
}
