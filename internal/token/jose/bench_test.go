package jose_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"
	"testing"

	"sallyport/internal/token/jose"
)

// Each algorithm beside the bare check of its signature: what the profile adds.
func BenchmarkVerify(b *testing.B) {
	ctx := context.Background()
	ctoken := func(alg string, sign func([]byte) []byte) string {
		return raw(`{"alg":"`+alg+`","kid":"k1","typ":"at+jwt"}`, claims(nil), sign)
	}
	input := func(token string) []byte { return []byte(token[:len(token)-len(sig(token))-1]) }
	signature := func(token string) []byte { return must(decode(sig(token))) }
	for _, tc := range []struct {
		alg    jose.Algorithm
		public crypto.PublicKey
		token  string
		bare   func(input, sig []byte) bool
	}{
		{jose.ES256, &ecKey.PublicKey, ctoken("ES256", es(ecKey, crypto.SHA256)), func(in, s []byte) bool {
			return ecdsa.Verify(&ecKey.PublicKey, digest(crypto.SHA256, in), new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:]))
		}},
		{jose.EdDSA, edK.Public(), ctoken("EdDSA", ed(edK)), func(in, s []byte) bool {
			return ed25519.Verify(edK.Public().(ed25519.PublicKey), in, s)
		}},
		{jose.PS256, &rsaKey().PublicKey, ctoken("PS256", ps(rsaKey(), crypto.SHA256, 32)), func(in, s []byte) bool {
			return rsa.VerifyPSS(&rsaKey().PublicKey, crypto.SHA256, digest(crypto.SHA256, in), s, nil) == nil
		}},
	} {
		v := profile(func(p *jose.Profile) {
			p.Algorithms, p.Keys = []jose.Algorithm{tc.alg}, setOf(keyOf("k1", tc.alg, tc.public))
		})
		b.Run(string(tc.alg)+"/bare", func(b *testing.B) {
			in, s := input(tc.token), signature(tc.token)
			b.ReportAllocs()
			for b.Loop() {
				if !tc.bare(in, s) {
					b.Fatal("refused")
				}
			}
		})
		b.Run(string(tc.alg)+"/profile", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(ctx, tc.token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
