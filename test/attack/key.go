package attack

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"math/big"
)

var b64 = base64.RawURLEncoding

// Key is a private key under a name.
type Key struct {
	ID        string // kid
	Algorithm string // EdDSA, ES256, ES384, ES512, RS256 or PS256
	Private   crypto.Signer
}

// NewKey makes a key. It panics on an algorithm that it does not know.
func NewKey(algorithm, id string) Key {
	var key crypto.Signer
	var err error
	switch algorithm {
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "RS256", "PS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		panic("attack: no algorithm " + algorithm)
	}
	if err != nil {
		panic(err)
	}
	return Key{id, algorithm, key}
}

// JWK returns the public key as RFC 7517 has it, with alg and use. Members that
// are named replace those or come last; one without a value is left out.
func (k Key) JWK(more ...string) string {
	o := k.publicMembers().with("kid", quote(k.ID)).with("alg", quote(k.Algorithm)).with("use", `"sig"`)
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] == "" {
			o = o.without(more[i])
			continue
		}
		o = o.with(more[i], more[i+1])
	}
	return o.String()
}

// Set returns a JWK Set of these JWKs.
func Set(jwks ...string) []byte {
	b := []byte(`{"keys":[`)
	for i, k := range jwks {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, k...)
	}
	return append(b, `]}`...)
}

func (k Key) publicMembers() object {
	text := func(b []byte) string { return quote(b64.EncodeToString(b)) }
	switch p := k.Private.Public().(type) {
	case ed25519.PublicKey:
		return object{{"kty", `"OKP"`}, {"crv", `"Ed25519"`}, {"x", text(p)}}
	case *ecdsa.PublicKey:
		point, err := p.Bytes() // 4 ‖ x ‖ y
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		return object{{"kty", `"EC"`}, {"crv", quote(p.Curve.Params().Name)}, {"x", text(point[1 : 1+half])}, {"y", text(point[1+half:])}}
	case *rsa.PublicKey:
		return object{{"kty", `"RSA"`}, {"n", text(p.N.Bytes())}, {"e", text(big.NewInt(int64(p.E)).Bytes())}}
	}
	panic("attack: unknown key")
}

// compact signs header and payload, which need not be JSON.
func (k Key) compact(header, payload string) string {
	return k.seal(b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload)))
}

// seal adds the signature to what is already encoded.
func (k Key) seal(input string) string { return input + "." + b64.EncodeToString(k.signature(input)) }

func (k Key) signature(input string) []byte {
	if key, ok := k.Private.(ed25519.PrivateKey); ok {
		return ed25519.Sign(key, []byte(input))
	}
	if key, ok := k.Private.(*rsa.PrivateKey); ok {
		digest := sha256.Sum256([]byte(input))
		var opts crypto.SignerOpts = crypto.SHA256
		if k.Algorithm == "PS256" {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		}
		sig, err := key.Sign(rand.Reader, digest[:], opts)
		if err != nil {
			panic(err)
		}
		return sig
	}
	key := k.Private.(*ecdsa.PrivateKey)
	size := (key.Params().BitSize + 7) / 8
	r, s, err := ecdsa.Sign(rand.Reader, key, k.digest(input))
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 2*size)
	r.FillBytes(sig[:size])
	s.FillBytes(sig[size:])
	return sig
}

func (k Key) digest(input string) []byte {
	var h hash.Hash
	switch k.Algorithm {
	case "ES384":
		h = sha512.New384()
	case "ES512":
		h = sha512.New()
	default:
		h = sha256.New()
	}
	h.Write([]byte(input))
	return h.Sum(nil)
}

// hmacOf signs with a secret as HS256, HS384 or HS512.
func hmacOf(algorithm string, secret []byte, header, payload string) string {
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	h := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[algorithm]
	mac := hmac.New(h, secret)
	mac.Write([]byte(input))
	return input + "." + b64.EncodeToString(mac.Sum(nil))
}

// order is the order of the base point of Ed25519 (RFC 8032 §5.1).
var order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// plusOrder adds the group order to the S of an Ed25519 signature, which gives
// a second spelling of the same signature to a verifier that does not check.
func plusOrder(sig []byte) []byte {
	out := append([]byte(nil), sig...)
	s := new(big.Int).Add(littleEndian(sig[32:]), order)
	b := s.FillBytes(make([]byte, 32))
	for i := range b {
		out[63-i] = b[i]
	}
	return out
}

func littleEndian(b []byte) *big.Int {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	return new(big.Int).SetBytes(r)
}
