// Command issuer measures what a request to the authorization server costs,
// beside a bare net/http handler that does the same cryptography. Both run as
// processes of their own in one run and take turns; what counts is the CPU time
// of the server process per answered request, because that holds on a noisy
// machine where a rate does not. bench/README.md says how to read it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"time"
)

func main() {
	role := flag.String("role", "", "what this process is: bare-sqlite, bare-log or product; empty: the one that measures")
	durable := flag.String("durable", "sqlite", "what a refresh of the bare handler writes: a row in sqlite, or a line in a log")
	window := flag.Duration("window", 3*time.Second, "how long each measurement lasts")
	rounds := flag.Int("rounds", 3, "how often each measurement is made")
	only := flag.String("only", "", "measure this workload alone")
	profile := flag.String("profile", "", "write a CPU profile of the product to this file; needs -only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch *role {
	case "bare-sqlite":
		err = serve(ctx, newBareSQLite, *profile)
	case "bare-log":
		err = serve(ctx, newBareLog, *profile)
	case "product":
		err = serve(ctx, newProduct, *profile)
	default:
		err = compare(ctx, plan{"bare-" + *durable, *window, *rounds, *only, *profile})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type plan struct {
	floor   string // role of the bare server
	window  time.Duration
	rounds  int
	only    string
	profile string
}

// compare runs every workload against both servers, in turns.
func compare(ctx context.Context, p plan) error {
	bare, err := start(ctx, p.floor, "")
	if err != nil {
		return err
	}
	defer bare.stop()
	product, err := start(ctx, "product", p.profile)
	if err != nil {
		return err
	}
	defer product.stop()
	fmt.Printf("%-22s %4s %17s %17s %7s %11s %11s\n", "CPU-µs per request", "c", p.floor+" min/med", "sallyport min/med", "ratio", "bare req/s", "sallyport")
	for _, w := range workloads {
		if p.only != "" && w.name != p.only {
			continue
		}
		for _, workers := range []int{8, 64} {
			if err := compareOne(ctx, p, bare, product, w, workers); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareOne prints one line. The ratio is the median of the ratios of each
// round, whose two halves ran right after one another.
func compareOne(ctx context.Context, p plan, bare, product *server, w workload, workers int) error {
	var floor, ours, ratios, floorRate, oursRate []float64
	for range p.rounds {
		b, err := measure(ctx, bare, w, workers, p.window)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", w.name, bare.role, err)
		}
		o, err := measure(ctx, product, w, workers, p.window)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", w.name, product.role, err)
		}
		floor, ours, ratios = append(floor, b.cpuMicros), append(ours, o.cpuMicros), append(ratios, o.cpuMicros/b.cpuMicros)
		floorRate, oursRate = append(floorRate, b.rate), append(oursRate, o.rate)
	}
	fmt.Printf("%-22s %4d %8.1f %8.1f %8.1f %8.1f %7.2f %11.0f %11.0f\n", w.name, workers, slices.Min(floor), median(floor),
		slices.Min(ours), median(ours), median(ratios), median(floorRate), median(oursRate))
	return nil
}

func median(s []float64) float64 {
	slices.Sort(s)
	return s[len(s)/2]
}

// start runs this binary in another role and reads the line that it prints.
func start(ctx context.Context, role, profile string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-role", role, "-profile", profile)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{role: role, cmd: cmd}
	return s, s.readHello(out)
}
