package jose

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"
)

const (
	n7515 = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
	n7517 = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"

	payload7515 = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)

// The examples of the RFCs are known answers of the signature layer.
func TestRFCSignatures(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, jwk, jws string
		alg            Algorithm
	}{
		{
			"RFC 7515 A.1, RFC 7519 3.1", `{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`,
			"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload7515 + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", HS256,
		},
		{
			"RFC 7515 A.2", `{"kty":"RSA","n":"` + n7515 + `","e":"AQAB"}`,
			"eyJhbGciOiJSUzI1NiJ9." + payload7515 + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw", RS256,
		},
		{
			"RFC 7515 A.3", `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			"eyJhbGciOiJFUzI1NiJ9." + payload7515 + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", ES256,
		},
		{
			"RFC 7515 A.4", `{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}`,
			"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn", ES512,
		},
		{
			"RFC 8037 A.4", `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", EdDSA,
		},
	} {
		m, err := readMembers(tc.jwk)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		k, err := m.key()
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		set, err := NewKeySet(k)
		if err != nil {
			t.Fatal(err)
		}
		s, err := split(tc.jws)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if _, err := s.verify(context.Background(), set, []Algorithm{tc.alg}); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		s.input[len(s.input)-1] ^= 1
		if _, err := s.verify(context.Background(), set, []Algorithm{tc.alg}); err == nil {
			t.Errorf("%s: accepted with another payload", tc.name)
		}
	}
}

// RFC 7515 A.5 is a JWS without a signature and A.6 one in JSON: neither is ours.
func TestRFCExamplesThatWeRefuse(t *testing.T) {
	t.Parallel()
	for name, jws := range map[string]string{
		"J001 RFC 7515 A.5": "eyJhbGciOiJub25lIn0." + payload7515 + ".",
		"J052 RFC 7515 A.7": `{"payload":"` + payload7515 + `","protected":"eyJhbGciOiJFUzI1NiJ9","signature":"AA"}`,
		// RFC 7797 §4.2: an unencoded payload, detached.
		"J055 RFC 7797": "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
	} {
		if _, err := split(jws); err == nil {
			t.Errorf("%s is taken apart", name)
		}
	}
}

func TestRFC7638Thumbprints(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ jwk, want string }{
		"RFC 7638 3.1": {`{"kty":"RSA","n":"` + n7517 + `","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"RFC 8037 A.3": {`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		"RFC 9449 6.1": {`{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}`, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
	} {
		k, err := ParseKey([]byte(tc.jwk))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sum := k.Thumbprint()
		if got := base64.RawURLEncoding.EncodeToString(sum[:]); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// RFC 7517 A.1 is a set of one key to encrypt and one to verify.
func TestRFC7517KeySet(t *testing.T) {
	t.Parallel()
	set, err := ParseKeySet(fmt.Appendf(nil, `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},{"kty":"RSA","n":%q,"e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}`, n7517))
	if err != nil || len(set.Keys()) != 2 {
		t.Fatalf("%d keys, %v", len(set.Keys()), err)
	}
	if k, err := set.Key(context.Background(), "2011-04-29", RS256); err != nil || k.Algorithm != RS256 {
		t.Errorf("RSA key: %v, %v", k, err)
	}
	if k, err := set.Key(context.Background(), "1", ECDHES); err != nil || !k.Encrypts(ECDHES) || k.verifies(ES256, nil) {
		t.Errorf("EC key: %v, %v", k, err)
	}
	for _, k := range set.Keys() {
		if again, err := ParseKey(k.AppendJWK(nil)); err != nil || again.Thumbprint() != k.Thumbprint() {
			t.Errorf("%s does not come back: %v", k.ID, err)
		}
	}
}
