package jose_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"sallyport/internal/token/jose"
)

func sig(token string) string { return parts(token)[2] }

// Group A: the algorithm and the signature.
func TestAlgorithmAttacks(t *testing.T) {
	t.Parallel()
	pair := good()
	body := claims(nil)
	none := func([]byte) []byte { return nil }
	keep := func([]byte) []byte { return []byte("x") }
	var list []attack
	add := func(name, token string, r jose.Reason) { list = append(list, attack{name, token, r}) }

	add("J001 none, no signature", raw(`{"alg":"none","kid":"k1","typ":"at+jwt"}`, body, none), jose.ReasonForm)
	add("J001 none, the old signature kept", enc([]byte(`{"alg":"none","kid":"k1","typ":"at+jwt"}`))+"."+parts(pair)[1]+"."+sig(pair), jose.ReasonAlgorithm)
	for _, alg := range []string{"None", "NONE", "nOnE", "none ", `\u006eone`, "ｎｏｎｅ", `none\u0000`, "es256", "ES256 ", `ES256\u0000`} {
		add("J002 "+alg, raw(`{"alg":"`+alg+`","kid":"k1","typ":"at+jwt"}`, body, keep), jose.ReasonAlgorithm)
	}
	for _, alg := range []string{`null`, `256`, `true`, `{}`, `["HS256"]`, `["ES256"]`} {
		add("J003 alg "+alg, raw(`{"alg":`+alg+`,"kid":"k1","typ":"at+jwt"}`, body, es(ecKey, crypto.SHA256)), jose.ReasonHeader)
	}
	add("J003 alg missing", raw(`{"kid":"k1","typ":"at+jwt"}`, body, es(ecKey, crypto.SHA256)), jose.ReasonAlgorithm)
	add("J003 alg empty", raw(`{"alg":"","kid":"k1","typ":"at+jwt"}`, body, es(ecKey, crypto.SHA256)), jose.ReasonAlgorithm)
	add("J003 alg of 10 KB", raw(`{"alg":"`+strings.Repeat("A", 10<<10)+`","kid":"k1","typ":"at+jwt"}`, body, keep), jose.ReasonSize)
	for _, alg := range []string{"XS256", "ES256K", "RS1", "HS1", "SHA256", "ES521", "RS256", "PS256", "ES384", "HS256", "A256GCM"} {
		add("J004 "+alg, raw(`{"alg":"`+alg+`","kid":"k1","typ":"at+jwt"}`, body, keep), jose.ReasonAlgorithm)
	}
	add("J009 signature stripped, dot kept", parts(pair)[0]+"."+parts(pair)[1]+".", jose.ReasonForm)
	second := raw(goodHeader, claims(map[string]any{"sub": "mallory"}), es(ecKey, crypto.SHA256))
	add("J010 signature of another token", parts(pair)[0]+"."+parts(pair)[1]+"."+sig(second), jose.ReasonSignature)
	add("J010 payload of another token", parts(pair)[0]+"."+parts(second)[1]+"."+sig(pair), jose.ReasonSignature)
	zero, one, n := make([]byte, 32), big.NewInt(1).FillBytes(make([]byte, 32)), elliptic.P256().Params().N
	for name, rs := range map[string][2][]byte{
		"zero zero": {zero, zero}, "zero one": {zero, one}, "one zero": {one, zero}, "one one": {one, one},
		"n-1 n-1": {new(big.Int).Sub(n, big.NewInt(1)).Bytes(), new(big.Int).Sub(n, big.NewInt(1)).Bytes()},
		"n n":     {n.Bytes(), n.Bytes()}, "n zero": {n.Bytes(), zero},
	} {
		add("J016 "+name, raw(goodHeader, body, func([]byte) []byte { return append(append([]byte{}, rs[0]...), rs[1]...) }), jose.ReasonSignature)
	}
	es256 := es(ecKey, crypto.SHA256)
	add("J017 DER", raw(goodHeader, body, func(b []byte) []byte { return derOf(es256(b)) }), jose.ReasonSignature)
	add("J017 one byte short", raw(goodHeader, body, func(b []byte) []byte { return es256(b)[:63] }), jose.ReasonSignature)
	add("J017 one byte more", raw(goodHeader, body, func(b []byte) []byte { return append(es256(b), 0) }), jose.ReasonSignature)
	add("J017 zero bytes before r and s", raw(goodHeader, body, func(b []byte) []byte {
		s := es256(b)
		return append(append([]byte{0}, s[:32]...), append([]byte{0}, s[32:]...)...)
	}), jose.ReasonSignature)
	add("J025 bad signature and expired: the signature comes first", parts(raw(goodHeader, claims(map[string]any{"exp": now.Unix() - 9, "iat": now.Unix() - 99}), es256))[0]+"."+
		parts(raw(goodHeader, claims(map[string]any{"exp": now.Unix() - 9, "iat": now.Unix() - 99}), es256))[1]+"."+sig(pair), jose.ReasonSignature)
	add("J025 good signature and expired", raw(goodHeader, claims(map[string]any{"exp": now.Unix() - 9, "iat": now.Unix() - 99}), es256), jose.ReasonExpired)
	run(t, profile(nil), pair, list)
}

