// Command issuer measures what a request to the authorization server costs,
// beside a bare net/http handler that does the same cryptography, or beside
// node-oidc-provider. Both run as
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
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"
)

func main() {
	role := flag.String("role", "", "what this process is: bare-sqlite, bare-log or product; empty: the one that measures")
	peer := flag.Bool("peer", false, "measure beside node-oidc-provider instead of the bare handler")
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
		p := plan{"bare-" + *durable, *window, *rounds, *only, *profile}
		if *peer {
			p.floor = rolePeer
		}
		err = compare(ctx, p)
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
	bare, err := startFloor(ctx, p.floor)
	if err != nil {
		return err
	}
	defer bare.stop()
	product, err := start(ctx, "product", p.profile)
	if err != nil {
		return err
	}
	defer product.stop()
	fmt.Printf("%-22s %4s %19s %17s %7s %11s %11s\n", "CPU-µs per request", "c", p.floor+" min/med", "sallyport min/med", "ratio", p.floor+"/s", "sallyport/s")
	for _, w := range workloads {
		if p.only != "" && w.name != p.only || w.peer && p.floor != rolePeer || w.bare && p.floor == rolePeer {
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
		floor, ours, ratios = append(floor, b.cpuMicros), append(ours, o.cpuMicros), append(ratios, ratio(p, b, o))
		floorRate, oursRate = append(floorRate, b.rate), append(oursRate, o.rate)
	}
	fmt.Printf("%-22s %4d %10.1f %8.1f %8.1f %8.1f %7.2f %11.0f %11.0f\n", w.name, workers, slices.Min(floor), median(floor),
		slices.Min(ours), median(ours), median(ratios), median(floorRate), median(oursRate))
	return nil
}

// ratio is ours ÷ bare, which should be near 1, or peer ÷ ours, which should be large.
func ratio(p plan, floor, ours sample) float64 {
	if p.floor == rolePeer {
		return floor.cpuMicros / ours.cpuMicros
	}
	return ours.cpuMicros / floor.cpuMicros
}

func median(s []float64) float64 {
	slices.Sort(s)
	return s[len(s)/2]
}

// rolePeer is node-oidc-provider, in memory.
const rolePeer = "node-oidc-provider"

// startFloor starts what the product is measured beside.
func startFloor(ctx context.Context, role string) (*server, error) {
	if role != rolePeer {
		return start(ctx, role, "")
	}
	_, file, _, _ := runtime.Caller(0)
	cmd := exec.CommandContext(ctx, "node", "provider.mjs", strconv.Itoa(maxWorkers))
	cmd.Dir = filepath.Join(filepath.Dir(file), "peer")
	if _, err := os.Stat(filepath.Join(cmd.Dir, "node_modules")); err != nil {
		return nil, fmt.Errorf("npm packages are missing, run npm ci in bench/issuer/peer: %w", err)
	}
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	return startCommand(role, cmd)
}

// start runs this binary in another role and reads the line that it prints.
func start(ctx context.Context, role, profile string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startCommand(role, exec.CommandContext(ctx, self, "-role", role, "-profile", profile))
}

func startCommand(role string, cmd *exec.Cmd) (*server, error) {
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
