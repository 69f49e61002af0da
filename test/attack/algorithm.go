package attack

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// algorithmGroups are the attacks on algorithm and signature.
var algorithmGroups = []group{
	{"J001", "alg none", attackNone},
	{"J002", "spellings of none", attackNoneSpelling},
	{"J003", "alg that is no name", attackAlgKind},
	{"J004", "unknown and deprecated alg", attackAlgUnknown},
	{"J005", "public key as HMAC secret", attackConfusion},
	{"J007", "another algorithm of RSA", attackRSA},
	{"J008", "alg and key of another family", attackFamily},
	{"J009", "no signature", attackNullSignature},
	{"J010", "splices of valid tokens", attackSplice},
	{"J011", "bits flipped", attackBits},
	{"J016", "signatures that need no key", attackPsychic},
	{"J017", "other forms of a signature", attackForms},
	{"J019", "second spelling of a signature", attackPlusOrder},
	{"J021", "guessable HMAC secrets", attackWeakSecrets},
	{"J025", "signature bad and expired", attackTwoFaults},
}

// unsigned is header and payload with whatever stands for a signature.
func unsigned(header, payload fmt.Stringer, sig string) string {
	return b64.EncodeToString([]byte(header.String())) + "." + b64.EncodeToString([]byte(payload.String())) + "." + sig
}

func signatureOf(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }

func attackNone(m *maker) {
	h, c := m.header().with("alg", `"none"`), m.claims()
	m.bad("empty signature", unsigned(h, c, ""))
	m.bad("old signature kept", unsigned(h, c, signatureOf(m.sign(m.header(), c))))
	m.bad("signed all the same", m.sign(h, c))
	m.bad("no kid", unsigned(h.without("kid"), c, ""))
	m.bad("no second dot", strings.TrimSuffix(unsigned(h, c, ""), "."))
}

func attackNoneSpelling(m *maker) {
	for _, alg := range []string{"None", "NONE", "nOnE", "none ", " none", `\u006eone`, "\uff4eone", `none\u0000`, `none\n`, "no\u0000ne"} {
		h := m.header().with("alg", `"`+strings.ReplaceAll(alg, "\x00", `\u0000`)+`"`)
		m.bad(fmt.Sprintf("%q", alg), unsigned(h, m.claims(), ""))
		m.bad(fmt.Sprintf("%q, signed", alg), m.sign(h, m.claims()))
	}
}

func attackAlgKind(m *maker) {
	m.bad("missing", m.sign(m.header().without("alg"), m.claims()))
	alg := quote(m.t.Key.Algorithm)
	for _, v := range []string{"null", "0", "true", "false", `""`, "{}", "[]", "[" + alg + "]", `{"alg":` + alg + `}`, `["none"]`} {
		m.bad(v, m.sign(m.header().with("alg", v), m.claims()))
	}
	m.bad("1.5 KB", m.sign(m.header().with("alg", quote(strings.Repeat("A", 1500))), m.claims()))
}

func attackAlgUnknown(m *maker) {
	for _, v := range []string{
		"XS256", "ES256K", "RS1", "HS1", "SHA256", "Ed448", "EdDSA25519", strings.ToLower(m.t.Key.Algorithm), m.t.Key.Algorithm + " ",
		"ES521", "dir", "RSA-OAEP", "A256GCM", "https://www.w3.org/2001/04/xmldsig-more#eddsa-ed25519",
	} {
		m.bad(v, m.sign(m.header().with("alg", quote(v)), m.claims()))
	}
}

// publicTexts are the spellings in which an attacker may know a public key.
func (m *maker) publicTexts() map[string][]byte {
	public := m.t.Key.Private.Public()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	raw := rawPublic(m.t.Key)
	return map[string][]byte{
		"PEM": block, "PEM without newline": []byte(strings.TrimSpace(string(block))), "DER": der,
		"PKCS#1 label": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der}),
		"JWK":          []byte(m.t.Key.JWK()), "raw": raw, "base64url of raw": []byte(b64.EncodeToString(raw)),
		"certificate": certificate(m.t.Key), "JWKS URL": []byte(m.t.JWKSURL), "JWK Set": Set(m.t.Key.JWK()),
	}
}

