package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
)

// Algorithm is the alg of a JWS or of a key (RFC 7518 §3.1, §4.1, RFC 8037,
// RFC 9864).
type Algorithm string

// Algorithms of signatures. RS256 is for old counterparts alone.
const (
	ES256   Algorithm = "ES256"
	ES384   Algorithm = "ES384"
	ES512   Algorithm = "ES512"
	EdDSA   Algorithm = "EdDSA"
	Ed25519 Algorithm = "Ed25519" // EdDSA by its name of RFC 9864
	PS256   Algorithm = "PS256"
	PS384   Algorithm = "PS384"
	PS512   Algorithm = "PS512"
	RS256   Algorithm = "RS256"
	RS384   Algorithm = "RS384"
	RS512   Algorithm = "RS512"
	HS256   Algorithm = "HS256"
	HS384   Algorithm = "HS384"
	HS512   Algorithm = "HS512"
)

// Algorithms of key management in a JWE. A key may name one as its alg.
const (
	ECDHES      Algorithm = "ECDH-ES"
	ECDHESA128  Algorithm = "ECDH-ES+A128KW"
	ECDHESA192  Algorithm = "ECDH-ES+A192KW"
	ECDHESA256  Algorithm = "ECDH-ES+A256KW"
	RSAOAEP     Algorithm = "RSA-OAEP"
	RSAOAEP256  Algorithm = "RSA-OAEP-256"
	noAlgorithm Algorithm = ""
)

// family is what kind of key an algorithm works with.
type family uint8

const (
	familyEC family = iota + 1
	familyOKP
	familyRSA
	familySecret
)

// signature says how an algorithm verifies. To add one, add a line.
type signature struct {
	family family
	curve  elliptic.Curve // of familyEC: each algorithm has one
	hash   crypto.Hash
	verify func(k *Key, h crypto.Hash, input, sig []byte) bool
}

var signatures = map[Algorithm]signature{
	ES256:   {familyEC, elliptic.P256(), crypto.SHA256, verifyECDSA},
	ES384:   {familyEC, elliptic.P384(), crypto.SHA384, verifyECDSA},
	ES512:   {familyEC, elliptic.P521(), crypto.SHA512, verifyECDSA},
	EdDSA:   {familyOKP, nil, 0, verifyEd25519},
	Ed25519: {familyOKP, nil, 0, verifyEd25519},
	PS256:   {familyRSA, nil, crypto.SHA256, verifyPSS},
	PS384:   {familyRSA, nil, crypto.SHA384, verifyPSS},
	PS512:   {familyRSA, nil, crypto.SHA512, verifyPSS},
	RS256:   {familyRSA, nil, crypto.SHA256, verifyPKCS1},
	RS384:   {familyRSA, nil, crypto.SHA384, verifyPKCS1},
	RS512:   {familyRSA, nil, crypto.SHA512, verifyPKCS1},
	HS256:   {familySecret, nil, crypto.SHA256, verifyHMAC},
	HS384:   {familySecret, nil, crypto.SHA384, verifyHMAC},
	HS512:   {familySecret, nil, crypto.SHA512, verifyHMAC},
}

// encryptions says what kind of key each algorithm of key management needs.
var encryptions = map[Algorithm]family{
	ECDHES: familyEC, ECDHESA128: familyEC, ECDHESA192: familyEC, ECDHESA256: familyEC,
	RSAOAEP: familyRSA, RSAOAEP256: familyRSA,
}

func digest(h crypto.Hash, input []byte, room []byte) []byte {
	d := h.New()
	d.Write(input)
	return d.Sum(room)
}

// verifyECDSA takes r‖s, each of the length of the curve's order (RFC 7518
// §3.4). Of each signature there are two forms, (r, s) and (r, n-s): nothing
// may be keyed on the bytes of a token.
func verifyECDSA(k *Key, h crypto.Hash, input, sig []byte) bool {
	key, ok := k.public.(*ecdsa.PublicKey)
	if !ok {
		return false
	}
	size := (key.Params().N.BitLen() + 7) / 8
	if len(sig) != 2*size {
		return false
	}
	var room [64]byte
	var der [144]byte
	return ecdsa.VerifyASN1(key, digest(h, input, room[:0]), appendECDSA(der[:0], sig[:size], sig[size:]))
}

// appendECDSA appends the ASN.1 form of a signature, which the standard library
// wants: SEQUENCE { INTEGER r, INTEGER s }.
func appendECDSA(dst, r, s []byte) []byte {
	r, s = minimal(r), minimal(s)
	n := 2 + len(r) + pad(r) + 2 + len(s) + pad(s)
	dst = append(dst, 0x30)
	if n >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(n)) //nolint:gosec // at most 2·(2+67)
	for _, v := range [...][]byte{r, s} {
		dst = append(dst, 0x02, byte(len(v)+pad(v))) //nolint:gosec // at most 67
		if pad(v) == 1 {
			dst = append(dst, 0)
		}
		dst = append(dst, v...)
	}
	return dst
}

// minimal drops leading zero bytes, but for the last.
func minimal(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// pad is 1 where a zero byte keeps an INTEGER from being negative.
func pad(b []byte) int { return int(b[0] >> 7) }

func verifyEd25519(k *Key, _ crypto.Hash, input, sig []byte) bool {
	key, ok := k.public.(ed25519.PublicKey)
	return ok && len(sig) == ed25519.SignatureSize && ed25519.Verify(key, input, sig)
}

// verifyPSS asks for a salt as long as the hash (RFC 7518 §3.5); Go's default
// takes any length.
func verifyPSS(k *Key, h crypto.Hash, input, sig []byte) bool {
	key, ok := k.public.(*rsa.PublicKey)
	var room [64]byte
	return ok && len(sig) == key.Size() &&
		rsa.VerifyPSS(key, h, digest(h, input, room[:0]), sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}) == nil
}

func verifyPKCS1(k *Key, h crypto.Hash, input, sig []byte) bool {
	key, ok := k.public.(*rsa.PublicKey)
	var room [64]byte
	return ok && len(sig) == key.Size() && rsa.VerifyPKCS1v15(key, h, digest(h, input, room[:0]), sig) == nil
}

func verifyHMAC(k *Key, h crypto.Hash, input, sig []byte) bool {
	key, ok := k.public.(secretKey)
	if !ok {
		return false
	}
	m := hmac.New(h.New, key)
	m.Write(input)
	var room [64]byte
	return hmac.Equal(sig, m.Sum(room[:0]))
}
