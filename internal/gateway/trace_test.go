package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/gateway"
	"sallyport/internal/trace"
)

const theirTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// What a client says of traces reaches no upstream once we follow requests, and
// upstreams of others hear nothing of ours.
func TestTraceparentIsOursOrNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		traced, inner bool
		share         float64
		want          func(sent string) bool
	}{
		{"followed, to an upstream of ours", true, true, 1, func(s string) bool { return len(s) == 55 && s != theirTrace }},
		{"followed, to an upstream of others", true, false, 1, func(s string) bool { return s == "" }},
		{"not followed", true, true, 0.0000001, func(s string) bool { return s == "" }},
		{"traces are off", false, true, 0, func(s string) bool { return s == theirTrace }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tracer := trace.New(trace.Options{Share: c.share, Queue: trace.NewQueue(), Now: time.Now})
			f := newFixture(t, nil, func(o *gateway.Options) { o.Traced, o.APIs[0].NoInner = c.traced, !c.inner })
			f.front.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx := trace.With(audit.WithRecord(r.Context(), &audit.Record{}), tracer.Start(r))
				f.gateway.ServeHTTP(w, r.WithContext(ctx))
			})
			if got := f.call("GET", "/catalog/items/7", "Authorization: "+f.bearer(), "Traceparent: "+theirTrace, "Tracestate: v=1"); got.Status != 200 {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			h := f.taken()[0].Header
			if sent := h.Get("Traceparent"); !c.want(sent) {
				t.Errorf("the upstream got %q", sent)
			}
			if state := h.Get("Tracestate"); (state != "") != !c.traced {
				t.Errorf("the upstream got tracestate %q", state)
			}
		})
	}
}
