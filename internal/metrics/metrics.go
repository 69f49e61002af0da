// Package metrics is the list of what /metrics tells, and the only way to add to
// it: a metric that has no line in All cannot be made. It decides names, labels
// and buckets; who counts what, it refuses to know. Start at All.
package metrics

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Kind is what a number means.
type Kind string

// The kinds of metrics.
const (
	Counter   Kind = "counter"   // only grows, and begins at 0 with the process
	Gauge     Kind = "gauge"     // as of now
	Histogram Kind = "histogram" // seconds, in buckets
)

// Metric is one line of the list.
type Metric struct {
	Name   string
	Kind   Kind
	Labels []Label
	Help   string
	Watch  string // when a person should look, "" for never
}

// Label tells the series of a metric apart. Its values are from a set that the
// code or the configuration fixes: nothing that a stranger sends becomes one.
type Label struct{ Name, Values string }

// find returns the line of a metric that is about to be made. A wrong name is a
// fault of this program that shows at its first start.
func find(name string, kind Kind) *Metric {
	i := slices.IndexFunc(All, func(m Metric) bool { return m.Name == name })
	if i < 0 || All[i].Kind != kind {
		panic(fmt.Sprintf("metrics: %s is not in the list as a %s", name, kind))
	}
	return &All[i]
}

func (m *Metric) labels() []string {
	names := make([]string, len(m.Labels))
	for i, l := range m.Labels {
		names[i] = l.Name
	}
	return names
}

// NewCounters returns the counters of a name, one for each set of label values.
func NewCounters(name string) *prometheus.CounterVec {
	m := find(name, Counter)
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: m.Help}, m.labels())
}

// NewHistograms returns the histograms of a name, in seconds.
func NewHistograms(name string, buckets []float64) *prometheus.HistogramVec {
	m := find(name, Histogram)
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: m.Help, Buckets: buckets}, m.labels())
}

// CounterFunc returns a counter that somebody else counts. values are those of
// its labels, in the order of the list.
func CounterFunc(name string, f func() float64, values ...string) prometheus.Collector {
	m := find(name, Counter)
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: m.Help, ConstLabels: m.fixed(values)}, f)
}

// GaugeFunc returns a gauge that is asked for at each scrape: f must not wait.
func GaugeFunc(name string, f func() float64, values ...string) prometheus.Collector {
	m := find(name, Gauge)
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: m.Help, ConstLabels: m.fixed(values)}, f)
}

func (m *Metric) fixed(values []string) prometheus.Labels {
	if len(values) != len(m.Labels) {
		panic(fmt.Sprintf("metrics: %s has %d labels, not %d", m.Name, len(m.Labels), len(values)))
	}
	fixed := prometheus.Labels{}
	for i, l := range m.Labels {
		fixed[l.Name] = values[i]
	}
	return fixed
}

// Info returns a gauge that is always 1 and says something in its one label,
// which may change: there is one series at a time.
func Info(name string, value func() string) prometheus.Collector {
	m := find(name, Gauge)
	return &info{desc: prometheus.NewDesc(name, m.Help, m.labels(), nil), value: value}
}

type info struct {
	desc  *prometheus.Desc
	value func() string
}

// Describe implements prometheus.Collector.
func (i *info) Describe(ch chan<- *prometheus.Desc) { ch <- i.desc }

// Collect implements prometheus.Collector.
func (i *info) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(i.desc, prometheus.GaugeValue, 1, i.value())
}
