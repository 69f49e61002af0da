package jose

import (
	"errors"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
)

// Encrypter encrypts signed JWTs to one recipient. Safe for concurrent use.
type Encrypter struct{ encrypter gojose.Encrypter }

// NewEncrypter returns an Encrypter for a recipient's public key. An error says
// what is wrong with the key, alg or enc: alg must be one of KeyAlgorithms and
// fit the key, and the key must not be one for signatures.
func NewEncrypter(k *Key, alg Algorithm, enc Encryption) (*Encrypter, error) {
	switch {
	case !slices.Contains(KeyAlgorithms, alg):
		return nil, fmt.Errorf("jose: %q is not one of %v", alg, KeyAlgorithms)
	case !slices.Contains(Encryptions, enc):
		return nil, fmt.Errorf("jose: %q is not one of %v", enc, Encryptions)
	case k == nil || !k.Encrypts(alg):
		return nil, fmt.Errorf("jose: the key is not for %s", alg)
	}
	// The kid is the recipient's own name for the key; cty is needed where a JWT
	// is nested (RFC 7519 §5.2).
	options := (&gojose.EncrypterOptions{}).WithContentType("JWT")
	e, err := gojose.NewEncrypter(gojose.ContentEncryption(enc),
		gojose.Recipient{Algorithm: gojose.KeyAlgorithm(alg), Key: k.Public(), KeyID: k.ID}, options)
	if err != nil {
		return nil, fmt.Errorf("jose: encrypt to the key: %w", err)
	}
	return &Encrypter{e}, nil
}

// Encrypt returns the compact JWE around a signed JWT. It refuses what is not
// one: encryption says nothing of who wrote the content, so it never stands
// alone. An error is ours, not the recipient's.
func (e *Encrypter) Encrypt(signed string) (string, error) {
	if _, err := split(signed); err != nil {
		return "", errors.New("jose: only a signed JWT of at most 8 KiB may be encrypted")
	}
	object, err := e.encrypter.Encrypt([]byte(signed))
	if err != nil {
		return "", fmt.Errorf("jose: encrypt: %w", err)
	}
	compact, err := object.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("jose: encrypt: %w", err)
	}
	if len(compact) > MaxEncrypted {
		return "", errors.New("jose: encrypt: longer than 16 KiB")
	}
	return compact, nil
}
