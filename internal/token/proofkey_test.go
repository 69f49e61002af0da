package token_test

import (
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
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var b64 = base64.RawURLEncoding

// appKey is the key of an app, with nothing between a test and its proofs.
type appKey struct {
	alg  string
	jwk  map[string]any
	sign func(input []byte) []byte
}

func ecKey(t testing.TB, curve elliptic.Curve, alg string) appKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	size := (curve.Params().BitSize + 7) / 8
	return appKey{alg, map[string]any{
		"kty": "EC", "crv": curve.Params().Name,
		"x": b64.EncodeToString(key.X.FillBytes(make([]byte, size))), "y": b64.EncodeToString(key.Y.FillBytes(make([]byte, size))),
	}, func(input []byte) []byte {
		h := crypto.SHA256
		if size > 32 {
			h = crypto.SHA384
		}
		d := h.New()
		d.Write(input)
		r, s, err := ecdsa.Sign(rand.Reader, key, d.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}}
}

func es256(t testing.TB) appKey { t.Helper(); return ecKey(t, elliptic.P256(), "ES256") }

func edKey(t testing.TB, alg string) appKey {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return appKey{
		alg,
		map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64.EncodeToString(pub)},
		func(input []byte) []byte { return ed25519.Sign(key, input) },
	}
}

func rsaKey(t testing.TB, bits int, alg string) appKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return appKey{alg, map[string]any{
		"kty": "RSA", "n": b64.EncodeToString(key.N.Bytes()), "e": "AQAB",
	}, func(input []byte) []byte {
		d := sha256.Sum256(input)
		if alg == "RS256" {
			sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, d[:])
			if err != nil {
				t.Fatal(err)
			}
			return sig
		}
		sig, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, d[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}}
}

// draft is a proof before it is signed. A member that is nil is left out.
type draft struct {
	key            appKey
	header, claims map[string]any
	after          func(jwt string) string // what happens to it then
}

const (
	resource = "https://api.example.com/catalog/items/1"
	method   = "GET"
)

var boundToken = secret.New("spat_some-access-token")

func ath(tok secret.Value) string {
	sum := sha256.Sum256([]byte(tok.Reveal()))
	return b64.EncodeToString(sum[:])
}

// newDraft is a proof that passes at now.
func newDraft(key appKey) *draft {
	return &draft{
		key:    key,
		header: map[string]any{"typ": "dpop+jwt", "alg": key.alg, "jwk": key.jwk},
		claims: map[string]any{
			"jti": b64.EncodeToString(secret.Random(16)), "htm": method, "htu": resource,
			"iat": now.Unix(), "ath": ath(boundToken),
		},
	}
}

func segment(t testing.TB, m map[string]any) string {
	t.Helper()
	out := map[string]any{}
	for k, v := range m {
		if v != nil {
			out[k] = v
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return b64.EncodeToString(b)
}

func (d *draft) jwt(t testing.TB) string {
	t.Helper()
	input := segment(t, d.header) + "." + segment(t, d.claims)
	jwt := input + "." + b64.EncodeToString(d.key.sign([]byte(input)))
	if d.after != nil {
		jwt = d.after(jwt)
	}
	return jwt
}

func (d *draft) request(t testing.TB) token.ProofRequest {
	t.Helper()
	return token.ProofRequest{Lines: []string{d.jwt(t)}, Method: method, URL: resource, Token: boundToken, NonceFor: token.NonceGateway}
}

func with(m map[string]any, name string, value any) map[string]any {
	out := map[string]any{name: value}
	for k, v := range m {
		if k != name {
			out[k] = v
		}
	}
	return out
}

// flipS turns an ECDSA signature into the other one of the same message.
func flipS(sig []byte) []byte {
	out := make([]byte, 64)
	copy(out, sig[:32])
	new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:])).FillBytes(out[32:])
	return out
}

type proofClock struct{ at time.Time }

func (c *proofClock) now() time.Time { return c.at }

// newProofs are proofs of a node with a memory of its own.
func newProofs(t testing.TB, c *proofClock) (*token.Proofs, *token.Ring) {
	t.Helper()
	ring, _, _ := newRing(t)
	return proofsOf(t, ring, c, token.NewReplayTable(0, c.now)), ring
}

func proofsOf(t testing.TB, ring *token.Ring, c *proofClock, replay token.Replay) *token.Proofs {
	t.Helper()
	p, err := token.NewProofs(token.ProofOptions{Ring: ring, Replay: replay, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
