package sallyport_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkVerify is a token under a cached key, BenchmarkBare the signature
// check alone.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"EdDSA", "ES256"} {
		b.Run(alg, func(b *testing.B) {
			g := newGateway(b, alg)
			v, tok := g.verifier(b), g.Valid("x")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), tok); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBare(b *testing.B) {
	for _, alg := range []string{"EdDSA", "ES256"} {
		b.Run(alg, func(b *testing.B) {
			g := newGateway(b, alg)
			tok := g.Valid("x")
			dot := strings.LastIndexByte(tok, '.')
			sig, err := base64.RawURLEncoding.DecodeString(tok[dot+1:])
			if err != nil {
				b.Fatal(err)
			}
			public := g.Key.Private.Public()
			b.ReportAllocs()
			for b.Loop() {
				ok := false
				switch k := public.(type) {
				case ed25519.PublicKey:
					ok = ed25519.Verify(k, []byte(tok[:dot]), sig)
				case *ecdsa.PublicKey:
					digest := sha256.Sum256([]byte(tok[:dot]))
					ok = ecdsa.Verify(k, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
				}
				if !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkRequire(b *testing.B) {
	g := newGateway(b, "EdDSA")
	h := g.verifier(b).Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+g.Valid("x"))
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
