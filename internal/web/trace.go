package web

import (
	"log/slog"
	"net/http"

	"sallyport/internal/trace"
)

// told are the attributes of a request's line that its span has too. There is
// nothing of the person in them, and nothing that the client chose.
var told = map[string]string{
	"api": "sallyport.api", "operation": "http.route", "tier": "sallyport.tier", "events": "sallyport.events", "reason": "sallyport.reason",
	"request_id": "sallyport.request_id", "outcome": "sallyport.outcome", "policy": "sallyport.policy", "error": "sallyport.error",
}

// endSpan says how the request of a span has ended, by the attributes of its
// line in the log.
func endSpan(span *trace.Span, w *answer, r *http.Request, attrs []slog.Attr) {
	route := w.meter.route
	for _, a := range attrs {
		if a.Key == "operation" {
			route = a.Value.String()
		}
		if key := told[a.Key]; key != "" && a.Value.Kind() == slog.KindString {
			span.Text(key, a.Value.String())
		}
	}
	if route == w.meter.route {
		span.Text("http.route", route)
		route = knownMethod(r.Method) + " " + route
	}
	span.Name(route)
	span.Text("http.request.method", knownMethod(r.Method))
	span.Number("http.response.status_code", int64(w.status))
	if w.status >= http.StatusInternalServerError {
		span.Failed()
	}
	span.End()
}
