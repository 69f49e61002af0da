package jose_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/token/jose"
)

func TestWhatIsEncryptedOpensForTheRecipient(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range jose.KeyAlgorithms {
		for _, enc := range jose.Encryptions {
			t.Run(string(alg)+" "+string(enc), func(t *testing.T) {
				t.Parallel()
				d := jose.DecryptionKey{ID: "mine", Algorithm: alg, Private: p521}
				public, err := jose.NewKey("mine", "", "enc", p521.Public())
				if alg == jose.RSAOAEP256 {
					d.Private = e.rsa
					public, err = jose.NewKey("mine", alg, "enc", e.rsa.Public())
				}
				if err != nil {
					t.Fatal(err)
				}
				encrypter, err := jose.NewEncrypter(public, alg, enc)
				if err != nil {
					t.Fatal(err)
				}
				compact, err := encrypter.Encrypt(e.good())
				if err != nil {
					t.Fatal(err)
				}
				decrypter, err := jose.NewDecrypter(jose.DecrypterOptions{
					Purpose: envelopePurpose, Keys: []jose.DecryptionKey{d}, Encryptions: []jose.Encryption{enc},
				})
				if err != nil {
					t.Fatal(err)
				}
				c, err := decrypter.Verify(context.Background(), compact, e.verifier)
				if err != nil || c.Subject != "u1" {
					t.Errorf("got %v, %v", c, err)
				}
			})
		}
	}
}

func TestOnlySignedTokensAreEncrypted(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	key, err := jose.NewKey("rsa", jose.RSAOAEP256, "enc", e.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	encrypter, err := jose.NewEncrypter(key, jose.RSAOAEP256, jose.A256GCM)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"claims": e.claims(""), "an unsigned JWT": b64text(`{"alg":"none"}`) + "." + b64text("{}") + ".",
		"another JWE": e.seal(nestedHeader, e.good()), "nothing": "", "too much": e.sign("x", `{"a":"`+strings.Repeat("a", 7000)+`"}`),
	} {
		if got, err := encrypter.Encrypt(text); err == nil {
			t.Errorf("%s was encrypted: %.40s", name, got)
		}
	}
}

func TestKeysThatAreNotForEncryption(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	forSignatures, err := jose.NewKey("s", jose.ES256, "sig", e.issuer.Public())
	if err != nil {
		t.Fatal(err)
	}
	forRSA, err := jose.NewKey("r", jose.RSAOAEP256, "enc", e.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		key  *jose.Key
		alg  jose.Algorithm
		enc  jose.Encryption
	}{
		{"no key", nil, jose.ECDHES, jose.A256GCM},
		{"KY01 a key for signatures", forSignatures, jose.ECDHES, jose.A256GCM},
		{"KY01 an RSA key for ECDH-ES", forRSA, jose.ECDHES, jose.A256GCM},
		{"KY05 RSA1_5", forRSA, "RSA1_5", jose.A256GCM},
		{"KY05 RSA-OAEP", forRSA, "RSA-OAEP", jose.A256GCM},
		{"KY05 dir", forRSA, "dir", jose.A256GCM},
		{"KY05 no enc", forRSA, jose.RSAOAEP256, ""},
		{"KY05 A192GCM", forRSA, jose.RSAOAEP256, "A192GCM"},
	} {
		if _, err := jose.NewEncrypter(c.key, c.alg, c.enc); err == nil {
			t.Errorf("%s: an encrypter was made", c.name)
		}
	}
}

