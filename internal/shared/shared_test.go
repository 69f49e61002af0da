//go:build unix

package shared_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/shared"
	"sallyport/internal/shared/redistest"
)

func open(t testing.TB, address string, change ...func(*shared.Options)) *shared.Store {
	t.Helper()
	a, err := shared.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	o := shared.Options{Address: a, Deployment: "https://auth.example.com", Timeout: 2 * time.Second, Now: time.Now}
	for _, c := range change {
		c(&o)
	}
	s, err := shared.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newID() [32]byte { return [32]byte(secret.Random(32)) }

func soon() time.Time { return time.Now().Add(time.Minute) }

func spend(t testing.TB, s *shared.Store, id [32]byte, want bool) {
	t.Helper()
	if fresh, err := s.Spend(t.Context(), id, soon()); err != nil || fresh != want {
		t.Errorf("Spend = %v, %v; want %v", fresh, err, want)
	}
}

func TestPP09J094SpentOnceAtAllNodes(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := open(t, server.URL()), open(t, server.URL())
	id := newID()
	spend(t, a, id, true)
	spend(t, b, id, false)
	spend(t, a, id, false)
	spend(t, b, newID(), true)
	if got, want := a.Counts(), (shared.Counts{Spent: 1, Repeated: 1}); got != want {
		t.Errorf("counts are %+v, want %+v", got, want)
	}
}

func TestPP09AHundredAtOnceHaveOneWinner(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	nodes := []*shared.Store{open(t, server.URL()), open(t, server.URL()), open(t, server.URL())}
	for range 20 {
		id, won := newID(), atomic.Int32{}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if fresh, err := nodes[i%len(nodes)].Spend(t.Context(), id, soon()); err != nil {
					t.Error(err)
				} else if fresh {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d were told fresh, want 1", won.Load())
		}
	}
}

func TestPP09AClusterIsOneMemory(t *testing.T) {
	t.Parallel()
	cluster := redistest.NewCluster(t, 3)
	a, b := open(t, cluster[0].URL()), open(t, cluster[1].URL()+"?addr="+cluster[2].Host())
	hasty := open(t, cluster[0].URL(), func(o *shared.Options) { o.Timeout = 500 * time.Millisecond })
	for range 50 { // at all nodes of the cluster
		id := newID()
		spend(t, a, id, true)
		spend(t, b, id, false)
	}
	cluster[2].Stop()
	refused := 0
	for range 20 {
		start := time.Now()
		if fresh, err := hasty.Spend(t.Context(), newID(), soon()); err != nil && !fresh {
			refused++
		}
		if time.Since(start) > bound {
			t.Errorf("a refusal took %s", time.Since(start))
		}
	}
	cluster[2].Continue()
	if refused == 0 || refused == 20 {
		t.Errorf("with one of three nodes gone, %d of 20 were refused", refused)
	}
}

func TestDeploymentsShareNothing(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a := open(t, server.URL())
	b := open(t, server.URL(), func(o *shared.Options) { o.Deployment = "https://stage.example.com" })
	id := newID()
	spend(t, a, id, true)
	spend(t, b, id, true)
	spend(t, b, id, false)
}

func TestSpentIsForgottenAfterItsTimeAndNotBefore(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	began := time.Now() // and the store's clock stands there
	s := open(t, server.URL(), func(o *shared.Options) { o.Now = func() time.Time { return began } })
	id, until := newID(), began.Add(300*time.Millisecond)
	kept := until.Add(time.Second) // a second is added
	if fresh, err := s.Spend(t.Context(), id, until); err != nil || !fresh {
		t.Fatalf("Spend = %v, %v; want true", fresh, err)
	}
	// What is asked again and again is fresh once its time is over, and then only.
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		fresh, err := s.Spend(t.Context(), id, soon())
		switch {
		case err != nil:
			t.Fatal(err)
		case fresh && time.Now().Before(kept):
			t.Fatalf("forgotten %s too early", time.Until(kept))
		case !fresh && time.Now().After(limit):
			t.Fatal("it is never forgotten")
		}
		if fresh {
			break
		}
	}
	if _, err := s.Spend(t.Context(), newID(), time.Now().Add(shared.MaxTime+time.Minute)); !errors.Is(err, shared.ErrUnavailable) {
		t.Errorf("Spend for more than a day = %v", err)
	}
	if fresh, err := s.Spend(t.Context(), newID(), began.Add(-time.Millisecond)); err != nil || fresh {
		t.Errorf("Spend of the past = %v, %v", fresh, err)
	}
}

// The bound within which a server that is gone or hangs makes callers refuse:
// many times the timeout, for machines that are busy, and far less than callers
// who wait for each other, or for ever, would need.
const bound = 30 * time.Second

func failsClosed(t *testing.T, s *shared.Store) {
	t.Helper()
	before, start := s.Counts().Failed, time.Now()
	fresh, err := s.Spend(t.Context(), newID(), soon())
	if took := time.Since(start); fresh || !errors.Is(err, shared.ErrUnavailable) || took > bound {
		t.Errorf("Spend = %v, %v after %s; want false and ErrUnavailable within %s", fresh, err, took, bound)
	}
	if s.Counts().Failed != before+1 {
		t.Error("the failure was not counted")
	}
	if err := s.Ping(t.Context()); !errors.Is(err, shared.ErrUnavailable) {
		t.Errorf("Ping = %v", err)
	}
}

