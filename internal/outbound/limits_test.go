package outbound_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
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

// Not parallel: it sets the environment.
func TestEG05ProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	port, count := trap(t, "tcp", "127.0.0.1:0")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://127.0.0.1:"+port)
	}
	t.Setenv("NO_PROXY", "")
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	c, _, _ := far(s, addrs("93.184.215.14"))
	if _, err := c.Get(t.Context(), "https://example.com/"); err != nil {
		t.Error(err)
	}
	if n := count.Load(); n != 0 {
		t.Errorf("the proxy was asked %d times", n)
	}
}

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