// Each encoding of the public key, used as the secret of an HMAC.
func TestJ005PublicKeyAsSecret(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	spki := must(x509.MarshalPKIXPublicKey(&key.PublicKey))
	pkcs1 := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	jwk := keyOf("r1", jose.PS256, &key.PublicKey).AppendJWK(nil)
	secrets := map[string][]byte{
		"PEM": block("PUBLIC KEY", spki), "PEM without the newline": []byte(strings.TrimSpace(string(block("PUBLIC KEY", spki)))),
		"PKCS1": block("RSA PUBLIC KEY", pkcs1), "DER": spki, "JWK": jwk, "modulus": key.N.Bytes(),
		"certificate": block("CERTIFICATE", cert), "key set": fmt.Appendf(nil, `{"keys":[%s]}`, jwk),
	}
	v := profile(func(p *jose.Profile) {
		p.Algorithms = []jose.Algorithm{jose.PS256}
		p.Keys = setOf(keyOf("r1", jose.PS256, &key.PublicKey))
	})
	var list []attack
	for name, s := range secrets {
		list = append(list, attack{name, raw(`{"alg":"HS256","kid":"r1","typ":"at+jwt"}`, claims(nil), hs(s)), jose.ReasonAlgorithm})
	}
	run(t, v, raw(`{"alg":"PS256","kid":"r1","typ":"at+jwt"}`, claims(nil), ps(key, crypto.SHA256, 32)), list)
	t.Run("a profile cannot even mix them", func(t *testing.T) {
		t.Parallel()
		_, err := jose.NewVerifier(jose.Profile{
			Purpose: "x", Types: []string{"JWT"}, Algorithms: []jose.Algorithm{jose.HS256, jose.RS256}, Keys: setOf(),
			Issuer: jose.Any(), Audience: jose.Any(), MaxAge: 1e9, Now: clock,
		})
		if err == nil {
			t.Error("HMAC and RSA in one profile are accepted")
		}
	})
}

// One key, one algorithm, whatever the header says.
func TestKeysAndAlgorithmsDoNotMix(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	many := []jose.Algorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256, jose.RS512}
	v := profile(func(p *jose.Profile) {
		p.Algorithms = many
		p.Keys = setOf(
			keyOf("ps", jose.PS256, &key.PublicKey), keyOf("rs", jose.RS256, &key.PublicKey), keyOf("bare", "", &key.PublicKey),
			keyOf("ec", "", &ecKey.PublicKey), keyOf("ed", jose.EdDSA, edK.Public()),
		)
	})
	head := func(alg, kid string) string { return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, alg, kid) }
	body := claims(nil)
	for _, ok := range []string{
		raw(head("PS256", "ps"), body, ps(key, crypto.SHA256, 32)), raw(head("RS256", "rs"), body, rs(key, crypto.SHA256)),
		raw(head("ES256", "ec"), body, es(ecKey, crypto.SHA256)), raw(head("EdDSA", "ed"), body, ed(edK)),
	} {
		if _, err := v.Verify(context.Background(), ok); err != nil {
			t.Fatalf("the pair: %v", err)
		}
	}
	run(t, v, raw(head("EdDSA", "ed"), body, ed(edK)), []attack{
		{"J006 an RSA key that does not say its algorithm", raw(head("RS256", "bare"), body, rs(key, crypto.SHA256)), jose.ReasonKey},
		{"J007 RS256 key as PS256", raw(head("PS256", "rs"), body, ps(key, crypto.SHA256, 32)), jose.ReasonKey},
		{"J007 PS256 key as RS256", raw(head("RS256", "ps"), body, rs(key, crypto.SHA256)), jose.ReasonKey},
		{"J007 RS512 with an RS256 key", raw(head("RS512", "rs"), body, rs(key, crypto.SHA512)), jose.ReasonKey},
		{"J008 ES256 with an RSA key", raw(head("ES256", "ps"), body, es(ecKey, crypto.SHA256)), jose.ReasonKey},
		{"J008 ES384 with a P-256 key", raw(head("ES384", "ec"), body, es(ec384, crypto.SHA384)), jose.ReasonKey},
		{"J008 EdDSA with an EC key", raw(head("EdDSA", "ec"), body, ed(edK)), jose.ReasonKey},
		{"J008 an OKP key as HMAC", raw(head("HS256", "ed"), body, hs(edK.Public().(ed25519.PublicKey))), jose.ReasonAlgorithm},
		{"J014 PSS without salt", raw(head("PS256", "ps"), body, ps(key, crypto.SHA256, 0)), jose.ReasonSignature},
		{"J014 PSS with a salt of 20 bytes", raw(head("PS256", "ps"), body, ps(key, crypto.SHA256, 20)), jose.ReasonSignature},
		{"J015 PSS with SHA-384 inside", raw(head("PS256", "ps"), body, ps(key, crypto.SHA384, 32)), jose.ReasonSignature},
		{"J013 signature zero", raw(head("PS256", "ps"), body, func([]byte) []byte { return make([]byte, 256) }), jose.ReasonSignature},
		{"J013 signature one byte short", raw(head("RS256", "rs"), body, func(b []byte) []byte { return rs(key, crypto.SHA256)(b)[:255] }), jose.ReasonSignature},
		{"J013 signature plus n", raw(head("RS256", "rs"), body, func(b []byte) []byte {
			return new(big.Int).Add(new(big.Int).SetBytes(rs(key, crypto.SHA256)(b)), key.N).Bytes()
		}), jose.ReasonSignature},
		{"J013 zero byte before", raw(head("RS256", "rs"), body, func(b []byte) []byte { return append([]byte{0}, rs(key, crypto.SHA256)(b)...) }), jose.ReasonSignature},
	})
}