// recovers waits until the server is used again.
func recovers(t *testing.T, s *shared.Store) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; {
		fresh, err := s.Spend(t.Context(), newID(), soon())
		if err == nil && fresh {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("the server is back and not used: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAHangingServerFailsClosed(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	s := open(t, server.URL())
	id := newID()
	spend(t, s, id, true)
	server.Stop()
	for range 3 {
		failsClosed(t, s)
	}
	var all sync.WaitGroup // many at once wait no longer than one
	start := time.Now()
	for range 200 {
		all.Go(func() {
			if fresh, err := s.Spend(context.WithoutCancel(t.Context()), newID(), soon()); fresh || err == nil {
				t.Errorf("Spend = %v, %v", fresh, err)
			}
		})
	}
	all.Wait()
	if took := time.Since(start); took > bound {
		t.Errorf("200 refusals took %s", took)
	}
	server.Continue()
	recovers(t, s)
	spend(t, s, id, false)
}

func TestAKilledServerFailsClosed(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	s := open(t, server.URL())
	spend(t, s, newID(), true)
	server.Kill()
	for range 3 {
		failsClosed(t, s)
	}
	server.Start()
	recovers(t, s)
}

func TestCallersWhoLeaveDoNotWait(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	s := open(t, server.URL(), func(o *shared.Options) { o.Timeout = 2 * bound })
	server.Stop()
	defer server.Continue()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if fresh, err := s.Spend(ctx, newID(), soon()); fresh || !errors.Is(err, shared.ErrUnavailable) || time.Since(start) > bound {
		t.Errorf("Spend = %v, %v after %s", fresh, err, time.Since(start))
	}
}

func TestPP09AFullServerFailsClosed(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
	s := open(t, server.URL())
	id := newID()
	spend(t, s, id, true)
	full := false
	for range 200 {
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				if _, err := s.Spend(t.Context(), newID(), soon()); err != nil && !errors.Is(err, shared.ErrUnavailable) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if full = s.Counts().Failed > 0; full {
			break
		}
	}
	if !full {
		t.Fatal("the server was never full")
	}
	if fresh, _ := s.Spend(t.Context(), id, soon()); fresh {
		t.Error("a full server has forgotten what was spent")
	}
}

func TestServersThatForgetAreRefused(t *testing.T) {
	t.Parallel()
	for policy, good := range map[string]bool{"noeviction": true, "allkeys-lru": false, "volatile-ttl": false} {
		server := redistest.New(t, "--maxmemory", "10mb", "--maxmemory-policy", policy)
		a, err := shared.ParseAddress(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		s, err := shared.Open(t.Context(), shared.Options{Address: a, Deployment: "d", Now: time.Now})
		if (err == nil) != good {
			t.Errorf("%s: Open = %v", policy, err)
		}
		if err == nil {
			s.Close()
		} else if !strings.Contains(err.Error(), "noeviction") || strings.Contains(err.Error(), server.Password) {
			t.Errorf("%s: the error does not say what to do, or says too much: %v", policy, err)
		}
	}
}

func TestOpenSaysWhatIsWrongWithoutThePassword(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	for name, address := range map[string]string{
		"nobody listens": "redis://:" + server.Password + "@127.0.0.1:1", "wrong password": "redis://:hunter2hunter2@" + server.Host(),
		"no password": "redis://" + server.Host(), "TLS to a plain server": "rediss://:" + server.Password + "@" + server.Host(),
	} {
		a, err := shared.ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		s, err := shared.Open(t.Context(), shared.Options{Address: a, Deployment: "d", Now: time.Now})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, shared.ErrUnavailable) || strings.Contains(err.Error(), server.Password) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: Open = %v", name, err)
		}
	}
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := writeCertificate(t, dir)
	port := freePort(t)
	server := redistest.New(t, "--tls-port", port, "--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"), "--tls-auth-clients", "no")
	address := "rediss://:" + server.Password + "@127.0.0.1:" + port
	s := open(t, address, func(o *shared.Options) { o.RootCAs = pool })
	id := newID()
	spend(t, s, id, true)
	spend(t, s, id, false)
	a, err := shared.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := shared.Open(t.Context(), shared.Options{Address: a, Deployment: "d", Now: time.Now}); err == nil {
		s.Close()
		t.Error("a certificate that nobody vouches for is trusted")
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

func BenchmarkSpend(b *testing.B) {
	s := open(b, redistest.New(b).URL())
	b.ReportAllocs()
	for b.Loop() {
		if fresh, err := s.Spend(b.Context(), newID(), soon()); err != nil || !fresh {
			b.Fatal(fresh, err)
		}
	}
}

func BenchmarkSpendParallel(b *testing.B) {
	s := open(b, redistest.New(b).URL())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if fresh, err := s.Spend(b.Context(), newID(), soon()); err != nil || !fresh {
				b.Error(fresh, err)
				return
			}
		}
	})
}
