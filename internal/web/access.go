package web

import (
	"log/slog"
	"net/http"
	"sync/atomic"

	"sallyport/internal/audit"
	"sallyport/internal/token"
)

// Access says which requests have a line in the log. Whatever is refused or
// fails, whatever has a security event, and every call of tier high has one in
// any case.
type Access int

// The values of Access.
const (
	AccessAll     Access = 0
	AccessRefused Access = -1 // only those that have one in any case
)

// AccessOneOf is one of n requests.
func AccessOneOf(n int) Access { return Access(max(n, 1)) }

// access decides which lines are written.
type access struct {
	which Access
	count atomic.Uint64
}

// takes reports whether a request has its line, and for how many it stands.
func (a *access) takes(w *answer, rec *audit.Record, events []audit.Event) (written bool, oneOf int) {
	if a.which == AccessAll || w.status == 0 || w.status >= http.StatusBadRequest || w.refused || len(events) > 0 || isHigh(rec) {
		return true, 1
	}
	if a.which == AccessRefused {
		return false, 0
	}
	return a.count.Add(1)%uint64(a.which) == 0, int(a.which) //nolint:gosec // it is positive
}

func isHigh(rec *audit.Record) bool {
	for _, a := range rec.Attrs() {
		if a.Key == "tier" {
			return a.Value.Kind() == slog.KindString && a.Value.String() == token.TierHigh.String()
		}
	}
	return false
}