// Every bit counts.
func TestJ011EveryBitFlip(t *testing.T) {
	t.Parallel()
	v, token := profile(nil), []byte(good())
	if _, err := v.Verify(context.Background(), string(token)); err != nil {
		t.Fatal(err)
	}
	for i := range token {
		for bit := range 8 {
			token[i] ^= 1 << bit
			if c, err := v.Verify(context.Background(), string(token)); err == nil {
				t.Fatalf("byte %d bit %d flipped is accepted: %v", i, bit, c)
			}
			token[i] ^= 1 << bit
		}
	}
}

// The other form of an ECDSA signature is valid: that is why nothing may be
// keyed on the token's bytes. jti and claims are the same for both.
func TestJ018MalleabilityChangesNoClaim(t *testing.T) {
	t.Parallel()
	n := elliptic.P256().Params().N
	var first string
	body := claims(nil)
	second := raw(goodHeader, body, func(b []byte) []byte {
		s := es(ecKey, crypto.SHA256)(b)
		first = enc(b[:0]) + string(b) + "." + enc(s)
		flipped := new(big.Int).Sub(n, new(big.Int).SetBytes(s[32:]))
		return append(append([]byte{}, s[:32]...), flipped.FillBytes(make([]byte, 32))...)
	})
	a, err1 := profile(nil).Verify(context.Background(), first)
	b, err2 := profile(nil).Verify(context.Background(), second)
	if err1 != nil || err2 != nil || a.ID != b.ID || string(a.JSON()) != string(b.JSON()) || first == second {
		t.Errorf("%v, %v: the two forms are no longer the same claims", err1, err2)
	}
}

// With a key of small order one signature fits every message.
func TestJ019SmallOrderAndSecondSpellings(t *testing.T) {
	t.Parallel()
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	encode := func(y *big.Int, sign byte) []byte {
		b := y.FillBytes(make([]byte, 32))
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		b[31] |= sign << 7
		return b
	}
	known := "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
	y8, _ := new(big.Int).SetString(known, 16)
	rev := y8.FillBytes(make([]byte, 32))
	for i := range 16 {
		rev[i], rev[31-i] = rev[31-i], rev[i]
	}
	eight := new(big.Int).SetBytes(rev)
	bad := map[string]*big.Int{
		"identity": big.NewInt(1), "order 2": new(big.Int).Sub(p, big.NewInt(1)), "order 4": big.NewInt(0),
		"order 8": eight, "order 8, the other": new(big.Int).Sub(p, eight), "p": p, "p+1": new(big.Int).Add(p, big.NewInt(1)),
		"p+18": new(big.Int).Add(p, big.NewInt(18)),
	}
	for name, y := range bad {
		for _, sign := range []byte{0, 1} {
			x := encode(y, sign)
			if _, err := jose.ParseKey(fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","x":%q}`, enc(x))); err == nil {
				t.Errorf("%s, sign %d: the key is accepted", name, sign)
			}
			if _, err := jose.NewKey("k", jose.EdDSA, "sig", ed25519.PublicKey(x)); err == nil {
				t.Errorf("%s, sign %d: NewKey accepts it", name, sign)
			}
		}
	}
	if _, err := jose.ParseKey(fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","x":%q}`, enc(edK.Public().(ed25519.PublicKey)))); err != nil {
		t.Errorf("the pair, a sound key: %v", err)
	}
	// The attack itself, which Go's own verification lets through.
	identity := encode(big.NewInt(1), 0)
	if !ed25519.Verify(identity, []byte("any message"), append(encode(big.NewInt(1), 0), make([]byte, 32)...)) {
		t.Log("this Go refuses the identity by itself")
	}
}

