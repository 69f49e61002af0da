package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// collector takes spans.
type collector struct {
	*httptest.Server
	mu            sync.Mutex
	text          string
	authorization string
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("the collector got %s %s: %v", r.URL, r.Header, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.text, c.authorization = c.text+string(b)+"\n", r.Header.Get("Authorization")
	}))
	t.Cleanup(c.Close)
	return c
}

// flush sends what waits.
func (r *reloaded) flush() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	cancel()
	r.n.current.Load().traces.run(ctx)
}

type spanMessage struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
}

func (c *collector) spans(t *testing.T) (all []spanMessage) {
	t.Helper()
	for line := range strings.Lines(c.text) {
		var m struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []spanMessage }
			}
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m.ResourceSpans[0].ScopeSpans[0].Spans...)
	}
	return all
}

// A call that is followed is one trace, from the client's request to the
// backend's; the backend gets our traceparent and never the client's.
func TestTracesFollowACallToItsBackend(t *testing.T) {
	t.Parallel()
	var got http.Header
	r := newReloaded(t, func(w http.ResponseWriter, req *http.Request) {
		got = req.Header.Clone()
		_, _ = w.Write([]byte("ok"))
	})
	c := newCollector(t)
	r.change("apis:", "traces: {otlp_endpoint: "+c.URL+"/v1/traces, one_of: 1, authorization_file: web.secret}\napis:")
	tok := r.token()
	const theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/a/x/17?q=a-private-question", nil)
	req.Host = "localhost"
	req.Header.Set("Authorization", "Bearer "+tok)
	req.Header.Set("Traceparent", theirs)
	req.Header.Set("Tracestate", "vendor=theirs")
	req.Header.Set("User-Agent", "agent-of-the-person")
	w := httptest.NewRecorder()
	r.n.public.Handler.ServeHTTP(w, req)
	r.do("GET", "/a/hidden-path", tok, nil)
	r.flush()
	spans := c.spans(t)
	if w.Code != 200 || len(spans) != 4 { // the token, two of the call, the refused one
		t.Fatalf("%d, spans %+v\n%s", w.Code, spans, r.log)
	}
	up, call := spans[1], spans[2]
	if up.Name != "GET /x/{id}" || up.Kind != 3 || call.Name != "GET /x/{id}" || call.Kind != 2 || up.TraceID != call.TraceID || up.ParentSpanID != call.SpanID || call.ParentSpanID != "" {
		t.Errorf("spans %+v", spans)
	}
	if spans[0].Name != "POST /oauth/token" || spans[3].Name != "GET gateway" {
		t.Errorf("names %+v", spans)
	}
	if want := "00-" + up.TraceID + "-" + up.SpanID + "-01"; got.Get("Traceparent") != want || got.Get("Tracestate") != "" {
		t.Errorf("the backend got traceparent %q, tracestate %q, want %q", got.Get("Traceparent"), got.Get("Tracestate"), want)
	}
	if c.authorization != r.secret {
		t.Error("the collector was not told who we are")
	}
	if !strings.Contains(r.log.String(), `"trace_id":"`+call.TraceID) {
		t.Error("the log does not name the trace")
	}
	for what, text := range map[string]string{
		"token": tok, "secret": r.secret, "query": "private-question", "path": "hidden-path", "object": "/17", "agent": "agent-of", "person": `"subject"`, "their trace": theirs[3:35], "address": "192.0.2.1",
	} {
		if strings.Contains(c.text, text) {
			t.Errorf("the spans have the %s: %s", what, c.text)
		}
	}
	if sent := r.series("sallyport_trace_spans_total")["sent"]; sent != 4 {
		t.Errorf("the metrics have %v spans", sent)
	}
}

// LG03: whatever is put wherever, no span has it.
func TestLG03NoisyTrafficLeavesNothingInSpans(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(http.ResponseWriter, *http.Request) {})
	c := newCollector(t)
	r.change("apis:", "traces: {otlp_endpoint: "+c.URL+"/v1/traces, one_of: 1}\napis:")
	credentials := noisy(t, r)
	for _, value := range credentials {
		for _, target := range []string{"/a/x/1", "/a/nothing", "/oauth/token"} {
			for _, put := range places(value) {
				req := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
				req.Host = "localhost"
				put(req)
				r.n.public.Handler.ServeHTTP(httptest.NewRecorder(), req)
			}
		}
	}
	r.flush()
	if n := len(c.spans(t)); n < 1000 {
		t.Fatalf("only %d spans", n)
	}
	for kind, value := range credentials {
		if strings.Contains(c.text, value) || strings.Contains(c.text, value[len(value)/2:]) {
			t.Errorf("the spans have the %s", kind)
		}
	}
}

// Without traces the headers of the client pass as any others do.
func TestWithoutTracesNothingIsFollowed(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(http.ResponseWriter, *http.Request) {})
	r.call(r.token())
	if r.n.current.Load().tracer() != nil || strings.Contains(r.log.String(), "trace_id") || r.series("sallyport_trace_spans_total")["sent"] != 0 {
		t.Error("something is followed")
	}
}
