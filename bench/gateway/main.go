// Command gateway measures what a call costs that passes a gateway: Sallyport,
// which checks a token and gives the backend another, beside proxies that check
// nothing and one that asks somebody else. All have the same certificate, client
// and upstream, run at the same time, each pinned to one core, and take turns.
// What counts is the CPU time of a server's processes per answered request.
// bench/README.md says how to read it. Linux only; what is not installed is left
// out.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// Cores: the servers have one, everything else another.
const serverCore, clientCore = "0", "1"

func main() {
	var p plan
	role := flag.String("role", "", "what this process is: upstream or reverse-proxy; empty: the one that measures")
	at := flag.String("at", "", "address of a role")
	dir := flag.String("dir", "", "folder with certificate and key of a role")
	to := flag.String("to", "", "upstream of a role")
	flag.StringVar(&p.bin, "bin", "bin/sallyport", "the built `PROGRAM`")
	flag.DurationVar(&p.window, "window", 3*time.Second, "how long each measurement lasts")
	flag.IntVar(&p.rounds, "rounds", 5, "how often each measurement is made")
	flag.IntVar(&p.connections, "c", 64, "connections, each with one request at a time")
	only := flag.String("only", "", "measure these variants alone, separated by commas")
	flag.StringVar(&p.profile, "perf", "", "record a profile of each variant with perf, into files of this name")
	flag.Parse()
	if *only != "" {
		p.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch *role {
	case "upstream":
		err = serveUpstream(*at)
	case "reverse-proxy":
		err = serveReverseProxy(*at, *dir, *to)
	default:
		err = p.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type plan struct {
	bin         string
	window      time.Duration
	rounds      int
	connections int
	only        []string
	profile     string
}

// result has what a variant cost in each round.
type result struct {
	variant
	samples []sample
	ratios  []float64 // to nginx in the same round
	rss     int       // KiB, after the last round
}

func (p *plan) run(ctx context.Context) error {
	if err := exec.CommandContext(ctx, "taskset", "-acp", clientCore, fmt.Sprint(os.Getpid())).Run(); err != nil {
		return fmt.Errorf("pin to core %s: %w", clientCore, err)
	}
	b, err := newBed(ctx, p.bin)
	if err != nil {
		return err
	}
	defer b.close()
	var results []*result
	for _, v := range variants {
		if len(p.only) > 0 && !slices.Contains(p.only, v.name) && v.name != floor {
			continue
		}
		if err := b.start(ctx, &v); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		if v.proc == nil {
			fmt.Printf("%-32s not installed\n", v.name)
			continue
		}
		if err := b.verify(&v); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		results = append(results, &result{variant: v})
	}
	if err := p.measure(ctx, b, results); err != nil {
		return err
	}
	show(results)
	return nil
}

func (p *plan) measure(ctx context.Context, b *bed, results []*result) error {
	for round := range p.rounds {
		for _, r := range results {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			perf := ""
			if p.profile != "" && round == p.rounds-1 {
				perf = p.profile + "." + strings.ReplaceAll(r.name, " ", "-")
			}
			s, err := b.measure(ctx, &r.variant, p.connections, p.window, perf)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			r.samples = append(r.samples, s)
			r.rss = r.proc.rss()
		}
		base := results[slices.IndexFunc(results, func(r *result) bool { return r.name == floor })].samples[round].cpuMicros
		for _, r := range results {
			r.ratios = append(r.ratios, r.samples[round].cpuMicros/base)
		}
	}
	return nil
}

func show(results []*result) {
	fmt.Printf("%-32s %7s %7s %7s %8s %8s %8s %8s\n", "CPU-µs per request", "min", "median", "ratio", "per s", "p50 ms", "p99 ms", "RSS MiB")
	for _, r := range results {
		cpu := func(s sample) float64 { return s.cpuMicros }
		rate := func(s sample) float64 { return s.rate }
		p50 := func(s sample) float64 { return s.p50.Seconds() * 1e3 }
		p99 := func(s sample) float64 { return s.p99.Seconds() * 1e3 }
		least := slices.Min(values(r.samples, cpu))
		fmt.Printf("%-32s %7.1f %7.1f %7.2f %8.0f %8.1f %8.1f %8.1f\n", r.name, least, median(values(r.samples, cpu)), median(r.ratios),
			median(values(r.samples, rate)), median(values(r.samples, p50)), median(values(r.samples, p99)), float64(r.rss)/1024)
	}
}

func values(samples []sample, of func(sample) float64) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = of(s)
	}
	return out
}

func median(s []float64) float64 {
	s = slices.Sorted(slices.Values(s))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
