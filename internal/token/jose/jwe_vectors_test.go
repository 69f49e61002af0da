package jose

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// privateKey reads a private JWK as tests have them.
func privateKey(t testing.TB, jwk []byte) gojose.JSONWebKey {
	t.Helper()
	var k gojose.JSONWebKey
	if err := json.Unmarshal(jwk, &k); err != nil {
		t.Fatalf("read private key: %v", err)
	}
	return k
}

// openWith decrypts with one key, for whatever the header asks that the policy
// allows at all.
func openWith(key gojose.JSONWebKey, compact string) (string, error) {
	d, err := NewDecrypter(DecrypterOptions{
		Purpose: "vector", Encryptions: Encryptions,
		Keys: []DecryptionKey{{ID: key.KeyID, Algorithm: Algorithm(key.Algorithm), Private: key.Key}},
	})
	if err != nil {
		return "", err
	}
	h, parts, err := readJWE(compact)
	if err != nil {
		return "", err
	}
	return d.decrypt(compact, h, parts)
}

// The Wycheproof vectors that are valid by the file and refused by our policy,
// each with the reason. The set is exact: one more or one less fails.
var jwePolicy = []struct {
	why string
	ids []int
}{
	{"A256KW, A128KW, A192KW: a secret shared with a client is no key for us", []int{1, 23, 28, 29, 30, 31, 32, 69, 70, 134}},
	{"A128GCMKW, A192GCMKW, A256GCMKW: the same", []int{71, 72, 73, 74, 75, 133}},
	{"dir: the same, and the client would choose the content key", []int{132}},
	{"zip: the size of the content is not known before it is there", []int{135}},
	{"RSA1_5: a padding oracle by design (RFC 8725 §3.2)", []int{100, 101, 102, 103, 104, 105, 112, 128}},
	{"RSA-OAEP: rests on SHA-1; RSA-OAEP-256 is there", []int{82, 83, 84, 85, 86, 87, 129}},
	{"enc of 192 bits: nobody needs a third size", []int{53, 56, 77, 80, 89, 92}},
	{"ECDH-ES+A192KW: the same", []int{60, 61}},
}

func TestWycheproofJWE(t *testing.T) {
	t.Parallel()
	var file struct {
		NumberOfTests int
		TestGroups    []struct {
			Private json.RawMessage
			Tests   []struct {
				TcID                 int
				Comment, Result, Jwe string
				Pt                   string
			}
		}
	}
	vectors(t, "json_web_encryption_test.json", &file)
	var refused []int
	seen := 0
	for _, g := range file.TestGroups {
		key := privateKey(t, g.Private)
		for _, v := range g.Tests {
			seen++
			_, err := openWith(key, v.Jwe)
			switch {
			case v.Result == "valid" && err != nil:
				refused = append(refused, v.TcID)
			case v.Result != "valid" && err == nil:
				t.Errorf("%d (%s) is invalid and was opened", v.TcID, v.Comment)
			}
		}
	}
	var want []int
	for _, p := range jwePolicy {
		want = append(want, p.ids...)
	}
	slices.Sort(want)
	slices.Sort(refused)
	if !slices.Equal(refused, want) {
		t.Errorf("valid by the file and refused:\n got %v\nwant %v", refused, want)
	}
	if seen != 139 || seen != file.NumberOfTests {
		t.Errorf("%d vectors were tried, the file says %d, this test knows 139", seen, file.NumberOfTests)
	}
}

func TestExamplesOfTheRFCs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("testdata", "jwe_rfc.json"))
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct {
		Name, Refused, JWE, Plaintext string
		Key                           json.RawMessage
	}
	if err := json.Unmarshal(b, &examples); err != nil {
		t.Fatal(err)
	}
	if len(examples) < 4 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, x := range examples {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			key := privateKey(t, x.Key)
			if key.Algorithm == "" {
				key.Algorithm = string(RSAOAEP256)
			}
			got, err := openWith(key, x.JWE)
			if x.Refused == "" {
				if err != nil || got != x.Plaintext {
					t.Fatalf("got %q, %v, want %q", got, err, x.Plaintext)
				}
				return
			}
			if string(ReasonOf(err)) != x.Refused {
				t.Errorf("got %v, want the refusal %s", err, x.Refused)
			}
			// It is refused by policy alone: the bytes are those of the RFC.
			object, err := gojose.ParseEncryptedCompact(x.JWE, []gojose.KeyAlgorithm{"RSA-OAEP", "RSA1_5"}, []gojose.ContentEncryption{"A256GCM", "A128CBC-HS256"})
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := object.Decrypt(key.Key); err != nil || string(plain) != x.Plaintext {
				t.Errorf("the example itself: got %q, %v, want %q", plain, err, x.Plaintext)
			}
		})
	}
}

// RFC 7518 appendix C derives a key between Alice and Bob. What is encrypted
// with the derived key of the appendix opens with Bob's.
func TestKeyAgreementOfRFC7518AppendixC(t *testing.T) {
	t.Parallel()
	bob := privateKey(t, []byte(`{"kty":"EC","crv":"P-256","alg":"ECDH-ES","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
		"y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}`))
	const header = `{"alg":"ECDH-ES","enc":"A128GCM","apu":"QWxpY2U","apv":"Qm9i","epk":{"kty":"EC","crv":"P-256",` +
		`"x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}}`
	derived := []byte{86, 170, 141, 234, 248, 35, 109, 32, 92, 34, 40, 205, 113, 167, 16, 26}
	block, err := aes.NewCipher(derived)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	iv, protected := make([]byte, 12), b64([]byte(header))
	sealed := gcm.Seal(nil, iv, []byte("from Alice"), []byte(protected))
	n := len(sealed) - 16
	got, err := openWith(bob, protected+".."+b64(iv)+"."+b64(sealed[:n])+"."+b64(sealed[n:]))
	if err != nil || got != "from Alice" {
		t.Errorf("got %q, %v", got, err)
	}
}
