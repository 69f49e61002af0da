package metrics_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sallyport/internal/metrics"
)

var update = flag.Bool("update", false, "write the reference page anew")

func TestMetricsReferenceIsFresh(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "reference", "metrics.md")
	if *update {
		if err := os.WriteFile(path, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page() {
		t.Error("metrics.md is out of date: go test ./internal/metrics -run Reference -update")
	}
}

func page() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\nGenerated from `internal/metrics/list.go`. They are at `/metrics` of `metrics_listen`, in the format of Prometheus. " +
		"No value of a label comes from a request: all are fixed by the program and the configuration, so the number of series is bounded; " +
		"what a changed configuration no longer has, loses its series.\n\n" +
		"Besides there are `go_…` and `process_…` of the Prometheus client. A dashboard for Grafana is in [deploy/grafana](../../deploy/grafana/sallyport.json), " +
		"alerts are in [deploy/prometheus](../../deploy/prometheus/sallyport.rules.yaml).\n\n| Metric | Kind | Labels | Says | Look when |\n|---|---|---|---|---|\n")
	for _, m := range metrics.All {
		labels := make([]string, len(m.Labels))
		for i, l := range m.Labels {
			labels[i] = "`" + l.Name + "`: " + l.Values
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Kind, strings.Join(labels, "; "), m.Help, m.Watch)
	}
	return b.String()
}

// Names follow the habits of Prometheus, so that people and tools guess right.
func TestNamesSayUnitAndKind(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range metrics.All {
		if seen[m.Name] || m.Help == "" || !regexp.MustCompile(`^sallyport_[a-z_]+$`).MatchString(m.Name) {
			t.Errorf("%s is listed twice, has no help, or is not named like the others", m.Name)
		}
		seen[m.Name] = true
		if (m.Kind == metrics.Counter) != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%s: counters end in _total, others do not", m.Name)
		}
		if m.Kind == metrics.Histogram && !strings.HasSuffix(m.Name, "_seconds") {
			t.Errorf("%s: histograms are in seconds", m.Name)
		}
	}
}

func TestNobodyMakesAMetricThatIsNotListed(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(){
		"unknown name": func() { metrics.NewCounters("sallyport_unheard_of_total") },
		"other kind":   func() { metrics.NewCounters("sallyport_gateway_streams") },
		"other labels": func() { metrics.GaugeFunc("sallyport_gateway_streams", nil, "x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a metric was made", name)
				}
			}()
			make()
		}()
	}
	metrics.NewCounters("sallyport_gateway_calls_total")
}

// Every query of the dashboard and of the alerts asks for what there is.
func TestDashboardAndAlertsAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	deploy := filepath.Join("..", "..", "deploy")
	for file, unmarshal := range map[string]func([]byte, any) error{
		filepath.Join(deploy, "grafana", "sallyport.json"):          json.Unmarshal,
		filepath.Join(deploy, "prometheus", "sallyport.rules.yaml"): func(b []byte, v any) error { return yaml.Unmarshal(b, v) },
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := unmarshal(text, &doc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		queries := queriesIn(doc)
		if len(queries) < 5 {
			t.Fatalf("%s has %d queries: this test looks in the wrong place", file, len(queries))
		}
		for _, q := range queries {
			if wrong := unknownIn(q); wrong != "" {
				t.Errorf("%s: %s: %s", filepath.Base(file), wrong, q)
			}
		}
	}
	for q, want := range map[string]string{
		`rate(sallyport_lost_total[5m])`:                                  "sallyport_lost_total is not a metric",
		`sum by (colour) (rate(sallyport_gateway_calls_total[5m]))`:       "colour is not a label",
		`rate(sallyport_gateway_calls_total{colour="red"}[5m])`:           "colour is not a label",
		`sallyport_gateway_streams_bucket`:                                "sallyport_gateway_streams_bucket is not a metric",
		`sum by (api) (rate(sallyport_gateway_calls_total{api="a"}[1m]))`: "",
	} {
		if got := unknownIn(q); got != want {
			t.Errorf("%s: %q, want %q", q, got, want)
		}
	}
}

// queriesIn are the values of all "expr" and of queries of variables.
func queriesIn(v any) (list []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, ok := v[key].(string); ok && (key == "expr" || key == "definition") {
				list = append(list, text)
			}
			list = append(list, queriesIn(v[key])...)
		}
	case []any:
		for _, item := range v {
			list = append(list, queriesIn(item)...)
		}
	}
	return list
}

var (
	metricName = regexp.MustCompile(`\bsallyport_\w+`)
	matchers   = regexp.MustCompile(`\{([^}]*)\}`)
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	matched    = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
)

func unknownIn(query string) string {
	known := map[string][]string{}
	labels := map[string]bool{"le": true, "instance": true, "job": true}
	for _, m := range metrics.All {
		names := []string{m.Name}
		if m.Kind == metrics.Histogram {
			names = []string{m.Name + "_bucket", m.Name + "_sum", m.Name + "_count"}
		}
		for _, name := range names {
			for _, l := range m.Labels {
				known[name] = append(known[name], l.Name)
			}
			known[name] = append(known[name], "")
		}
	}
	for _, name := range metricName.FindAllString(query, -1) {
		if known[name] == nil {
			return name + " is not a metric"
		}
		for _, l := range known[name] {
			labels[l] = true
		}
	}
	var used []string
	for _, m := range matchers.FindAllStringSubmatch(query, -1) {
		for _, l := range matched.FindAllStringSubmatch(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(m[1], `""`), -1) {
			used = append(used, l[1])
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(query, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			used = append(used, strings.TrimSpace(l))
		}
	}
	for _, l := range used {
		if !labels[l] {
			return l + " is not a label"
		}
	}
	return ""
}