func TestADecrypterIsForOnePurpose(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ec := jose.DecryptionKey{ID: "a", Algorithm: jose.ECDHES, Private: e.ec}
	gcm := []jose.Encryption{jose.A256GCM}
	for name, o := range map[string]jose.DecrypterOptions{
		"no purpose":          {Keys: []jose.DecryptionKey{ec}, Encryptions: gcm},
		"no keys":             {Purpose: "x", Encryptions: gcm},
		"no encryptions":      {Purpose: "x", Keys: []jose.DecryptionKey{ec}},
		"A192GCM":             {Purpose: "x", Keys: []jose.DecryptionKey{ec}, Encryptions: []jose.Encryption{"A192GCM"}},
		"two keys, one ID":    {Purpose: "x", Keys: []jose.DecryptionKey{ec, ec}, Encryptions: gcm},
		"two keys, no ID":     {Purpose: "x", Keys: []jose.DecryptionKey{ec, {Algorithm: jose.ECDHES, Private: e.issuer}}, Encryptions: gcm},
		"RSA of 1024 bits":    {Purpose: "x", Keys: []jose.DecryptionKey{{Algorithm: jose.RSAOAEP256, Private: small}}, Encryptions: gcm},
		"RSA1_5":              {Purpose: "x", Keys: []jose.DecryptionKey{{Algorithm: "RSA1_5", Private: e.rsa}}, Encryptions: gcm},
		"EC for RSA-OAEP-256": {Purpose: "x", Keys: []jose.DecryptionKey{{Algorithm: jose.RSAOAEP256, Private: e.ec}}, Encryptions: gcm},
		"a public key":        {Purpose: "x", Keys: []jose.DecryptionKey{{Algorithm: jose.ECDHES, Private: e.ec.Public()}}, Encryptions: gcm},
		"a secret":            {Purpose: "x", Keys: []jose.DecryptionKey{{Algorithm: jose.ECDHES, Private: make([]byte, 32)}}, Encryptions: gcm},
	} {
		if _, err := jose.NewDecrypter(o); err == nil {
			t.Errorf("%s: a decrypter was made", name)
		}
	}
	other, err := jose.NewDecrypter(jose.DecrypterOptions{Purpose: "something else", Keys: []jose.DecryptionKey{{ID: "ec", Algorithm: jose.ECDHES, Private: e.ec}}, Encryptions: gcm})
	if err != nil {
		t.Fatal(err)
	}
	sealed := e.seal(nestedHeader, e.good())
	for _, v := range []*jose.Verifier{nil, e.verifier} {
		if c, err := other.Verify(context.Background(), sealed, v); err == nil || errors.Is(err, jose.ErrInvalid) {
			t.Errorf("got %v, %v: want our own mistake", c, err)
		}
	}
}

// Whether padding, key or tag was wrong must show neither in the words nor in
// the time: an answer that tells is an oracle (RFC 7516 §11.5).
func TestJ121NoOracle(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	key, err := jose.NewKey("rsa", jose.RSAOAEP256, "enc", e.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]string{}
	for _, enc := range []jose.Encryption{jose.A256GCM, jose.A128CBCHS256} {
		encrypter, err := jose.NewEncrypter(key, jose.RSAOAEP256, enc)
		if err != nil {
			t.Fatal(err)
		}
		good, err := encrypter.Encrypt(e.good())
		if err != nil {
			t.Fatal(err)
		}
		for part, what := range map[int]string{1: "padding", 2: "IV", 3: "ciphertext", 4: "tag"} {
			parts := strings.Split(good, ".")
			raw, _ := base64.RawURLEncoding.DecodeString(parts[part])
			raw[len(raw)/2] ^= 1
			parts[part] = b64text(string(raw))
			forms[string(enc)+" "+what] = strings.Join(parts, ".")
		}
	}
	// The fastest of many tries, in turn, is what the machine's noise leaves
	// alone. A busy machine needs more of them; a difference that is real stays.
	words, times := "", map[string]time.Duration{}
	apart := true
	for round := 0; apart && round < 1000; round++ {
		for name, compact := range forms {
			from := time.Now()
			_, err := e.verify(compact)
			took := time.Since(from)
			if err == nil || words != "" && err.Error() != words {
				t.Fatalf("%s: got %v, want %s", name, err, words)
			}
			words = err.Error()
			if best, tried := times[name]; !tried || took < best {
				times[name] = took
			}
		}
		if round >= 40 {
			all := slices.Collect(maps.Values(times))
			apart = slices.Max(all) > 2*slices.Min(all)
		}
	}
	if apart {
		t.Errorf("the time tells what was wrong: %v", times)
	}
}

// FuzzJWE: whatever comes in, nothing panics, and only what the issuer signed
// for this purpose comes out.
func FuzzJWE(f *testing.F) {
	e := newEnvelopes(f)
	inner := e.good()
	f.Add(e.seal(nestedHeader, inner))
	f.Add(e.seal(nestedHeader+`,"zip":"DEF"`, inner))
	f.Add(e.seal(nestedHeader+`,"iss":"x"`, inner))
	f.Add(e.epk(`{"kty":"EC","crv":"P-256","x":"` + coordinate(1) + `","y":"` + coordinate(1) + `"}`))
	f.Add(e.sealRaw(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"rsa","cty":"JWT"}`, inner))
	f.Add("....")
	f.Add(inner)
	f.Fuzz(func(t *testing.T, compact string) {
		claims, err := e.verify(compact)
		switch {
		case err != nil && !errors.Is(err, jose.ErrInvalid):
			t.Errorf("an error that is no refusal: %v", err)
		case err == nil && claims.Issuer != "https://app.example":
			t.Errorf("passed with the claims %s", claims.JSON())
		}
	})
}
