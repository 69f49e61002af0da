//go:build unix

package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	gojwt "github.com/go-jose/go-jose/v4/jwt"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// BenchmarkSealed: opening and making the opaque access token.
func BenchmarkSealed(b *testing.B) {
	ring, now := newRing(), time.Now()
	a := token.Access{
		GrantID: secret.NewID(now), Serial: secret.NewID(now), ClientID: "shop-app", Subject: "01ja7c3w9k2m4n6p8r0s2t4v6x", Audience: audience,
		Scope: "openid catalog.read", IssuedAt: now.Unix(), Lifetime: 600, AuthTime: now.Unix(), ACR: token.ACRPassword, AMR: "pwd", Tier: token.TierStandard,
	}
	sealed := must(ring.SealAccess(&a)).Reveal()
	run(b, "open", func() error {
		var got token.Access
		return ring.OpenAccess(sealed, &got)
	})
	run(b, "seal", func() error {
		_, err := ring.SealAccess(&a)
		return err
	})
}

// BenchmarkDPoP: a proof at the gateway, all checks of RFC 9449 §4.3 but that
// for replay, which is measured by itself because a proof passes it once.
func BenchmarkDPoP(b *testing.B) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	signer := must(gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.ES256, Key: key}, (&gojose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")))
	access := secret.NewHandle(secret.AccessToken)
	ath := sha256.Sum256([]byte(access.Reveal()))
	const target = "https://api.example.com/catalog/items/1"
	proof := must(must(signer.Sign(must(json.Marshal(map[string]any{
		"jti": "01ja7c3w9k2m4n6p8r0s2t4v6x", "htm": "GET", "htu": target, "iat": time.Now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(ath[:]),
	})))).CompactSerialize())
	// The clock stands, because the proof would be too old after a minute.
	start := time.Now()
	stands := func() time.Time { return start }
	table := token.NewReplayTable(0, time.Now)
	proofs := must(token.NewProofs(token.ProofOptions{Ring: newRing(), Replay: table, Now: stands}))
	r := token.ProofRequest{Lines: []string{proof}, Method: "GET", URL: target, Token: access, NonceFor: token.NonceGateway}
	run(b, "ES256/sallyport", func() error {
		_, err := proofs.Check(b.Context(), r)
		return err
	})
	run(b, "ES256/go-jose", func() error { // as the examples do: parse, take the key, read the claims
		t, err := gojwt.ParseSigned(proof, []gojose.SignatureAlgorithm{gojose.ES256})
		if err != nil {
			return err
		}
		var c struct{ HTM, HTU, ATH string }
		return t.Claims(t.Headers[0].JSONWebKey, &c)
	})
	at := strings.LastIndexByte(proof, '.')
	signature := must(base64.RawURLEncoding.DecodeString(proof[at+1:]))
	run(b, "ES256/bare", func() error {
		digest := sha256.Sum256([]byte(proof[:at]))
		if !ecdsa.Verify(&key.PublicKey, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			return errRefused
		}
		return nil
	})
	run(b, "replay", func() error {
		if fresh, err := table.Spend(b.Context(), [32]byte(secret.Random(32)), time.Now().Add(time.Second)); err != nil || !fresh {
			return errRefused
		}
		return nil
	})
}

// BenchmarkJWE: a signed JWT inside, decrypted and verified.
func BenchmarkJWE(b *testing.B) {
	s := newSuite(jose.ES256)
	v := s.verifier()
	for _, tc := range []struct {
		alg jose.Algorithm
		key interface{ Public() crypto.PublicKey }
	}{
		{jose.ECDHES, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))},
		{jose.RSAOAEP256, must(rsa.GenerateKey(rand.Reader, 2048))},
	} {
		public := must(jose.NewKey("enc-1", tc.alg, "enc", tc.key.Public()))
		jwe := must(must(jose.NewEncrypter(public, tc.alg, jose.A256GCM)).Encrypt(s.token))
		d := must(jose.NewDecrypter(jose.DecrypterOptions{
			Purpose: "access token", Keys: []jose.DecryptionKey{{ID: "enc-1", Algorithm: tc.alg, Private: tc.key}}, Encryptions: []jose.Encryption{jose.A256GCM},
		}))
		run(b, string(tc.alg)+"/sallyport", func() error {
			_, err := d.Verify(b.Context(), jwe, v)
			return err
		})
		run(b, string(tc.alg)+"/go-jose", func() error {
			t, err := gojose.ParseEncryptedCompact(jwe, []gojose.KeyAlgorithm{gojose.KeyAlgorithm(tc.alg)}, []gojose.ContentEncryption{gojose.A256GCM})
			if err != nil {
				return err
			}
			plain, err := t.Decrypt(tc.key)
			if err != nil {
				return err
			}
			inner, err := gojwt.ParseSigned(string(plain), []gojose.SignatureAlgorithm{gojose.ES256})
			if err != nil {
				return err
			}
			var c gojwt.Claims
			if err := inner.Claims(s.private.Public(), &c); err != nil {
				return err
			}
			return c.Validate(gojwt.Expected{Issuer: issuer, AnyAudience: gojwt.Audience{audience}})
		})
	}
}
