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
	role := flag.String("role", "", "what this process is: bare or product; empty: the one that measures")
	window := flag.Duration("window", 3*time.Second, "how long each measurement lasts")
	rounds := flag.Int("rounds", 3, "how often each measurement is made")
	only := flag.String("only", "", "measure this workload alone")
	profile := flag.String("profile", "", "write a CPU profile of the product to this file; needs -only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch *role {
	case "bare":
		err = serve(ctx, newBare, "")
	case "product":
		err = serve(ctx, newProduct, *profile)
	default:
		err = compare(ctx, *window, *rounds, *only, *profile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// compare runs every workload against both servers, in turns.
func compare(ctx context.Context, window time.Duration, rounds int, only, profile string) error {
	bare, err := start(ctx, "bare", "")
	if err != nil {
		return err
	}
	defer bare.stop()
	product, err := start(ctx, "product", profile)
	if err != nil {
		return err
	}
	defer product.stop()
	fmt.Printf("%-22s %4s %12s %12s %7s %12s %12s\n", "CPU-µs per request", "c", "bare", "sallyport", "ratio", "bare req/s", "sallyport")
	for _, w := range workloads {
		if only != "" && w.name != only {
			continue
		}
		for _, workers := range []int{8, 64} {
			var b, p []sample
			for range rounds {
				for _, side := range []struct {
					s    *server
					into *[]sample
				}{{bare, &b}, {product, &p}} {
					got, err := measure(ctx, side.s, w, workers, window)
					if err != nil {
						return fmt.Errorf("%s on %s: %w", w.name, side.s.role, err)
					}
					*side.into = append(*side.into, got)
				}
			}
			mb, mp := median(b), median(p)
			fmt.Printf("%-22s %4d %12.1f %12.1f %7.2f %12.0f %12.0f\n", w.name, workers, mb.cpuMicros, mp.cpuMicros, mp.cpuMicros/mb.cpuMicros, mb.rate, mp.rate)
		}
	}
	return nil
}

func median(s []sample) sample {
	slices.SortFunc(s, func(a, b sample) int {
		switch {
		case a.cpuMicros < b.cpuMicros:
			return -1
		case a.cpuMicros > b.cpuMicros:
			return 1
		}
		return 0
	})
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
