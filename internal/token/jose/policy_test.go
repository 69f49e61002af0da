package jose_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/internal/token/jose"
)

// What rests on a broken hash or curve is in no table: a purpose cannot ask for
// it, and a key of it is not read.
func TestKY02OnlySoundAlgorithms(t *testing.T) {
	t.Parallel()
	need := func(alg jose.Algorithm) error {
		_, err := jose.NewVerifier(jose.Profile{
			Purpose: "access token", Types: []string{"at+jwt"}, Algorithms: []jose.Algorithm{alg}, Keys: setOf(),
			Issuer: jose.Exactly(issuer), Audience: jose.Exactly(audience), MaxLife: time.Minute, Now: clock,
		})
		return err
	}
	for _, alg := range []jose.Algorithm{jose.ES256, jose.EdDSA, jose.Ed25519, jose.PS256, jose.RS256} {
		if err := need(alg); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	for _, alg := range []jose.Algorithm{"", "none", "ES256K", "ES192", "ES224", "ES1", "RS1", "HS1", "PS1", "Ed448", "RSA1_5", "RSA-OAEP", "es256"} {
		if need(alg) == nil {
			t.Errorf("%q can be asked for", alg)
		}
	}
	jwk := string(keyOf("k", jose.ES256, &ecKey.PublicKey).AppendJWK(nil))
	if _, err := jose.ParseKey([]byte(jwk)); err != nil {
		t.Fatalf("the pair: %v", err)
	}
	for _, curve := range []string{"P-192", "P-224", "secp256k1", "P-256K", "brainpoolP256r1", "p-256", ""} {
		other := strings.Replace(strings.Replace(jwk, `"P-256"`, `"`+curve+`"`, 1), `"alg":"ES256",`, "", 1)
		if _, err := jose.ParseKey([]byte(other)); !errors.Is(err, jose.ErrKey) {
			t.Errorf("a key on %q: %v", curve, err)
		}
	}
}

// A key whose owner lists what it is for is used for that alone (RFC 7517 §4.3).
func TestKY01J037KeyOperationsOfRecipients(t *testing.T) {
	t.Parallel()
	base := strings.TrimSuffix(string(must(jose.NewKey("k", "", "", &ecKey.PublicKey)).AppendJWK(nil)), "}")
	for more, want := range map[string]bool{
		"":                                    true,
		`,"key_ops":["deriveKey"]`:            true,
		`,"key_ops":["deriveBits"]`:           true,
		`,"key_ops":["wrapKey"]`:              true,
		`,"key_ops":["encrypt"]`:              true,
		`,"key_ops":["decrypt","deriveKey"]`:  true,
		`,"key_ops":["verify"]`:               false,
		`,"key_ops":["sign","verify"]`:        false,
		`,"key_ops":["decrypt"]`:              false,
		`,"key_ops":[]`:                       false,
		`,"use":"sig"`:                        false,
		`,"use":"enc"`:                        true,
		`,"use":"enc","alg":"ECDH-ES+A256KW"`: false,
		`,"use":"enc","alg":"ECDH-ES"`:        true,
	} {
		k, err := jose.ParseKey([]byte(base + more + "}"))
		if err != nil {
			t.Errorf("%s: %v", more, err)
			continue
		}
		_, err = jose.NewEncrypter(k, jose.ECDHES, jose.A256GCM)
		if k.Encrypts(jose.ECDHES) != want || (err == nil) != want {
			t.Errorf("%s: Encrypts = %t, encrypter %v; want %t", more, k.Encrypts(jose.ECDHES), err, want)
		}
	}
}

// Nobody has signed the header of a JWE: each claim that it repeats must be that
// of the signed token (RFC 7519 §5.3).
func TestJ068ClaimsInTheHeaderOfAJWE(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	at := time.Now().Unix()
	signed := map[string]string{
		"iss": `"https://app.example"`, "sub": `"u1"`, "aud": `"https://auth.example"`, "jti": `"t1"`, "client_id": `"shop"`,
		"exp": fmt.Sprint(at + 60), "nbf": fmt.Sprint(at - 5), "iat": fmt.Sprint(at),
	}
	other := map[string]string{
		"iss": `"https://evil.example"`, "sub": `"u2"`, "aud": `"https://evil.example"`, "jti": `"t2"`, "client_id": `"evil"`,
		"exp": fmt.Sprint(at + 61), "nbf": fmt.Sprint(at - 6), "iat": fmt.Sprint(at + 1),
	}
	token := func(leave string) string {
		var members []string
		for name, value := range signed {
			if name != leave {
				members = append(members, `"`+name+`":`+value)
			}
		}
		return e.sign("test+jwt", "{"+strings.Join(members, ",")+"}")
	}
	whole := token("")
	for name, value := range signed {
		head := func(value string) string { return nestedHeader + `,"` + name + `":` + value }
		if _, err := e.verify(e.seal(head(value), whole)); err != nil {
			t.Errorf("J068 the pair, %s as in the token: %v", name, err)
		}
		for what, bad := range map[string]string{"another": other[name], "null": "null", "a list": "[" + value + "]", "an empty text": `""`} {
			t.Run("J068 "+name+" is "+what, func(t *testing.T) {
				e.refused(t, e.seal(head(bad), whole), jose.ReasonReplicated)
			})
		}
	}
	for _, name := range []string{"nbf", "jti", "client_id", "sub"} {
		t.Run("J068 "+name+" in the header alone", func(t *testing.T) {
			e.refused(t, e.seal(nestedHeader+`,"`+name+`":`+signed[name], token(name)), jose.ReasonReplicated)
		})
	}
}