func TestKY03J020J134WeakAndHugeRSAKeys(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	small := func(bits int) *big.Int {
		p := must(rand.Prime(rand.Reader, bits/2))
		return new(big.Int).Mul(p, must(rand.Prime(rand.Reader, bits/2)))
	}
	prime := key.Primes[0]
	next := new(big.Int).Add(prime, big.NewInt(2))
	for !next.ProbablyPrime(20) {
		next.Add(next, big.NewInt(2))
	}
	bad := map[string]*rsa.PublicKey{
		"512 bits":     {N: small(512), E: 65537},
		"768 bits":     {N: small(768), E: 65537},
		"1024 bits":    {N: small(1024), E: 65537},
		"2047 bits":    {N: new(big.Int).SetBit(new(big.Int).Rsh(key.N, 1), 0, 1), E: 65537},
		"8192 bits":    {N: new(big.Int).SetBit(new(big.Int).Lsh(key.N, 6144), 0, 1), E: 65537},
		"16384 bits":   {N: new(big.Int).SetBit(new(big.Int).Lsh(key.N, 14336), 0, 1), E: 65537},
		"e = 1":        {N: key.N, E: 1},
		"e = 3":        {N: key.N, E: 3},
		"e even":       {N: key.N, E: 65536},
		"e huge":       {N: key.N, E: 1<<31 - 1},
		"even modulus": {N: new(big.Int).SetBit(key.N, 0, 0), E: 65537},
		"factor 751":   {N: new(big.Int).Mul(new(big.Int).SetBit(new(big.Int).Rsh(key.N, 9), 0, 1), big.NewInt(751)), E: 65537},
		"close primes": {N: new(big.Int).Mul(prime, next), E: 65537},
		"equal primes": {N: new(big.Int).Mul(prime, prime), E: 65537},
	}
	for name, k := range bad {
		if _, err := jose.NewKey("k", jose.PS256, "sig", k); err == nil {
			t.Errorf("%s: accepted", name)
		}
		jwk := fmt.Sprintf(`{"kty":"RSA","alg":"PS256","n":%q,"e":%q}`, enc(k.N.Bytes()), enc(big.NewInt(int64(k.E)).Bytes()))
		if _, err := jose.ParseKey([]byte(jwk)); err == nil {
			t.Errorf("%s: accepted as a JWK", name)
		}
	}
	if _, err := jose.NewKey("k", jose.PS256, "sig", &key.PublicKey); err != nil {
		t.Errorf("the pair, a sound key: %v", err)
	}
}

func TestKY04J021ShortSecrets(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "x", "secret", "your-256-bit-secret", strings.Repeat("k", 31)} {
		if _, err := jose.NewSecretKey("k", jose.HS256, []byte(s)); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	if _, err := jose.NewSecretKey("k", jose.HS512, make([]byte, 63)); err == nil {
		t.Error("63 bytes are accepted for HS512")
	}
	key := must(jose.NewSecretKey("k", jose.HS256, []byte(strings.Repeat("k", 32))))
	v := profile(func(p *jose.Profile) { p.Algorithms, p.Keys = []jose.Algorithm{jose.HS256}, setOf(key) })
	if _, err := v.Verify(context.Background(), raw(`{"alg":"HS256","kid":"k","typ":"at+jwt"}`, claims(nil), hs([]byte(strings.Repeat("k", 32))))); err != nil {
		t.Errorf("the pair: %v", err)
	}
}

// What is verified is what is read: the claims come from the very bytes under
// the signature.
func TestJ028VerifiedBytesAreReadBytes(t *testing.T) {
	t.Parallel()
	token := good()
	c := must(profile(nil).Verify(context.Background(), token))
	if enc(c.JSON()) != parts(token)[1] {
		t.Error("the claims were written anew")
	}
}
