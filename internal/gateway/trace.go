package gateway

import (
	"net/http"

	"sallyport/internal/trace"
)

// follow begins the span of the exchange with the upstream, nil if the call is
// not followed. What the client said of traces does not pass: ours goes to
// upstreams of our own, and nothing to those of others.
func (c *call) follow(out *http.Request) *trace.Span {
	if !c.g.traced {
		return nil
	}
	delete(out.Header, "Traceparent")
	delete(out.Header, "Tracestate")
	span := trace.FromContext(c.Context).Begin(c.op.label)
	if span == nil {
		return nil
	}
	span.Text("http.request.method", c.r.Method)
	span.Text("server.address", c.api.upstream.Host)
	span.Text("sallyport.api", c.api.name)
	if !c.api.noInner {
		out.Header["Traceparent"] = []string{span.Parent()}
	}
	return span
}

// followed ends it.
func followed(span *trace.Span, res *http.Response, err error) {
	switch {
	case span == nil:
		return
	case err != nil: // its text could quote addresses and more
		span.Failed()
	default:
		span.Number("http.response.status_code", int64(res.StatusCode))
		if res.StatusCode >= http.StatusInternalServerError {
			span.Failed()
		}
	}
	span.End()
}
