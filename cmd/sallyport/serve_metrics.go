package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sallyport/internal/metrics"
)

// registerMetrics registers, once for a process, what nobody else counts.
func (n *node) registerMetrics(r prometheus.Registerer) {
	n.registerShared(r)
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		metrics.GaugeFunc("sallyport_build_info", func() float64 { return 1 }, thisBuild().Version),
		metrics.GaugeFunc("sallyport_revocation_age_seconds", func() float64 { return n.feed.Age().Seconds() }),
		metrics.GaugeFunc("sallyport_revocation_entries", func() float64 { return float64(n.feed.Size()) }),
		metrics.GaugeFunc("sallyport_gateway_in_flight", func() float64 { return float64(n.state.InFlight()) }),
		metrics.CounterFunc("sallyport_gateway_shed_total", func() float64 { return float64(n.state.Shed()) }),
		metrics.CounterFunc("sallyport_limits_shared_total", func() float64 { return float64(n.state.Rates().PoolCounts().Leased) }, "leased"),
		metrics.CounterFunc("sallyport_limits_shared_total", func() float64 { return float64(n.state.Rates().PoolCounts().Refused) }, "refused"),
		metrics.CounterFunc("sallyport_limits_shared_total", func() float64 { return float64(n.state.Rates().PoolCounts().Failed) }, "failed"),
		metrics.GaugeFunc("sallyport_gateway_streams", func() float64 { return float64(n.state.Streams()) }),
		metrics.GaugeFunc("sallyport_store_connections", func() float64 { return float64(n.store.Connections().InUse) }, "in_use"),
		metrics.GaugeFunc("sallyport_store_connections", func() float64 { return float64(n.store.Connections().Idle) }, "idle"),
		metrics.CounterFunc("sallyport_store_waits_total", func() float64 { return float64(n.store.Connections().WaitCount) }),
		metrics.GaugeFunc("sallyport_tls_certificate_ends_seconds", n.certificateEnds),
		metrics.GaugeFunc("sallyport_keys_ready", func() float64 { return oneIf(n.keys.ready() == nil) }),
		metrics.CounterFunc("sallyport_trace_spans_total", func() float64 { return float64(n.spans.Sent()) }, "sent"),
		metrics.CounterFunc("sallyport_trace_spans_total", func() float64 { return float64(n.spans.Lost()) }, "lost"),
		metrics.Info("sallyport_config_info", n.policy),
	)
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// policy is the version of the configuration in force.
func (n *node) policy() string {
	if a := n.current.Load(); a != nil {
		return a.version
	}
	return ""
}