func rawPublic(k Key) []byte {
	switch p := k.Private.Public().(type) {
	case ed25519.PublicKey:
		return p
	case *ecdsa.PublicKey:
		if b, err := p.Bytes(); err == nil {
			return b
		}
	}
	return []byte(k.JWK())
}

func certificate(k Key) []byte {
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "attack"}, NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, k.Private.Public(), k.Private)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func attackConfusion(m *maker) {
	texts := m.publicTexts()
	for _, name := range []string{
		"PEM", "PEM without newline", "DER", "PKCS#1 label", "JWK", "raw", "base64url of raw", "certificate", "JWKS URL", "JWK Set",
	} {
		for _, alg := range []string{"HS256", "HS512"} {
			h := m.header().with("alg", quote(alg))
			m.bad(alg+" with "+name, hmacOf(alg, texts[name], h.String(), m.claims().String()))
		}
	}
	raw := texts["raw"]
	m.bad("HMAC under the right alg", hmacOf("HS256", raw, m.header().String(), m.claims().String()))
	m.bad("HS256 without kid", hmacOf("HS256", raw, m.header().with("alg", `"HS256"`).without("kid").String(), m.claims().String()))
}

var otherRSA, otherES256, otherES384, otherEdDSA = NewKey("RS256", "r"), NewKey("ES256", "e"), NewKey("ES384", "f"), NewKey("EdDSA", "d")

func attackRSA(m *maker) {
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		h := m.header().with("alg", quote(alg))
		m.bad(alg+" by an RSA key, kid of ours", otherRSA.compact(h.String(), m.claims().String()))
		m.bad(alg+" in the header, our signature", m.sign(h, m.claims()))
	}
}

func attackFamily(m *maker) {
	for _, k := range []Key{otherRSA, otherES256, otherES384, otherEdDSA} {
		m.bad("key of another "+k.Algorithm+", its alg", k.compact(m.header().with("alg", quote(k.Algorithm)).String(), m.claims().String()))
		m.bad("key of another "+k.Algorithm+", our alg", k.compact(m.header().String(), m.claims().String()))
	}
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA", "Ed448", "Ed25519ph"} {
		if alg != m.t.Key.Algorithm {
			m.bad("our key under "+alg, m.sign(m.header().with("alg", quote(alg)), m.claims()))
		}
	}
}

func attackNullSignature(m *maker) {
	h, c := m.header(), m.claims()
	m.bad("empty", unsigned(h, c, ""))
	m.bad("one zero byte", unsigned(h, c, "AA"))
	m.bad("null", unsigned(h, c, "bnVsbA"))
	m.bad("cut by one byte", unsigned(h, c, b64.EncodeToString(m.t.Key.signature(strings.TrimSuffix(unsigned(h, c, ""), "."))[:63])))
}

func attackSplice(m *maker) {
	a := strings.Split(m.sign(m.header(), m.claims()), ".")
	b := strings.Split(m.sign(m.header(), m.claims().with("sub", `"client:admin"`)), ".")
	f := strings.Split(m.t.Foreign.compact(m.header().with("kid", `"f"`).String(), m.claims().String()), ".")
	join := func(p ...string) string { return strings.Join(p, ".") }
	m.bad("signature of another valid token", join(a[0], a[1], b[2]))
	m.bad("payload of another valid token", join(a[0], b[1], a[2]))
	m.bad("header of another token", join(f[0], a[1], a[2]))
	m.bad("parts in another order", join(a[1], a[0], a[2]))
	m.bad("header twice", join(a[0], a[0], a[2]))
	m.bad("signature in front", join(a[2], a[0], a[1]))
}

