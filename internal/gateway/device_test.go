package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var b64 = base64.RawURLEncoding

// device is an app with a key of its own.
type device struct {
	t   testing.TB
	f   *fixture
	key *ecdsa.PrivateKey
	jwk map[string]any
	jkt [32]byte
}

func (f *fixture) device() *device {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	x, y := b64.EncodeToString(key.X.FillBytes(make([]byte, 32))), b64.EncodeToString(key.Y.FillBytes(make([]byte, 32)))
	return &device{
		f.t, f, key,
		map[string]any{"kty": "EC", "crv": "P-256", "x": x, "y": y},
		sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y)),
	}
}

// token is an access token that is bound to the device.
func (d *device) token(mods ...func(*token.Access)) string {
	a := d.f.access()
	a.Confirm = token.Confirmation{Method: token.ConfirmJKT, Digest: d.jkt}
	for _, m := range mods {
		m(&a)
	}
	return d.f.seal(a)
}

// edit changes header and claims of a proof; a member that is nil goes.
type edit func(header, claims map[string]any)

func claim(name string, v any) edit  { return func(_, c map[string]any) { c[name] = v } }
func header(name string, v any) edit { return func(h, _ map[string]any) { h[name] = v } }

// proof is one for GET https://api.example.com/catalog/items/1, changed by edits.
func (d *device) proof(tok string, edits ...edit) string {
	d.t.Helper()
	sum := sha256.Sum256([]byte(tok))
	h := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": d.jwk}
	c := map[string]any{
		"jti": b64.EncodeToString(secret.Random(16)), "htm": "GET", "htu": "https://api.example.com/catalog/items/1",
		"iat": d.f.now().Unix(), "ath": b64.EncodeToString(sum[:]),
	}
	for _, e := range edits {
		e(h, c)
	}
	input := d.segment(h) + "." + d.segment(c)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, d.key, digest[:])
	if err != nil {
		d.t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func (d *device) segment(m map[string]any) string {
	for name, v := range m {
		if v == nil {
			delete(m, name)
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	return b64.EncodeToString(b)
}

// lines are the header lines of a call with token and proof.
func (d *device) lines(tok string, edits ...edit) []string {
	return []string{"Authorization: DPoP " + tok, "DPoP: " + d.proof(tok, edits...)}
}
