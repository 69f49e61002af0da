package outbound_test

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"sallyport/internal/outbound"
)

// names is a resolver: each name has a list of answers, and the last one stays.
type names struct {
	mu    sync.Mutex
	list  map[string][][]netip.Addr
	asked int
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	answers := n.list[host]
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		n.list[host] = answers[1:]
	}
	return answers[0], nil
}

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

// door counts what is dialled, and leads all of it to one server.
type door struct {
	to string
	mu sync.Mutex
	at []string
}

func (d *door) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	d.at = append(d.at, address)
	d.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, d.to)
}

func (d *door) dialled() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.at...)
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func rootsOf(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// near is a client that may reach the servers of a test.
func near(s *httptest.Server) *outbound.Client {
	return outbound.NewClient(outbound.Options{AllowLoopback: true, RootCAs: rootsOf(s)})
}

// far is a strict client for which example.com, whose certificate the server
// has, is a public address.
func far(s *httptest.Server, answers ...[]netip.Addr) (*outbound.Client, *door, *names) {
	n := &names{list: map[string][][]netip.Addr{"example.com.": answers}}
	c := outbound.NewClient(outbound.Options{RootCAs: rootsOf(s), Resolver: n})
	d := &door{to: s.Listener.Addr().String()}
	c.SetDial(d.dial)
	return c, d, n
}

// trap is a listener that counts who comes.
func trap(t *testing.T, network, address string) (port string, count *atomic.Int64) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	count = new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			_ = conn.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, count
}

func wantReason(t *testing.T, err error, want ...outbound.Reason) {
	t.Helper()
	got := outbound.ReasonOf(err)
	for _, w := range want {
		if got == w {
			return
		}
	}
	t.Errorf("got %q (%v), want one of %q", got, err, want)
}

func writeJSON(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(body))
}
