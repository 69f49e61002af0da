package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/audit"
	"sallyport/internal/metrics"
)

// reloads takes changes of the configuration while the server runs. A
// configuration that breaks a rule, or that cannot be put together, changes
// nothing: the one before stays in force, whole.
type reloads struct {
	n     *node
	env   []string
	asked chan os.Signal // nil: the configuration is not followed

	one     sync.Mutex // one reload at a time
	work    *sync.WaitGroup
	context context.Context //nolint:containedctx // of the workers of all assemblies

	mu      sync.Mutex // guards what follows
	since   time.Time
	applied uint64
	refused uint64
	last    *refusedConfig // the newest configuration, if it is not the one in force
}

// refusedConfig is what operators are told of it, without a value from it.
type refusedConfig struct {
	at      time.Time
	reasons []string
}

func newReloads(n *node) *reloads { return &reloads{n: n, since: n.now()} }

// obey has follow look at the file again, with these variables.
func (r *reloads) obey(env []string) {
	r.env, r.asked = env, make(chan os.Signal, 1)
	signal.Notify(r.asked, syscall.SIGHUP)
}

// start runs the workers of the assembly that is in force, and of those that
// follow, until ctx ends. work waits for them.
func (r *reloads) start(ctx context.Context, work *sync.WaitGroup) {
	r.one.Lock()
	defer r.one.Unlock()
	r.context, r.work = ctx, work
	r.n.current.Load().start(ctx, work)
}

// follow takes changes until ctx ends: when a SIGHUP comes, and when the files
// have changed and stayed so for a while.
func (r *reloads) follow(ctx context.Context) {
	defer signal.Stop(r.asked)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	seen := look(r.n.current.Load().config)
	for {
		c := r.n.current.Load().config
		select {
		case <-ctx.Done():
			return
		case <-r.asked:
			r.now(ctx, c)
			seen = look(r.n.current.Load().config)
		case <-tick.C:
			if c.Reload.Watch && seen.settled(look(c), c.Reload.Settle.std()) {
				r.now(ctx, c)
			}
		}
	}
}

// now reads the files of the configuration that is in force again.
func (r *reloads) now(ctx context.Context, c *config) {
	data, err := readTwice(ctx, c.path)
	if err != nil {
		r.refuse(ctx, []string{"the file cannot be read: the log says why"}, err)
		return
	}
	r.reload(ctx, data)
}

// errWriting: it changed between two readings.
var errWriting = errors.New("the file is being written")

const (
	lookEvery  = 500 * time.Millisecond
	twiceAfter = 200 * time.Millisecond
)

// readTwice reads a file of which somebody may have written a part.
func readTwice(ctx context.Context, path string) ([]byte, error) {
	first, err := readText(path)
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(twiceAfter):
	}
	second, err := readText(path)
	if err == nil && !bytes.Equal(first, second) {
		err = errWriting
	}
	return second, err
}

// reload judges a configuration by every rule, puts it together, and takes it
// in one step, or says why not.
func (r *reloads) reload(ctx context.Context, data []byte) {
	r.one.Lock()
	defer r.one.Unlock()
	old := r.n.current.Load()
	c, reasons, err := r.judge(old.config, data)
	if err != nil {
		r.refuse(ctx, reasons, err)
		return
	}
	a, err := r.n.assemble(ctx, c)
	if err != nil {
		r.n.calls.keep(old.counted)
		r.refuse(ctx, []string{"it cannot be put together: the log says why"}, err)
		return
	}
	if !c.TLS.SelfSigned && !c.TLS.ACME.on() {
		cert, err := c.certificate(r.n.now())
		if err != nil {
			r.refuse(ctx, []string{"tls: the certificate cannot be read"}, err)
			return
		}
		r.n.cert.set(cert)
		if leaf := leafOf(&cert); leaf != nil {
			r.n.expiries.set(c.issuerHost(), leaf.NotAfter)
		}
	}
	r.n.take(a)
	old.stop()
	if r.context != nil {
		a.start(r.context, r.work)
	}
	r.mu.Lock()
	r.since, r.last = r.n.now(), nil
	r.applied++
	r.mu.Unlock()
	r.n.log.InfoContext(ctx, "the configuration has changed", slog.String("events", string(audit.ConfigApplied)), slog.String("policy", a.version), slog.String("before", old.version))
}

// judge reads a configuration and holds it against all rules. reasons are fit
// for everybody who may see /readyz; err says more.
func (r *reloads) judge(old *config, data []byte) (c *config, reasons []string, err error) {
	if why := cutOff(old.text, data); why != "" {
		return nil, []string{why}, errors.New(why)
	}
	c, err = parseConfig(old.path, data, r.env)
	if unread := (*problemsError)(nil); errors.As(err, &unread) {
		for _, p := range unread.problems {
			reasons = append(reasons, p.place(readable))
		}
		return nil, reasons, err
	}
	if err != nil {
		return nil, []string{"it cannot be read"}, err
	}
	if fixed := changedFixed(old, c); len(fixed) > 0 {
		return nil, fixed, errors.New(strings.Join(fixed, "; "))
	}
	for _, v := range validate(c, environment{now: r.n.now()}) {
		for _, p := range v.Problems {
			reasons = append(reasons, p.place(v.Rule))
		}
	}
	return c, reasons, mustHold(c, environment{now: r.n.now()})
}

