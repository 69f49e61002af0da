package outbound_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/outbound"
)

// loop is a resolver for which every name is this machine.
type loop struct{}

func (loop) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return addrs("127.0.0.1"), nil
}

// net/http reads the environment once in a process, so this needs one of its own.
func TestEG05ProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	t.Parallel()
	if os.Getenv("HTTPS_PROXY") != askedProxy {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "NO_PROXY=", "no_proxy=")
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
			cmd.Env = append(cmd.Env, name+"="+askedProxy)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := http.ProxyFromEnvironment(r); err != nil || u == nil {
		t.Fatalf("net/http would use the proxy %v, %v: this test shows nothing", u, err)
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	c, d, _ := far(s, addrs("93.184.215.14"))
	if _, err := c.Get(t.Context(), "https://example.com/"); err != nil {
		t.Error(err)
	}
	if got := d.dialled(); len(got) != 1 || got[0] != "93.184.215.14:443" {
		t.Errorf("dialled %v", got)
	}
}

const askedProxy = "http://192.0.2.1:3128"

func TestOneSlowHostIsBounded(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	free := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for n := running.Add(1); ; {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		<-free
		running.Add(-1)
		writeJSON(w, `{}`)
	})
	c := outbound.NewClient(outbound.Options{AllowLoopback: true, RootCAs: rootsOf(s), PerHost: 2, Total: 8, Timeout: time.Minute})
	var busy, fine atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			switch _, err := c.Get(t.Context(), s.URL); outbound.ReasonOf(err) {
			case outbound.ReasonOK:
				fine.Add(1)
			case outbound.ReasonBusy:
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	for busy.Load() < 100-2-64 {
		time.Sleep(time.Millisecond)
	}
	// Another host has its turn meanwhile.
	other := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	if _, err := c.Get(t.Context(), other.URL); outbound.ReasonOf(err) != outbound.ReasonTLS && err != nil {
		t.Errorf("another host: %v", err)
	}
	close(free)
	wg.Wait()
	if most.Load() > 2 || busy.Load() != 34 || fine.Load() != 66 {
		t.Errorf("%d at once, %d refused, %d answered; want 2, 34, 66", most.Load(), busy.Load(), fine.Load())
	}
}

// A name server or a host that never answers ends with our time, and a caller
// who leaves is not held; waiting for a turn counts too.
func TestEveryWaitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		c := outbound.NewClient(outbound.Options{Resolver: slowNames{}, PerHost: 1})
		d := outbound.NewClient(outbound.Options{Resolver: public{}, PerHost: 1})
		d.SetDial(silent)
		for name, client := range map[string]*outbound.Client{"resolver": c, "connection": d} {
			begin := time.Now()
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					_, err := client.Get(t.Context(), "https://example.com/")
					wantReason(t, err, outbound.ReasonTimeout)
				})
			}
			wg.Wait()
			if took := time.Since(begin); took != 10*time.Second {
				t.Errorf("%s: took %s, want 10s", name, took)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			begin = time.Now()
			_, err := client.Get(ctx, "https://example.com/")
			wantReason(t, err, outbound.ReasonCanceled)
			if took := time.Since(begin); took != time.Second || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: took %s with %v", name, took, err)
			}
		}
	})
}

type slowNames struct{}

func (slowNames) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

type public struct{}

func (public) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return addrs("93.184.215.14"), nil
}

func TestUnusableNames(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	many := make([]netip.Addr, 33)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{93, 184, 215, byte(i)})
	}
	for name, answer := range map[string][]netip.Addr{"no address": {}, "too many addresses": many} {
		c, d, _ := far(s, answer)
		_, err := c.Get(t.Context(), "https://example.com/")
		if wantReason(t, err, outbound.ReasonResolve); len(d.dialled()) != 0 {
			t.Errorf("%s: dialled %v", name, d.dialled())
		}
	}
	c, _, _ := far(s, addrs("93.184.215.14"))
	_, err := c.Get(t.Context(), "https://unknown.example/")
	wantReason(t, err, outbound.ReasonResolve)
	// Of several addresses the next is tried, three in all.
	c, _, _ = far(s, many[:10])
	var tried atomic.Int64
	c.SetDial(func(context.Context, string, string) (net.Conn, error) {
		tried.Add(1)
		return nil, errors.New("refused")
	})
	_, err = c.Get(t.Context(), "https://example.com/")
	if wantReason(t, err, outbound.ReasonConnect); tried.Load() != 3 {
		t.Errorf("tried %d addresses, want 3", tried.Load())
	}
}
