package main

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/gateway"
	"sallyport/internal/metrics"
)

// callMeters are the metrics of calls to APIs, of one configuration after the
// other.
type callMeters struct {
	calls, refusals *prometheus.CounterVec
	upstream        *prometheus.HistogramVec

	mu    sync.Mutex
	known map[measured]bool // what has series
}

// measured is an operation of an API.
type measured struct{ api, operation string }

func newCallMeters(r prometheus.Registerer) *callMeters {
	m := &callMeters{
		calls:    metrics.NewCounters("sallyport_gateway_calls_total"),
		refusals: metrics.NewCounters("sallyport_gateway_refusals_total"),
		upstream: metrics.NewHistograms("sallyport_gateway_upstream_seconds",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}),
		known: map[measured]bool{},
	}
	r.MustRegister(m.calls, m.refusals, m.upstream)
	return m
}

// operations are those of one configuration, as its gateway asks for them.
func (m *callMeters) operations() *operationMeters {
	return &operationMeters{all: m, used: map[measured]bool{}}
}

// keep drops all series but those of one configuration, so that no number of
// changes fills the memory.
func (m *callMeters) keep(these *operationMeters) {
	apis := map[string]bool{}
	for o := range these.used {
		apis[o.api] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for o := range m.known {
		if these.used[o] {
			continue
		}
		delete(m.known, o)
		m.calls.DeletePartialMatch(prometheus.Labels{"api": o.api, "operation": o.operation})
		if !apis[o.api] {
			m.refusals.DeletePartialMatch(prometheus.Labels{"api": o.api})
			m.upstream.DeletePartialMatch(prometheus.Labels{"api": o.api})
		}
	}
}

type operationMeters struct {
	all  *callMeters
	used map[measured]bool
}

// Operation implements gateway.Meters. What a call needs is looked up here, once.
func (m *operationMeters) Operation(api, operation string) gateway.Meter {
	m.used[measured{api, operation}] = true
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.all.known[measured{api, operation}] = true
	o := &callMeter{api: api, refusals: m.all.refusals, upstream: m.all.upstream.WithLabelValues(api)}
	for class := range o.answered {
		status := "none"
		if class > 0 {
			status = strconv.Itoa(class) + "xx"
		}
		o.answered[class] = m.all.calls.WithLabelValues(api, operation, status)
	}
	return o
}

// callMeter counts one operation.
type callMeter struct {
	api      string
	answered [6]prometheus.Counter // by hundreds of the status; 0: no answer
	refusals *prometheus.CounterVec
	upstream prometheus.Observer
}

// Answered implements gateway.Meter.
func (o *callMeter) Answered(status int) { o.answered[min(status/100, len(o.answered)-1)].Inc() }

// Refused implements gateway.Meter.
func (o *callMeter) Refused(reason string) { o.refusals.WithLabelValues(o.api, reason).Inc() }

// Upstream implements gateway.Meter.
func (o *callMeter) Upstream(took time.Duration) { o.upstream.Observe(took.Seconds()) }
