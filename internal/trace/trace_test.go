package trace_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/trace"
)

const (
	theirs    = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	theirsOff = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	theirID   = "4bf92f3577b34da6a3ce929d0e0e4736"
)

func request(remote string, traceparent ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = remote
	if len(traceparent) > 0 {
		r.Header["Traceparent"] = traceparent
	}
	return r
}

func tracer(share float64) *trace.Tracer {
	return trace.New(trace.Options{Share: share, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Queue: trace.NewQueue(), Now: time.Now})
}

// Only proxies of ours say to which trace a request belongs.
func TestTraceparentOfStrangersIsNotRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		share     float64
		r         *http.Request
		followed  bool
		continued bool
	}{
		{"a stranger's is not continued", 1, request("203.0.113.9:1", theirs), true, false},
		{"a stranger cannot have a request followed", 0, request("203.0.113.9:1", theirs), false, false},
		{"a stranger cannot have a request not followed", 1, request("203.0.113.9:1", theirsOff), true, false},
		{"a proxy's is continued", 0, request("10.1.2.3:1", theirs), true, true},
		{"a proxy decides that it is not followed", 1, request("10.1.2.3:1", theirsOff), false, false},
		{"a proxy that says nothing leaves it to us", 1, request("10.1.2.3:1"), true, false},
		{"two lines say nothing", 1, request("10.1.2.3:1", theirs, theirs), true, false},
		{"a malformed one says nothing", 1, request("10.1.2.3:1", theirs+"-x"), true, false},
		{"IPv4 in IPv6 is the same proxy", 0, request("[::ffff:10.1.2.3]:1", theirs), true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := tracer(c.share).Start(c.r)
			if (s != nil) != c.followed || (s.ID() == theirID) != c.continued {
				t.Errorf("followed %v, as %q", s != nil, s.ID())
			}
		})
	}
}

func TestTraceparentsAreReadStrictly(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		theirs: true, strings.Replace(theirs, "00-", "cc-", 1): true, strings.Replace(theirs, "00-", "cc-", 1) + "-more": true,
		"": false, theirs[:54]: false, theirs + "-more": false, strings.Replace(theirs, "00-", "ff-", 1): false, strings.ToUpper(theirs): false,
		strings.Replace(theirs, theirID, strings.Repeat("0", 32), 1):            false,
		strings.Replace(theirs, "00f067aa0ba902b7", strings.Repeat("0", 16), 1): false,
		strings.Replace(theirs, "-00f0", "_00f0", 1):                            false, strings.Replace(theirs, "-01", "-0g", 1): false,
	} {
		if got := tracer(1).Start(request("10.0.0.1:1", text)).ID() == theirID; got != good {
			t.Errorf("%q is read: %v", text, got)
		}
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add(theirs)
	f.Add("cc-" + theirs[3:] + "-x")
	f.Fuzz(func(t *testing.T, text string) {
		s := tracer(1).Start(request("10.0.0.1:1", text))
		if s == nil {
			if len(text) < len(theirs) { // only a proxy's flag says that it is not followed
				t.Errorf("%q was read", text)
			}
			return
		}
		if up := s.Begin("up").Parent(); len(up) != 55 || up[3:35] != s.ID() || strings.Trim(up, "0123456789abcdef-") != "" {
			t.Errorf("%q makes %q", text, up)
		}
	})
}

func TestAShareIsFollowed(t *testing.T) {
	t.Parallel()
	tr, n := tracer(0.25), 0
	for range 4000 {
		if tr.Start(request("192.0.2.1:1")) != nil {
			n++
		}
	}
	if n < 800 || n > 1200 {
		t.Errorf("%d of 4000 are followed, want about 1000", n)
	}
	if trace.New(trace.Options{Queue: trace.NewQueue()}) != nil {
		t.Error("a tracer that follows nothing is there")
	}
}

// What is off costs no allocation and does not fail.
func TestNothingCostsNothing(t *testing.T) {
	var off *trace.Tracer
	r := request("192.0.2.1:1", theirs)
	if n := testing.AllocsPerRun(100, func() {
		s := off.Start(r)
		ctx := trace.With(r.Context(), s)
		up := trace.FromContext(ctx).Begin("x")
		up.Text("a", "b")
		up.Number("c", 1)
		up.Failed()
		up.End()
		s.Name("n")
		s.End()
		if s.Parent() != "" || s.ID() != "" {
			t.Error("nothing has an ID")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// The message is what the OTLP specification calls ExportTraceServiceRequest.
func TestSpansAreSentAsOTLP(t *testing.T) {
	t.Parallel()
	q := trace.NewQueue()
	at := time.Unix(1_700_000_000, 5)
	tr := trace.New(trace.Options{Share: 1, Queue: q, Now: func() time.Time { at = at.Add(time.Millisecond); return at }})
	s := tr.Start(request("192.0.2.1:1"))
	up := s.Begin("GET /items/{id}")
	up.Number("http.response.status_code", 503)
	up.Failed()
	up.End()
	s.Name("GET /items/{id}")
	s.Text("sallyport.api", "catalog")
	s.End()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var got struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes []map[string]any }
			ScopeSpans []struct{ Spans []map[string]any }
		}
	}
	q.Run(ctx, func(_ context.Context, body []byte) error { return json.Unmarshal(body, &got) }, func(err error) { t.Error(err) })
	spans := got.ResourceSpans[0].ScopeSpans[0].Spans
	if len(spans) != 2 || q.Sent() != 2 || q.Lost() != 0 {
		t.Fatalf("%d spans, %d sent", len(spans), q.Sent())
	}
	for key, want := range map[string]any{
		"traceId": s.ID(), "name": "GET /items/{id}", "kind": 3.0, "parentSpanId": spans[1]["spanId"],
		"startTimeUnixNano": "1700000000002000005", "endTimeUnixNano": "1700000000003000005",
	} {
		if spans[0][key] != want {
			t.Errorf("%s is %v, want %v", key, spans[0][key], want)
		}
	}
	if code := spans[0]["status"].(map[string]any)["code"]; code != 2.0 {
		t.Errorf("status %v, want an error", code)
	}
	if up.Parent() != "00-"+s.ID()+"-"+spans[0]["spanId"].(string)+"-01" {
		t.Errorf("traceparent %s", up.Parent())
	}
}

// A collector that is away costs spans and nothing else; it is told once.
func TestACollectorThatIsAwayCostsSpansOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := trace.NewQueue()
		tr := trace.New(trace.Options{Share: 1, Queue: q, Now: time.Now})
		var away error
		var told []error
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			q.Run(ctx, func(context.Context, []byte) error { return away }, func(err error) { told = append(told, err) })
		}()
		away = errors.New("away")
		for range 3 {
			for range 10_000 {
				tr.Start(request("192.0.2.1:1")).End()
			}
			time.Sleep(5 * time.Second)
		}
		if q.Sent() != 0 || q.Lost() == 0 || len(told) != 1 {
			t.Errorf("%d sent, %d lost, told %v", q.Sent(), q.Lost(), told)
		}
		away = nil
		time.Sleep(5 * time.Second)
		tr.Start(request("192.0.2.1:1")).End()
		time.Sleep(5 * time.Second)
		cancel()
		<-done
		if q.Sent() == 0 || len(told) != 2 || told[1] != nil {
			t.Errorf("%d sent, told %v", q.Sent(), told)
		}
	})
}
