package web

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// OpsOptions configure Ops.
type OpsOptions struct {
	Ready    func(context.Context) error // nil: always ready. It should ask the store and the feed
	Gatherer prometheus.Gatherer         // nil: no metrics
	About    func() string               // further lines of /readyz, fit for operators; nil: none
}

const readyTimeout = 2 * time.Second

// Ops returns the handler of the operators' listener: /healthz says that the
// process runs, /readyz that it can answer, /metrics what it has done. It says
// nothing about why it is not ready: the log does; About says which policy runs.
// Not for the public.
func Ops(o OpsOptions) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		about := ""
		if o.About != nil {
			about = o.About()
		}
		if o.Ready != nil && o.Ready(ctx) != nil {
			plain(w, http.StatusServiceUnavailable, "not ready\n"+about)
			return
		}
		plain(w, http.StatusOK, "ready\n"+about)
	})
	if o.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 3, Timeout: 10 * time.Second}))
	}
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h["Cache-Control"] = noStore
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