// place says where a problem is and which rule it breaks, and nothing of what is
// written there: somebody may have put a password in the wrong place.
func (p problem) place(rule rule) string {
	where := p.Path
	if where == "" {
		where = "the file"
	}
	if p.Line > 0 {
		where = fmt.Sprintf("line %d: %s", p.Line, where)
	}
	return where + " breaks " + rule.ID + ": " + rule.What
}

// cutOff looks for the signs of a file that is not written to its end: the one
// in force ends with a newline, or with the mark of YAML for the end of a
// document, and this one does not. Who ends the file with "..." is safe from any
// half, whatever it would mean.
func cutOff(old, data []byte) string {
	const mark = "..."
	ends := func(text []byte) bool {
		text = bytes.TrimRight(text, "\r\n")
		return bytes.HasSuffix(text, []byte("\n"+mark))
	}
	switch {
	case len(data) == 0:
		return "the file is empty"
	case ends(old) && !ends(data):
		return `the file does not end with "..." any more: it may be half-written`
	case bytes.HasSuffix(old, []byte("\n")) && !bytes.HasSuffix(data, []byte("\n")):
		return "the last line does not end: the file may be half-written"
	}
	return ""
}

// fixedSettings cannot change while the server runs.
var fixedSettings = []struct {
	setting string
	value   func(*config) string
	why     string
}{
	{"issuer", func(c *config) string { return c.Issuer }, "every token and every app names it"},
	{"listen", func(c *config) string { return c.Listen }, "the listener is open"},
	{"metrics_listen", func(c *config) string { return c.MetricsListen }, "the listener is open"},
	{"gateway.fast_front", func(c *config) string { return fmt.Sprint(c.Gateway.FastFront) }, "the listener is open"},
	{"mtls_listen", func(c *config) string { return c.MTLSListen }, "the listener is open"},
	{"tls.self_signed", func(c *config) string { return fmt.Sprint(c.TLS.SelfSigned) }, "the certificate is made at the start"},
	{"tls.acme", func(c *config) string { return fmt.Sprint(c.TLS.ACME) }, "the account at the authority is open"},
	{"store", func(c *config) string { dsn, _ := c.dsn(); return dsn }, "sessions, grants and keys are there"},
	{"shared", func(c *config) string { address, _ := c.sharedAddress(); return address }, "what was used once is remembered there"},
	{"master_key_file", func(c *config) string { return c.MasterKeyFile }, "the keys are wrapped by it"},
}

// changedFixed says which of them would change.
func changedFixed(old, c *config) []string {
	var list []string
	for _, f := range fixedSettings {
		if f.value(old) != f.value(c) {
			list = append(list, f.setting+" cannot change while the server runs, because "+f.why+": start the server again")
		}
	}
	return list
}

func (r *reloads) refuse(ctx context.Context, reasons []string, err error) {
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	r.last = &refusedConfig{r.n.now(), reasons}
	r.refused++
	r.mu.Unlock()
	r.n.log.ErrorContext(ctx, "the changed configuration is refused: the one before stays in force",
		slog.String("events", string(audit.ConfigRefused)), slog.String("policy", r.n.current.Load().version), slog.Any("error", err))
}

// collectors are the metrics of changes. One that was refused and still waits is
// what an alarm is for.
func (r *reloads) collectors() []prometheus.Collector {
	locked := func(f func() float64) func() float64 {
		return func() float64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			return f()
		}
	}
	return []prometheus.Collector{
		metrics.CounterFunc("sallyport_config_changes_total", locked(func() float64 { return float64(r.applied) }), "taken"),
		metrics.CounterFunc("sallyport_config_changes_total", locked(func() float64 { return float64(r.refused) }), "refused"),
		metrics.GaugeFunc("sallyport_config_stale", locked(func() float64 { return oneIf(r.last != nil) })),
	}
}

// mostReasons is how many /readyz tells.
const mostReasons = 20

// about is what /readyz tells besides. A node that has refused a configuration
// can still answer by the one before, so it is ready.
func (r *reloads) about() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "policy %s since %s\n", r.n.current.Load().version, r.since.UTC().Format(time.RFC3339))
	if r.last == nil {
		return b.String()
	}
	fmt.Fprintf(&b, "a newer configuration was refused at %s:\n", r.last.at.UTC().Format(time.RFC3339))
	for i, reason := range r.last.reasons {
		if i == mostReasons {
			fmt.Fprintf(&b, "  and %d more\n", len(r.last.reasons)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	return b.String()
}
