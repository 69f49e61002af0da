package jose_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	josecipher "github.com/go-jose/go-jose/v4/cipher"

	"sallyport/internal/token/jose"
)

// envelopes is what the tests of encrypted tokens share: a recipient with two
// keys, and an issuer whose tokens it wants.
type envelopes struct {
	t         testing.TB
	ec        *ecdsa.PrivateKey
	rsa       *rsa.PrivateKey
	issuer    *ecdsa.PrivateKey
	decrypter *jose.Decrypter
	verifier  *jose.Verifier
}

const envelopePurpose = "request object"

func newEnvelopes(t testing.TB) *envelopes {
	t.Helper()
	e := &envelopes{t: t}
	var err error
	if e.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if e.issuer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if e.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	e.decrypter, err = jose.NewDecrypter(jose.DecrypterOptions{
		Purpose: envelopePurpose, Encryptions: []jose.Encryption{jose.A256GCM, jose.A128CBCHS256},
		Keys: []jose.DecryptionKey{
			{ID: "ec", Algorithm: jose.ECDHES, Private: e.ec},
			{ID: "rsa", Algorithm: jose.RSAOAEP256, Private: e.rsa},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := jose.NewKey("issuer", jose.ES256, "sig", e.issuer.Public())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jose.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	e.verifier, err = jose.NewVerifier(jose.Profile{
		Purpose: envelopePurpose, Types: []string{"test+jwt"}, Algorithms: []jose.Algorithm{jose.ES256}, Keys: keys,
		Issuer: jose.Exactly("https://app.example"), Audience: jose.Exactly("https://auth.example"),
		MaxLife: 5 * time.Minute, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *envelopes) claims(extra string) string {
	now := time.Now().Unix()
	return fmt.Sprintf(`{"iss":"https://app.example","aud":"https://auth.example","sub":"u1","iat":%d,"exp":%d%s}`, now, now+60, extra)
}

// sign returns a JWS over claims, with typ.
func (e *envelopes) sign(typ, claims string) string {
	e.t.Helper()
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.ES256, Key: gojose.JSONWebKey{Key: e.issuer, KeyID: "issuer"}},
		(&gojose.SignerOptions{}).WithType(gojose.ContentType(typ)))
	if err != nil {
		e.t.Fatal(err)
	}
	object, err := signer.Sign([]byte(claims))
	if err != nil {
		e.t.Fatal(err)
	}
	compact, err := object.CompactSerialize()
	if err != nil {
		e.t.Fatal(err)
	}
	return compact
}

func (e *envelopes) good() string { return e.sign("test+jwt", e.claims("")) }

// seal encrypts by ECDH-ES and A256GCM under a header of any kind: what stands
// in members comes behind alg, enc and epk.
func (e *envelopes) seal(members, plain string) string {
	return e.sealRaw(`{"alg":"ECDH-ES","enc":"A256GCM","epk":EPK`+members+`}`, plain)
}

func (e *envelopes) sealRaw(header, plain string) string {
	e.t.Helper()
	ephemeral, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		e.t.Fatal(err)
	}
	epk := gojose.JSONWebKey{Key: ephemeral.Public()}
	text, err := epk.MarshalJSON()
	if err != nil {
		e.t.Fatal(err)
	}
	header = strings.ReplaceAll(header, "EPK", string(text))
	cek := josecipher.DeriveECDHES("A256GCM", nil, nil, ephemeral, &e.ec.PublicKey, 32)
	block, err := aes.NewCipher(cek)
	if err != nil {
		e.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		e.t.Fatal(err)
	}
	protected, iv := b64text(header), make([]byte, 12)
	out := gcm.Seal(nil, iv, []byte(plain), []byte(protected))
	n := len(out) - 16
	return strings.Join([]string{protected, "", b64text(string(iv)), b64text(string(out[:n])), b64text(string(out[n:]))}, ".")
}

func b64text(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const nestedHeader = `,"kid":"ec","cty":"JWT"`

func (e *envelopes) verify(compact string) (*jose.Claims, error) {
	return e.decrypter.Verify(context.Background(), compact, e.verifier)
}

// refused fails unless compact is refused for reason, in words that say
// nothing of what was inside.
func (e *envelopes) refused(t *testing.T, compact string, reason jose.Reason) {
	t.Helper()
	claims, err := e.verify(compact)
	if claims != nil || !errors.Is(err, jose.ErrInvalid) {
		t.Fatalf("got %v, %v: want a refusal of %.120s", claims, err, compact)
	}
	if got := jose.ReasonOf(err); got != reason {
		t.Errorf("got the reason %q, want %q", got, reason)
	}
}

func TestANestedTokenPasses(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	inner := e.good()
	for _, header := range []string{
		nestedHeader, `,"kid":"ec","cty":"application/jwt"`, `,"kid":"ec","cty":"jwt","typ":"JWE"`,
		`,"kid":"ec","cty":"JWT","unknown":{"a":[1]}`, `,"kid":"ec","cty":"JWT","apu":"","apv":""`,
		`,"kid":"ec","cty":"JWT","iss":"https://app.example","sub":"u1","aud":"https://auth.example"`,
	} {
		c, err := e.verify(e.seal(header, inner))
		if err != nil || c.Subject != "u1" {
			t.Errorf("%s: got %v, %v", header, c, err)
		}
	}
}

func TestJWEAttacks(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	good := e.seal(nestedHeader, e.good())
	if _, err := e.verify(good); err != nil {
		t.Fatalf("the same token, not attacked: %v", err)
	}
	part := func(n int, change func([]byte) []byte) string {
		parts := strings.Split(good, ".")
		raw, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil {
			t.Fatal(err)
		}
		parts[n] = b64text(string(change(raw)))
		return strings.Join(parts, ".")
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	flip := func(b []byte) []byte { b[0] ^= 1; return b }
	long := func(b []byte) []byte { return append(b, 0) }
	var bomb bytes.Buffer
	w, _ := flate.NewWriter(&bomb, 9)
	_, _ = w.Write(make([]byte, 1<<20))
	_ = w.Close()
	unsigned := b64text(`{"alg":"none"}`) + "." + b64text(e.claims("")) + "."
	deep := e.good()
	for range 2 {
		deep = e.seal(nestedHeader, deep)
	}
	for _, c := range []struct {
		name    string
		compact string
		reason  jose.Reason
	}{
		{"J110 a JWS where a JWE is expected", e.good(), jose.ReasonForm},
		{"J111 around an unsigned JWT", e.seal(nestedHeader, unsigned), jose.ReasonForm},
		{"J111 around raw claims", e.seal(nestedHeader, `{"sub":"admin"}`), jose.ReasonNested},
		{"J111 around claims with two dots", e.seal(nestedHeader, `{"sub":"..admin"}`), jose.ReasonEncoding},
		{"J111 around nothing", e.seal(nestedHeader, ""), jose.ReasonDecrypt},
		{"J112 RSA1_5 for a key of RSA-OAEP-256", e.sealRaw(`{"alg":"RSA1_5","enc":"A256GCM","kid":"rsa","cty":"JWT"}`, "a.b.c"), jose.ReasonAlgorithm},
		{"J112 RSA-OAEP with SHA-1", e.sealRaw(`{"alg":"RSA-OAEP","enc":"A256GCM","kid":"rsa","cty":"JWT"}`, "a.b.c"), jose.ReasonAlgorithm},
		{"J113 dir", e.sealRaw(`{"alg":"dir","enc":"A256GCM","kid":"ec","cty":"JWT"}`, e.good()), jose.ReasonAlgorithm},
		{"J113 A128KW", e.sealRaw(`{"alg":"A128KW","enc":"A256GCM","kid":"ec","cty":"JWT"}`, e.good()), jose.ReasonAlgorithm},
		{"J113 A256GCMKW", e.sealRaw(`{"alg":"A256GCMKW","enc":"A256GCM","kid":"ec","cty":"JWT","iv":"","tag":""}`, e.good()), jose.ReasonAlgorithm},
		{"J113 another algorithm than the key's", e.sealRaw(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":EPK,"kid":"ec","cty":"JWT"}`, e.good()), jose.ReasonAlgorithm},
		{"J113 none", e.sealRaw(`{"alg":"none","enc":"A256GCM","kid":"ec","cty":"JWT"}`, e.good()), jose.ReasonAlgorithm},
		{"J113 enc that this purpose does not take", e.sealRaw(`{"alg":"ECDH-ES","enc":"A128GCM","epk":EPK,"kid":"ec","cty":"JWT"}`, e.good()), jose.ReasonAlgorithm},
		{"J114 no epk", e.sealRaw(`{"alg":"ECDH-ES","enc":"A256GCM","kid":"ec","cty":"JWT"}`, e.good()), jose.ReasonEphemeral},
		{"J114 epk off the curve", e.epk(`{"kty":"EC","crv":"P-256","x":"` + coordinate(1) + `","y":"` + coordinate(1) + `"}`), jose.ReasonEphemeral},
		{"J114 epk at infinity", e.epk(`{"kty":"EC","crv":"P-256","x":"` + coordinate(0) + `","y":"` + coordinate(0) + `"}`), jose.ReasonEphemeral},
		{"J114 epk of another curve", e.epk(otherCurve(t)), jose.ReasonEphemeral},
		{"J114 epk that names another curve", e.epk(`{"kty":"EC","crv":"P-384","x":"` + coordinate(1) + `","y":"` + coordinate(1) + `"}`), jose.ReasonEphemeral},
		{"J114 epk with a private part", e.epk(privateEPK(t)), jose.ReasonEphemeral},
		{"J114 epk of kty OKP", e.epk(`{"kty":"OKP","crv":"X25519","x":"` + coordinate(9) + `"}`), jose.ReasonEphemeral},
		{"J114 epk that is no object", e.epk(`"x"`), jose.ReasonEphemeral},
		{"J115 zip with a bomb", e.seal(nestedHeader+`,"zip":"DEF"`, bomb.String()), jose.ReasonCompressed},
		{"J115 zip around the good token", e.seal(nestedHeader+`,"zip":"DEF"`, e.good()), jose.ReasonCompressed},
		{"J115 zip of an unknown kind", e.seal(nestedHeader+`,"zip":""`, e.good()), jose.ReasonCompressed},
		{"J116 PBES2 with 2^31 rounds", e.sealRaw(`{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":2147483648,"p2s":"AAAA","kid":"ec","cty":"JWT"}`, e.good()), jose.ReasonAlgorithm},
		{"J116 p2c beside ECDH-ES", e.seal(nestedHeader+`,"p2c":1`, e.good()), jose.ReasonAlgorithm},
		{"J117 tag cut by 1 byte", part(4, cut(1)), jose.ReasonDecrypt},
		{"J117 tag cut by 4 bytes", part(4, cut(4)), jose.ReasonDecrypt},
		{"J117 tag cut by 8 bytes", part(4, cut(8)), jose.ReasonDecrypt},
		{"J117 no tag", part(4, cut(16)), jose.ReasonDecrypt},
		{"J117 tag extended", part(4, long), jose.ReasonDecrypt},
		{"J117 tag changed", part(4, flip), jose.ReasonDecrypt},
		{"J117 IV cut", part(2, cut(1)), jose.ReasonDecrypt},
		{"J117 IV extended", part(2, long), jose.ReasonDecrypt},
		{"J117 IV changed", part(2, flip), jose.ReasonDecrypt},
		{"J117 ciphertext changed (T062)", part(3, flip), jose.ReasonDecrypt},
		{"J117 ciphertext cut", part(3, cut(1)), jose.ReasonDecrypt},
		{"J118 a header that makes the AAD long", e.seal(nestedHeader+`,"x":"`+strings.Repeat("a", 2100)+`"`, e.good()), jose.ReasonSize},
		{"J119 an encrypted key where none belongs", part(1, long), jose.ReasonDecrypt},
		{"J119 no encrypted key for RSA", e.sealRaw(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"rsa","cty":"JWT"}`, e.good()), jose.ReasonDecrypt},
		{"J120 general JSON serialization", `{"protected":"e30","recipients":[{"encrypted_key":""}],"iv":"","ciphertext":"","tag":""}`, jose.ReasonForm},
		{"J120 JSON with four dots", `{"a":"...."}`, jose.ReasonEncoding},
		{"J120 six parts", good + ".", jose.ReasonForm},
		{"J122 no kid where there are two keys", e.seal(`,"cty":"JWT"`, e.good()), jose.ReasonKeyID},
		{"J122 kid of the other key", e.seal(`,"kid":"rsa","cty":"JWT"`, e.good()), jose.ReasonAlgorithm},
		{"J122 kid of no key", e.seal(`,"kid":"nobody","cty":"JWT"`, e.good()), jose.ReasonKeyID},
		{"J122 empty kid", e.seal(`,"kid":"","cty":"JWT"`, e.good()), jose.ReasonKeyID},
		{"J123 another typ inside", e.seal(nestedHeader, e.sign("JWT", e.claims(""))), jose.ReasonType},
		{"J123 another iss inside", e.seal(nestedHeader, e.sign("test+jwt", strings.Replace(e.claims(""), "app.example", "evil.example", 1))), jose.ReasonIssuer},
		{"J123 another aud inside", e.seal(nestedHeader, e.sign("test+jwt", strings.Replace(e.claims(""), "auth.example", "else.example", 1))), jose.ReasonAudience},
		{"J068 iss in the header differs", e.seal(nestedHeader+`,"iss":"https://evil.example"`, e.good()), jose.ReasonReplicated},
		{"J068 sub in the header alone", e.seal(nestedHeader+`,"jti":"1"`, e.good()), jose.ReasonReplicated},
		{"J068 aud in the header has more", e.seal(nestedHeader+`,"aud":["https://auth.example","x"]`, e.good()), jose.ReasonReplicated},
		{"J070 a JWE in a JWE", deep, jose.ReasonNested},
		{"J070 no cty", e.seal(`,"kid":"ec"`, e.good()), jose.ReasonNested},
		{"J070 another cty", e.seal(`,"kid":"ec","cty":"json"`, e.good()), jose.ReasonNested},
		{"J030 jwk in the header", e.seal(nestedHeader+`,"jwk":{"kty":"EC"}`, e.good()), jose.ReasonHeaderKey},
		{"J031 jku in the header", e.seal(nestedHeader+`,"jku":"https://evil.example/jwks"`, e.good()), jose.ReasonHeaderKey},
		{"J032 x5u in the header", e.seal(nestedHeader+`,"x5u":"https://evil.example/c"`, e.good()), jose.ReasonHeaderKey},
		{"crit", e.seal(nestedHeader+`,"crit":["exp"]`, e.good()), jose.ReasonCritical},
		{"two alg", e.seal(nestedHeader+`,"alg":"ECDH-ES"`, e.good()), jose.ReasonHeader},
		{"Alg", e.sealRaw(`{"Alg":"ECDH-ES","enc":"A256GCM","epk":EPK,"kid":"ec","cty":"JWT"}`, e.good()), jose.ReasonAlgorithm},
		{"kid that is a number", e.seal(`,"kid":1,"cty":"JWT"`, e.good()), jose.ReasonHeader},
		{"line break in a part", strings.Replace(good, "..", ".\n.", 1), jose.ReasonEncoding},
		{"longer than 16 KiB", e.seal(nestedHeader, strings.Repeat("a", 13<<10)), jose.ReasonSize},
		{"nothing", "", jose.ReasonForm},
		{"dots alone", "....", jose.ReasonHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e.refused(t, c.compact, c.reason)
		})
	}
}

// epk seals the good token under a header with this ephemeral key.
func (e *envelopes) epk(jwk string) string {
	return e.sealRaw(`{"alg":"ECDH-ES","enc":"A256GCM","epk":`+jwk+nestedHeader+`}`, e.good())
}

func coordinate(last byte) string {
	b := make([]byte, 32)
	b[31] = last
	return b64text(string(b))
}

func jwkOf(t testing.TB, key any) string {
	t.Helper()
	b, err := (&gojose.JSONWebKey{Key: key}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func otherCurve(t testing.TB) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jwkOf(t, k.Public())
}

func privateEPK(t testing.TB) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jwkOf(t, k)
}
