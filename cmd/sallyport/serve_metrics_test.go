package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/metrics"
)

// described are the metrics of ours that are registered, with their labels.
func described(r *prometheus.Registry) map[string][]string {
	form := regexp.MustCompile(`^Desc\{fqName: "(sallyport_\w+)".*, constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)
	found := map[string][]string{}
	ch := make(chan *prometheus.Desc)
	go func() { r.Describe(ch); close(ch) }()
	for d := range ch {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			continue
		}
		var labels []string
		for part := range strings.SplitSeq(m[2]+","+m[3], ",") {
			if name, _, _ := strings.Cut(part, "="); name != "" {
				labels = append(labels, name)
			}
		}
		found[m[1]] = labels
	}
	return found
}

// What /metrics tells is what docs/reference/metrics.md says that it does.
func TestAllMetricsAreRegisteredAndNoOthers(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(http.ResponseWriter, *http.Request) {})
	found := described(r.n.registry)
	for _, m := range metrics.All {
		labels, is := found[m.Name]
		delete(found, m.Name)
		if !is {
			if !strings.HasPrefix(m.Name, "sallyport_shared_") { // nothing is shared here
				t.Errorf("%s is listed and nobody tells it", m.Name)
			}
			continue
		}
		var want []string
		for _, l := range m.Labels {
			want = append(want, l.Name)
		}
		slices.Sort(want)
		slices.Sort(labels)
		if !slices.Equal(labels, want) {
			t.Errorf("%s has the labels %v, listed are %v", m.Name, labels, want)
		}
	}
	for name := range found {
		t.Errorf("%s is told and not listed", name)
	}
}

// series are the values of a metric by the values of its labels.
func (r *reloaded) series(name string) map[string]float64 {
	r.t.Helper()
	families, err := r.n.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			all[strings.Join(labels, "|")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestCallsAreCountedByOperationAndReason(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/broken") {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		fmt.Fprint(w, "ok")
	})
	tok := r.token()
	r.call(tok)
	r.call(tok)
	r.call("")
	r.do("GET", "/a/x/broken", tok, nil)
	r.do("GET", "/a/of-a-stranger", tok, nil)
	r.do("GET", "/elsewhere", tok, nil)
	calls := r.series("sallyport_gateway_calls_total")
	for labels, want := range map[string]float64{"a|GET /x/{id}|2xx": 2, "a|GET /x/{id}|4xx": 2, "a|GET /x/{id}|5xx": 0, "a|none|4xx": 1} {
		if got, is := calls[labels]; !is || got != want {
			t.Errorf("calls %s: %v, want %v", labels, got, want)
		}
	}
	refusals := r.series("sallyport_gateway_refusals_total")
	if len(refusals) != 2 || refusals["a|no_credential"] != 1 || refusals["a|unlisted_path"] != 1 {
		t.Errorf("refusals: %v", refusals)
	}
	if took := r.series("sallyport_gateway_upstream_seconds"); took["a"] != 3 {
		t.Errorf("the upstream answered %v times, want 3", took)
	}
	for name := range r.series("sallyport_config_info") {
		if name != r.n.current.Load().version {
			t.Errorf("the policy is told as %s", name)
		}
	}
}

// A call that the upstream leaves in the middle is not counted as a fault of ours.
func TestAnAnswerThatIsCutOffHasAReasonOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	func() {
		defer func() { _ = recover() }()
		r.call(r.token())
	}()
	if got := r.series("sallyport_gateway_refusals_total"); len(got) != 1 || got["a|cut_off"] != 1 {
		t.Errorf("refusals: %v", got)
	}
	if got := r.series("sallyport_gateway_calls_total"); got["a|GET /x/{id}|2xx"] != 1 || got["a|GET /x/{id}|5xx"] != 0 {
		t.Errorf("calls: %v", got)
	}
}

// Series of operations that are gone do not pile up, also not those of
// configurations that were refused late.
func TestChangesLeaveNoSeriesBehind(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	before := len(r.series("sallyport_gateway_calls_total"))
	tok := r.token()
	for i := range 5 {
		r.change("GET /x/{id}", fmt.Sprintf("GET /y%d/{id}", i))
		r.do("GET", fmt.Sprintf("/a/y%d/1", i), tok, nil)
	}
	calls := r.series("sallyport_gateway_calls_total")
	if len(calls) != before || calls["a|GET /y4/{id}|2xx"] != 1 {
		t.Errorf("%d series, want %d: %v", len(calls), before, calls)
	}
	r.change("name: a", "name: b")
	for _, name := range []string{"sallyport_gateway_calls_total", "sallyport_gateway_refusals_total", "sallyport_gateway_upstream_seconds"} {
		for labels := range r.series(name) {
			if strings.HasPrefix(labels, "a|") || labels == "a" {
				t.Errorf("%s still has %s", name, labels)
			}
		}
	}
}

func TestTL07TheEndOfTheCertificateIsTold(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(http.ResponseWriter, *http.Request) {})
	cert, _ := r.n.cert.get(nil)
	if got := r.metric("sallyport_tls_certificate_ends_seconds"); got != float64(cert.Leaf.NotAfter.Unix()) {
		t.Errorf("the certificate ends at %v, it is told as %v", cert.Leaf.NotAfter, got)
	}
}
