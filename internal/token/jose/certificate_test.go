package jose_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"sallyport/internal/token/jose"
)

func certificate(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop"}, NotBefore: now, NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func certifiedSet(t *testing.T, key *ecdsa.PrivateKey, x5c string) []byte {
	t.Helper()
	jwk := string(keyOf("c1", jose.ES256, key.Public()).AppendJWK(nil))
	return fmt.Appendf(nil, `{"keys":[%s,"x5c":%s}]}`, jwk[:len(jwk)-1], x5c)
}

func TestCL10KeysAreFoundByTheirCertificate(t *testing.T) {
	key, other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := certificate(t, key)
	b64 := base64.StdEncoding.EncodeToString(der)
	digest := sha256.Sum256(der)
	for name, c := range map[string]struct {
		key   *ecdsa.PrivateKey
		x5c   string
		found bool
	}{
		"its own":              {key, `["` + b64 + `"]`, true},
		"its own, and a chain": {key, `["` + b64 + `","AAAA"]`, true},
		"of another key":       {other, `["` + b64 + `"]`, false},
		"second of a chain":    {key, `["AAAA","` + b64 + `"]`, false},
		"base64url":            {key, `["` + base64.URLEncoding.EncodeToString(der) + `=="]`, false},
		"no list":              {key, `"` + b64 + `"`, false},
		"empty":                {key, `[]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := jose.ParseKeySet(certifiedSet(t, c.key, c.x5c))
			if err != nil || len(set.Keys()) != 1 {
				t.Fatalf("the key itself does not count: %v", err)
			}
			_, err = set.Certified(context.Background(), digest)
			if (err == nil) != c.found || err != nil && !errors.Is(err, jose.ErrNoKey) {
				t.Errorf("found: %v, want %v", err, c.found)
			}
		})
	}
	if _, err := must(jose.NewKeySet(keyOf("k", jose.ES256, key.Public()))).Certified(context.Background(), [32]byte{}); !errors.Is(err, jose.ErrNoKey) {
		t.Error("a key without a certificate is found by the digest of nothing")
	}
}

// A certificate that is new at the address is found by one fetch more.
func TestCL10CertificatesAtAnAddressAreAskedForAnew(t *testing.T) {
	first, second := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := certificate(t, second)
	answer := certifiedSet(t, first, `["`+base64.StdEncoding.EncodeToString(certificate(t, first))+`"]`)
	at := now
	keys := must(jose.NewRemoteKeys(jose.RemoteOptions{
		URL: "https://shop.example.com/jwks.json", Now: func() time.Time { return at },
		Fetch: func(context.Context, string) ([]byte, error) { return answer, nil },
	}))
	if _, err := keys.Certified(context.Background(), sha256.Sum256(der)); !errors.Is(err, jose.ErrNoKey) {
		t.Fatalf("%v", err)
	}
	answer = certifiedSet(t, second, `["`+base64.StdEncoding.EncodeToString(der)+`"]`)
	at = at.Add(61 * time.Second)
	if _, err := keys.Certified(context.Background(), sha256.Sum256(der)); err != nil {
		t.Errorf("after the set has changed: %v", err)
	}
}

func TestCL20ARegisteredKeySetIsSound(t *testing.T) {
	good := string(keyOf("k1", jose.ES256, ecKey.Public()).AppendJWK(nil))
	for name, c := range map[string]struct {
		more string
		ok   bool
	}{
		"one key":               {"", true},
		"an unknown kind":       {`,{"kty":"OKP","crv":"X448","x":"AA"}`, true},
		"a weak key":            {`,{"kty":"RSA","n":"` + strings.Repeat("u", 171) + `","e":"AQAB"}`, false},
		"a point off its curve": {`,{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`, false},
		"one kid twice":         {"," + good, false},
		"a private member":      {`,{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AA"}`, false},
		"a secret key":          {`,{"kty":"oct","k":"` + strings.Repeat("A", 43) + `","alg":"HS256"}`, false},
		"no object":             {`,7`, false},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := jose.JudgeKeySet([]byte(`{"keys":[` + good + c.more + `]}`))
			if (err == nil) != c.ok || err == nil && len(set.Keys()) != 1 {
				t.Errorf("%v, want ok %v", err, c.ok)
			}
		})
	}
}
