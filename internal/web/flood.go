package web

import (
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
)

// flood keeps strangers from filling the log. Lines about requests that were
// refused, and of which anybody can make as many as there is bandwidth, are
// written within a limit for each network and one for all. Past it they are
// left out and counted; the metrics of requests and events lose nothing.
type flood struct {
	limits  *ratelimit.Table
	leftOut atomic.Int64 // since the last line that was written
}

// cheap are the events that a stranger causes without knowing anything. All
// others, such as a failed sign-in or a token that came back, always have their
// line.
var cheap = []audit.Name{audit.RequestRefused, audit.RouteProbed, audit.TokenInURL, audit.ProofRefused}

// takes reports whether the line of a request may be written.
func (f *flood) takes(now time.Time, w *answer, r *http.Request, events []audit.Event) bool {
	if w.status < http.StatusBadRequest || w.status >= http.StatusInternalServerError ||
		slices.ContainsFunc(events, func(e audit.Event) bool { return !slices.Contains(cheap, e.Name) }) {
		return true
	}
	if ok, _ := f.limits.Allow(now, ratelimit.LogNetwork, ratelimit.Network(remote(r))); ok {
		if ok, _ = f.limits.Allow(now, ratelimit.LogAll, ""); ok {
			return true
		}
	}
	f.leftOut.Add(1)
	return false
}
