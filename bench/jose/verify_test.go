//go:build unix

package jose_test

import (
	"errors"
	"fmt"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	gojwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxt "github.com/lestrrat-go/jwx/v3/jwt"

	"sallyport/internal/token/jose"
)

var errRefused = errors.New("refused")

// BenchmarkVerify: one signed JWT against one known key. Our target is 1.2 × of
// bare, which hashes and checks the signature and does nothing else.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256} {
		s := newSuite(alg)
		v := s.verifier()
		run(b, string(alg)+"/bare", func() error {
			if !s.bare(s.input, s.signature) {
				return errRefused
			}
			return nil
		})
		run(b, string(alg)+"/sallyport", func() error {
			_, err := v.Verify(b.Context(), s.token)
			return err
		})
		run(b, string(alg)+"/go-jose", func() error { return s.goJose() })
		run(b, string(alg)+"/golang-jwt", func() error { return s.golangJWT() })
		set := s.jwxSet()
		run(b, string(alg)+"/jwx", func() error {
			_, err := jwxt.Parse([]byte(s.token), jwxt.WithKeySet(set), jwxt.WithValidate(true), jwxt.WithIssuer(issuer), jwxt.WithAudience(audience))
			return err
		})
	}
}

func (s *suite) goJose() error {
	t, err := gojwt.ParseSigned(s.token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(s.algorithm)})
	if err != nil {
		return err
	}
	var c gojwt.Claims
	if err := t.Claims(s.private.Public(), &c); err != nil {
		return err
	}
	return c.Validate(gojwt.Expected{Issuer: issuer, AnyAudience: gojwt.Audience{audience}})
}

func (s *suite) golangJWT() error {
	_, err := jwt.Parse(s.token, func(*jwt.Token) (any, error) { return s.private.Public(), nil },
		jwt.WithValidMethods([]string{string(s.algorithm)}), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return err
}

func (s *suite) jwxSet() jwk.Set {
	key := must(jwk.Import(s.private.Public()))
	alg, ok := jwa.LookupSignatureAlgorithm(string(s.algorithm))
	if !ok {
		panic(fmt.Sprintf("jwx has no %s", s.algorithm))
	}
	for name, value := range map[string]any{jwk.KeyIDKey: keyID, jwk.AlgorithmKey: alg, jwk.KeyUsageKey: "sig"} {
		if err := key.Set(name, value); err != nil {
			panic(err)
		}
	}
	set := jwk.NewSet()
	if err := set.AddKey(key); err != nil {
		panic(err)
	}
	return set
}

// TestAllTakeTheSameToken: a benchmark of a refusal would measure nothing.
func TestAllTakeTheSameToken(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256} {
		s := newSuite(alg)
		bad := *s
		bad.token = s.token[:len(s.token)-10] + "AAAAAAAAAA"
		v := s.verifier()
		for name, verify := range map[string]func(*suite) error{
			"sallyport": func(s *suite) error { _, err := v.Verify(t.Context(), s.token); return err },
			"go-jose":   (*suite).goJose, "golang-jwt": (*suite).golangJWT,
			"jwx": func(s *suite) error {
				_, err := jwxt.Parse([]byte(s.token), jwxt.WithKeySet(s.jwxSet()), jwxt.WithValidate(true))
				return err
			},
		} {
			if err := verify(s); err != nil {
				t.Errorf("%s, %s: %v", alg, name, err)
			}
			if verify(&bad) == nil {
				t.Errorf("%s, %s: a token with another signature passes", alg, name)
			}
		}
	}
}
