package web

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/audit"
	"sallyport/internal/metrics"
)

// meters are the metrics of the edge. Every label is from a fixed set: route
// patterns, classes of status, names of events. They are resolved at the start,
// so a request touches atomics only.
type meters struct {
	gateway, browser, other *meter
	events                  map[audit.Name]prometheus.Counter
	leftOut                 prometheus.Counter
}

// meter counts one route.
type meter struct {
	route   string
	byClass [6]prometheus.Counter // by hundreds of the status; 0: no answer
	took    prometheus.Observer
}

var classNames = [6]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Meters are the metrics of one edge after another: where a changed configuration
// makes a new one, it counts on.
type Meters struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	events   *prometheus.CounterVec
	leftOut  prometheus.Counter
}

// NewMeters registers them; reg may be nil.
func NewMeters(reg prometheus.Registerer) (*Meters, error) {
	m := &Meters{
		requests: metrics.NewCounters("sallyport_http_requests_total"),
		took: metrics.NewHistograms("sallyport_http_request_seconds",
			[]float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}),
		events:  metrics.NewCounters("sallyport_security_events_total"),
		leftOut: metrics.NewCounters("sallyport_log_lines_left_out_total").WithLabelValues(),
	}
	if reg != nil {
		for _, c := range []prometheus.Collector{m.requests, m.took, m.events, m.leftOut} {
			if err := reg.Register(c); err != nil {
				return nil, fmt.Errorf("web: metrics: %w", err)
			}
		}
	}
	return m, nil
}

// of resolves those of the endpoints.
func (m *Meters) of(endpoints map[string]*endpoint) *meters {
	known := map[string]*meter{}
	route := func(route string) *meter {
		if one := known[route]; one != nil {
			return one
		}
		one := &meter{route: route, took: m.took.WithLabelValues(route)}
		for i, class := range classNames {
			one.byClass[i] = m.requests.WithLabelValues(route, class)
		}
		known[route] = one
		return one
	}
	all := &meters{gateway: route("gateway"), browser: route("browser"), other: route("none"), events: map[audit.Name]prometheus.Counter{}, leftOut: m.leftOut}
	for _, e := range endpoints {
		e.meter = route(e.path)
	}
	for _, e := range audit.Events {
		all.events[e.Name] = m.events.WithLabelValues(string(e.Name))
	}
	return all
}

func (m *meter) observe(status int, took time.Duration) {
	m.byClass[min(status/100, len(classNames)-1)].Inc()
	m.took.Observe(took.Seconds())
}

func (m *meters) count(events []audit.Event) {
	for _, e := range events {
		if c := m.events[e.Name]; c != nil {
			c.Inc()
		}
	}
}