func attackBits(m *maker) {
	parts := strings.Split(m.sign(m.header(), m.claims()), ".")
	for p, name := range []string{"header", "payload", "signature"} {
		raw, err := b64.DecodeString(parts[p])
		if err != nil {
			panic(err)
		}
		const samples = 12
		for i := range samples {
			bit := i * len(raw) * 8 / samples
			flipped := append([]byte(nil), raw...)
			flipped[bit/8] ^= 1 << (bit % 8)
			q := append([]string(nil), parts...)
			q[p] = b64.EncodeToString(flipped)
			m.bad(fmt.Sprintf("%s bit %d", name, bit), strings.Join(q, "."))
		}
	}
}

func attackPsychic(m *maker) {
	h, c := m.header(), m.claims()
	put := func(name string, sig []byte) { m.bad(name, unsigned(h, c, b64.EncodeToString(sig))) }
	zero, one, full := make([]byte, 32), append(make([]byte, 31), 1), []byte(strings.Repeat("\xff", 32))
	for _, s := range []struct {
		name string
		r, s []byte
	}{{"0, 0", zero, zero}, {"1, 0", one, zero}, {"0, 1", zero, one}, {"1, 1", one, one}, {"all ones", full, full}} {
		put("r and s "+s.name, append(append([]byte(nil), s.r...), s.s...))
	}
	identity := append([]byte{1}, make([]byte, 63)...) // R is the neutral point, S is 0
	put("neutral point and 0", identity)
	if key, ok := m.t.Key.Private.(*ecdsa.PrivateKey); ok {
		n := key.Params().N
		put("r and s n", append(n.Bytes(), n.Bytes()...))
		put("r and s n-1", append(new(big.Int).Sub(n, big.NewInt(1)).Bytes(), new(big.Int).Sub(n, big.NewInt(1)).Bytes()...))
	}
}

func attackForms(m *maker) {
	h, c := m.header(), m.claims()
	sig := m.t.Key.signature(strings.TrimSuffix(unsigned(h, c, ""), "."))
	put := func(name string, sig []byte) { m.bad(name, unsigned(h, c, b64.EncodeToString(sig))) }
	put("a zero byte behind", append(append([]byte(nil), sig...), 0))
	put("a zero byte before", append([]byte{0}, sig...))
	put("twice", append(append([]byte(nil), sig...), sig...))
	put("halves swapped", append(append([]byte(nil), sig[32:]...), sig[:32]...))
	put("zero bytes in both halves", append(append(append([]byte{0}, sig[:32]...), 0), sig[32:]...))
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		panic(err)
	}
	put("ASN.1", der)
	put("hexadecimal", fmt.Appendf(nil, "%x", sig))
	m.bad("encoded twice", unsigned(h, c, b64.EncodeToString([]byte(b64.EncodeToString(sig)))))
}

func attackPlusOrder(m *maker) {
	if m.t.Key.Algorithm != "EdDSA" {
		return
	}
	h, c := m.header(), m.claims()
	sig := m.t.Key.signature(strings.TrimSuffix(unsigned(h, c, ""), "."))
	m.bad("S and the group order", unsigned(h, c, b64.EncodeToString(plusOrder(sig))))
}

func attackWeakSecrets(m *maker) {
	for _, secret := range []string{
		"", "\x00", "secret", "password", "changeme", "your-256-bit-secret", "your-secret-key", "a-string-secret-at-least-256-bits-long",
		"sallyport", "null", "undefined", "None", "key", "123456", strings.Repeat("\x00", 32),
	} {
		h := m.header().with("alg", `"HS256"`)
		m.bad(fmt.Sprintf("HS256 with %q", secret), hmacOf("HS256", []byte(secret), h.String(), m.claims().String()))
	}
	h := m.header().with("alg", `"HS256"`).without("kid")
	m.bad("HS256 with an empty secret, no kid", hmacOf("HS256", nil, h.String(), m.claims().String()))
}

func attackTwoFaults(m *maker) {
	old := m.claims().with("iat", m.at(-2*time.Hour)).with("exp", m.at(-time.Hour))
	m.bad("expired, signature of another", unsigned(m.header(), old, signatureOf(m.sign(m.header(), m.claims()))))
	m.bad("expired, no signature", unsigned(m.header(), old, ""))
	m.bad("expired, alg none", unsigned(m.header().with("alg", `"none"`), old, ""))
}
