package token_test

import (
	"syscall"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// reportCPU adds the CPU time of the whole process per operation, collector
// included: it holds on a machine that others use too, where ns/op does not.
func reportCPU(b *testing.B, loop func()) {
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.ReportAllocs()
	before := cpu()
	loop()
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}

func BenchmarkSealAccess(b *testing.B) {
	ring, _, _ := newRing(b)
	a := sample()
	reportCPU(b, func() {
		for b.Loop() {
			if _, err := ring.SealAccess(&a); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// again is a client that shows the same token for minutes; first is a token
// that no one has shown lately, with a text that is not remembered either.
func BenchmarkOpenAccess(b *testing.B) {
	ring, _, _ := newRing(b)
	for name, grants := range map[string]int{"again": 1, "first": 100_000} {
		b.Run(name, func(b *testing.B) {
			sealed := make([]string, grants)
			for i := range sealed {
				a := sample()
				a.GrantID = secret.NewID(now)
				tok, err := ring.SealAccess(&a)
				if err != nil {
					b.Fatal(err)
				}
				sealed[i] = tok.Reveal()
			}
			var a token.Access
			reportCPU(b, func() {
				for i := 0; b.Loop(); i++ {
					if err := ring.OpenAccess(sealed[i%grants], &a); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// A stranger's guess must be cheaper to refuse than a token to open.
func BenchmarkOpenAccessRefuses(b *testing.B) {
	ring, _, _ := newRing(b)
	for name, tok := range map[string]string{
		"garbage":     "spat_garbage",
		"well formed": secret.Encode(secret.AccessToken, secret.Random(200)).Reveal(),
	} {
		b.Run(name, func(b *testing.B) {
			var a token.Access
			reportCPU(b, func() {
				for b.Loop() {
					if ring.OpenAccess(tok, &a) == nil {
						b.Fatal("opened")
					}
				}
			})
		})
	}
}
