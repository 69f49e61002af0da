package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sallyport/internal/audit"
	"sallyport/internal/web"
)

// Whatever log.access says, an operator sees each refusal, each fault, each
// security event and each call of tier high.
func TestAccessLeavesOutOnlyWhatWentWell(t *testing.T) {
	t.Parallel()
	gateway := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := audit.FromContext(r.Context())
		switch r.URL.Path {
		case "/high":
			rec.Set(slog.String("tier", "high"))
		case "/low":
			rec.Set(slog.String("tier", "low"))
		case "/event":
			rec.Add(audit.Event{Name: audit.RefreshReused})
		case "/refused":
			w.WriteHeader(http.StatusForbidden)
		case "/failed":
			w.WriteHeader(http.StatusBadGateway)
		}
		_, _ = w.Write(nil)
	})
	for _, c := range []struct {
		name   string
		access web.Access
		path   string
		lines  int // of 20 requests
	}{
		{"all writes each", web.AccessAll, "/low", 20},
		{"sampled writes one of so many", web.AccessOneOf(5), "/low", 4},
		{"sampled writes refusals", web.AccessOneOf(5), "/refused", 20},
		{"sampled writes tier high", web.AccessOneOf(5), "/high", 20},
		{"refused writes nothing of what went well", web.AccessRefused, "/low", 0},
		{"refused writes nothing of what has no tier", web.AccessRefused, "/other", 0},
		{"T018 refused writes tier high", web.AccessRefused, "/high", 20},
		{"refused writes events", web.AccessRefused, "/event", 20},
		{"refused writes refusals", web.AccessRefused, "/refused", 20},
		{"refused writes faults", web.AccessRefused, "/failed", 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, options{gateway: gateway, edge: func(o *web.Options) { o.Access = c.access }})
			b := h.browser()
			for range 20 {
				b.get(c.path)
			}
			lines := h.lines()
			if len(lines) != c.lines {
				t.Fatalf("%d lines, want %d", len(lines), c.lines)
			}
			for _, m := range lines {
				if _, sampled := m["one_of"]; sampled != (c.lines == 4) {
					t.Errorf("one_of is %v", m["one_of"])
				}
			}
			rec := httptest.NewRecorder()
			web.Ops(web.OpsOptions{Gatherer: h.registry}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
			if !strings.Contains(rec.Body.String(), `sallyport_http_request_seconds_count{route="gateway"} 20`) {
				t.Error("the metrics lack requests")
			}
		})
	}
}
