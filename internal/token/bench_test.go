package token_test

import (
	"testing"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func BenchmarkSealAccess(b *testing.B) {
	ring, _, _ := newRing(b)
	a := sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.SealAccess(&a); err != nil {
			b.Fatal(err)
		}
	}
}

// One grant is an app that calls again and again; so many that their texts are
// not remembered is the worst case.
func BenchmarkOpenAccess(b *testing.B) {
	ring, _, _ := newRing(b)
	for name, grants := range map[string]int{"grants=1": 1, "grants=100000": 100_000} {
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
			b.ReportAllocs()
			var a token.Access
			for i := 0; b.Loop(); i++ {
				if err := ring.OpenAccess(sealed[i%grants], &a); err != nil {
					b.Fatal(err)
				}
			}
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
			b.ReportAllocs()
			var a token.Access
			for b.Loop() {
				if ring.OpenAccess(tok, &a) == nil {
					b.Fatal("opened")
				}
			}
		})
	}
}
