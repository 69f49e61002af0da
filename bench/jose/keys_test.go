//go:build unix

package jose_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"syscall"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

const (
	keyID    = "key-1"
	issuer   = "https://auth.example.com"
	audience = "https://api.example.com/catalog"
)

// must is for what cannot fail here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// suite is one signature algorithm with its key, a token, and the check of its
// signature with nothing around it.
type suite struct {
	algorithm jose.Algorithm
	private   crypto.Signer
	token     string
	input     []byte // what was signed
	signature []byte
	bare      func(input, signature []byte) bool
}

func newSuite(alg jose.Algorithm) *suite {
	s := &suite{algorithm: alg}
	switch alg {
	case jose.ES256:
		key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		s.private, s.bare = key, func(in, sig []byte) bool {
			digest := sha256.Sum256(in)
			return ecdsa.Verify(&key.PublicKey, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		}
	case jose.EdDSA:
		public, key, err := ed25519.GenerateKey(rand.Reader)
		s.private, s.bare = must(key, err), func(in, sig []byte) bool { return ed25519.Verify(public, in, sig) }
	case jose.PS256:
		key := must(rsa.GenerateKey(rand.Reader, 2048))
		s.private, s.bare = key, func(in, sig []byte) bool {
			digest := sha256.Sum256(in)
			return rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	default:
		panic("no such suite: " + alg)
	}
	signer := must(gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(alg), Key: gojose.JSONWebKey{Key: s.private, KeyID: keyID}},
		(&gojose.SignerOptions{}).WithType("at+jwt")))
	s.token = must(must(signer.Sign(claims())).CompactSerialize())
	at := strings.LastIndexByte(s.token, '.')
	s.input, s.signature = []byte(s.token[:at]), must(base64.RawURLEncoding.DecodeString(s.token[at+1:]))
	if !s.bare(s.input, s.signature) {
		panic("the token is not what it should be")
	}
	return s
}

func claims() []byte {
	now := time.Now().Unix()
	return must(json.Marshal(map[string]any{
		"iss": issuer, "aud": audience, "sub": "01ja7c3w9k2m4n6p8r0s2t4v6x", "client_id": "shop-app", "scope": "openid catalog.read",
		"iat": now, "exp": now + 86400, "jti": "01ja7c3w9k2m4n6p8r0s2t4v70", "acr": "urn:sallyport:pwd", "auth_time": now,
	}))
}

func (s *suite) verifier() *jose.Verifier {
	key := must(jose.NewKey(keyID, s.algorithm, "sig", s.private.Public()))
	return must(jose.NewVerifier(jose.Profile{
		Purpose: "access token", Types: []string{"at+jwt"}, Algorithms: []jose.Algorithm{s.algorithm}, Keys: must(jose.NewKeySet(key)),
		Issuer: jose.Exactly(issuer), Audience: jose.Includes(audience), MaxLife: 48 * time.Hour, Require: []string{"sub", "client_id"}, Now: time.Now,
	}))
}

// memory is a key store for one process.
type memory struct{ records []token.KeyRecord }

func (m *memory) Keys(context.Context) ([]token.KeyRecord, error) { return m.records, nil }

func (m *memory) AddFirstKey(_ context.Context, k token.KeyRecord) error {
	m.records = append(m.records, k)
	return nil
}

func newRing() *token.Ring {
	master := must(token.NewMaster(secret.NewHandle(secret.MasterKey)))
	return must(token.OpenRing(context.Background(), &memory{}, master, time.Now))
}

// run measures f, which must succeed each time. Beside the time on the wall it
// reports the CPU time of the process, which a busy machine moves less.
func run(b *testing.B, name string, f func() error) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		before := cpuTime()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
	})
}

// cpuTime is what the process has used so far, by itself and in the kernel.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
