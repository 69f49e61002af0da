package jose_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/token/jose"
)

const (
	issuer   = "https://auth.example.com"
	audience = "https://api.example.com/catalog"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func clock() time.Time { return now }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// keys of the tests, one of each kind.
var (
	ecKey  = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ec384  = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	_, edK = func() (ed25519.PublicKey, ed25519.PrivateKey) {
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		_ = must(pub, err)
		return pub, priv
	}()
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherKey = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
)

func enc(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// raw builds a compact JWS over a header and a payload as they are.
func raw(header, payload string, sign func(input []byte) []byte) string {
	input := enc([]byte(header)) + "." + enc([]byte(payload))
	return input + "." + enc(sign([]byte(input)))
}

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

func es(key *ecdsa.PrivateKey, h crypto.Hash) func([]byte) []byte {
	size := (key.Params().BitSize + 7) / 8
	return func(input []byte) []byte {
		r, s := must2(ecdsa.Sign(rand.Reader, key, digest(h, input)))
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
}

func must2(r, s *big.Int, err error) (*big.Int, *big.Int) { return must(r, err), s }

func ed(key ed25519.PrivateKey) func([]byte) []byte {
	return func(input []byte) []byte { return ed25519.Sign(key, input) }
}

func hs(key []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		m := hmac.New(crypto.SHA256.New, key)
		m.Write(input)
		return m.Sum(nil)
	}
}

func ps(key *rsa.PrivateKey, h crypto.Hash, salt int) func([]byte) []byte {
	return func(input []byte) []byte {
		return must(rsa.SignPSS(rand.Reader, key, h, digest(h, input), &rsa.PSSOptions{SaltLength: salt}))
	}
}

func rs(key *rsa.PrivateKey, h crypto.Hash) func([]byte) []byte {
	return func(input []byte) []byte { return must(rsa.SignPKCS1v15(nil, key, h, digest(h, input))) }
}

func keyOf(id string, alg jose.Algorithm, public crypto.PublicKey) *jose.Key {
	return must(jose.NewKey(id, alg, "sig", public))
}

func setOf(keys ...*jose.Key) *jose.KeySet { return must(jose.NewKeySet(keys...)) }

// goodHeader and goodClaims are the token that is not attacked.
const goodHeader = `{"alg":"ES256","kid":"k1","typ":"at+jwt"}`

func goodClaims() map[string]any {
	return map[string]any{
		"iss": issuer, "aud": audience, "sub": "alice", "jti": "t1", "client_id": "shop",
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "scope": "catalog.read",
	}
}

func claims(change map[string]any) string {
	c := goodClaims()
	maps.Copy(c, change)
	for k, v := range change {
		if v == remove {
			delete(c, k)
		}
	}
	return string(must(json.Marshal(c)))
}

// with replaces a claim by raw JSON.
func with(name, value string) string {
	c := claims(map[string]any{name: remove})
	return strings.TrimSuffix(c, "}") + fmt.Sprintf(",%q:%s}", name, value)
}

const remove = "\x00remove"

func good() string { return raw(goodHeader, claims(nil), es(ecKey, crypto.SHA256)) }

// profile is the purpose of the tests: access tokens signed with ES256.
func profile(change func(*jose.Profile)) *jose.Verifier {
	p := jose.Profile{
		Purpose: "access token", Types: []string{"at+jwt"}, Algorithms: []jose.Algorithm{jose.ES256},
		Keys:   setOf(keyOf("k1", jose.ES256, &ecKey.PublicKey)),
		Issuer: jose.Exactly(issuer), Audience: jose.Exactly(audience),
		MaxLife: 10 * time.Minute, Skew: 0, Require: []string{"sub", "jti", "client_id"}, Now: clock,
	}
	if change != nil {
		change(&p)
	}
	return must(jose.NewVerifier(p))
}

// attack is a token that must be refused for one reason.
type attack struct {
	name   string
	token  string
	reason jose.Reason
}

// run expects that the pair, a token that is not attacked, passes, and that
// each attack fails for its reason and looks like every other refusal.
func run(t *testing.T, v *jose.Verifier, pair string, attacks []attack) {
	t.Helper()
	if _, err := v.Verify(context.Background(), pair); err != nil {
		t.Fatalf("the token that is not attacked: %v", err)
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			t.Helper()
			c, err := v.Verify(context.Background(), a.token)
			if c != nil || !errors.Is(err, jose.ErrInvalid) {
				t.Fatalf("accepted: %v, %v", c, err)
			}
			if got := jose.ReasonOf(err); got != a.reason {
				t.Errorf("refused for %s, want %s", got, a.reason)
			}
		})
	}
}

func derOf(sig []byte) []byte {
	half := len(sig) / 2
	return must(asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])}))
}

func parts(compact string) []string { return slices.Clone(strings.Split(compact, ".")) }

func decode(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }
