package jose

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
)

// KeyAlgorithms are those that a JWE may have as "alg" (RFC 7518 §4.1). Only
// asymmetric ones: dir, every symmetric wrap and PBES2 are refused whatever keys
// there are, and so are RSA1_5, RSA-OAEP with SHA-1 and 192-bit keys, which
// nobody needs.
var KeyAlgorithms = []Algorithm{ECDHES, ECDHESA128, ECDHESA256, RSAOAEP256}

// Encryption is how a JWE's content is encrypted: its "enc" (RFC 7518 §5.1).
type Encryption string

// The content encryptions.
const (
	A128GCM      Encryption = "A128GCM"
	A256GCM      Encryption = "A256GCM"
	A128CBCHS256 Encryption = "A128CBC-HS256"
	A256CBCHS512 Encryption = "A256CBC-HS512"
)

// Encryptions lists them, as metadata does.
var Encryptions = []Encryption{A128GCM, A256GCM, A128CBCHS256, A256CBCHS512}

// MaxEncrypted is the longest JWE that is read, in bytes.
const MaxEncrypted = 16 << 10

// encryptionSizes are the lengths in bytes that enc fixes: of the content
// encryption key, the IV and the tag (RFC 7518 §5.2, §5.3). A shorter tag is
// easier to guess, so nothing but these is looked at.
var encryptionSizes = map[Encryption]struct{ key, iv, tag int }{
	A128GCM:      {16, 12, 16},
	A256GCM:      {32, 12, 16},
	A128CBCHS256: {32, 16, 16},
	A256CBCHS512: {64, 16, 32},
}

// DecryptionKey is a private key for one key algorithm.
type DecryptionKey struct {
	ID        string            // kid; may be empty for the only key
	Algorithm Algorithm         // the one that the key is for
	Private   crypto.PrivateKey // *ecdsa.PrivateKey on P-256, P-384 or P-521, or *rsa.PrivateKey of 2048 bits and more
}

// DecrypterOptions configure a Decrypter. All fields are needed.
type DecrypterOptions struct {
	Purpose     string // for errors: "request object"
	Keys        []DecryptionKey
	Encryptions []Encryption
}

// Decrypter opens JWEs around signed JWTs, for one purpose. What decrypts is
// not authentic yet: anybody has the public key. So there is no way to the
// content but Verify. Safe for concurrent use.
type Decrypter struct {
	purpose     string
	keys        []DecryptionKey
	algorithms  []gojose.KeyAlgorithm
	encryptions []gojose.ContentEncryption
}

// NewDecrypter returns a Decrypter, or an error that says which option is
// wrong.
func NewDecrypter(o DecrypterOptions) (*Decrypter, error) {
	if o.Purpose == "" || len(o.Keys) == 0 || len(o.Encryptions) == 0 {
		return nil, errors.New("jose: a decrypter needs a purpose, keys and encryptions")
	}
	d := &Decrypter{purpose: o.Purpose, keys: slices.Clone(o.Keys)}
	seen := map[string]bool{}
	for i, k := range o.Keys {
		if seen[k.ID] || k.ID == "" && len(o.Keys) > 1 {
			return nil, fmt.Errorf("jose: %s: key %d needs an ID of its own", o.Purpose, i)
		}
		seen[k.ID] = true
		if err := o.Keys[i].judge(); err != nil {
			return nil, fmt.Errorf("jose: %s: key %d: %w", o.Purpose, i, err)
		}
		d.algorithms = append(d.algorithms, gojose.KeyAlgorithm(k.Algorithm))
	}
	for _, e := range o.Encryptions {
		if !slices.Contains(Encryptions, e) {
			return nil, fmt.Errorf("jose: %s: %q is not an encryption of the profile", o.Purpose, e)
		}
		d.encryptions = append(d.encryptions, gojose.ContentEncryption(e))
	}
	return d, nil
}

// judge holds a private key against its algorithm.
func (k *DecryptionKey) judge() error {
	if !slices.Contains(KeyAlgorithms, k.Algorithm) {
		return fmt.Errorf("%q is not an algorithm of the profile", k.Algorithm)
	}
	private, ok := k.Private.(interface{ Public() crypto.PublicKey })
	if !ok {
		return fmt.Errorf("keys of type %T cannot decrypt", k.Private)
	}
	if r, ok := k.Private.(*rsa.PrivateKey); ok {
		if err := r.Validate(); err != nil {
			return fmt.Errorf("RSA key: %w", err)
		}
	}
	_, err := NewKey(k.ID, k.Algorithm, "enc", private.Public())
	return err
}

// Verify decrypts compact, which must be a compact JWE with cty "JWT" around
// exactly one compact JWS, and verifies that with v. Claims that the header
// repeats must be those of the signed token (RFC 7519 §5.3). Every refusal is
// an ErrInvalid: that something decrypted and was then found wanting cannot be
// told from outside.
func (d *Decrypter) Verify(ctx context.Context, compact string, v *Verifier) (*Claims, error) {
	if v == nil || v.p.Purpose != d.purpose {
		return nil, errors.New("jose: what was decrypted as a " + d.purpose + " must be verified as one")
	}
	h, parts, err := readJWE(compact)
	if err != nil {
		return nil, err
	}
	if !h.nests() {
		return nil, refuse(ReasonNested)
	}
	plain, err := d.decrypt(compact, h, parts)
	if err != nil {
		return nil, err
	}
	// Only a signed token may be in it, and only one: five parts would be the
	// next envelope, anything else was signed by nobody.
	if strings.Count(plain, ".") != 2 {
		return nil, refuse(ReasonNested)
	}
	claims, err := v.Verify(ctx, plain)
	if err != nil {
		return nil, err
	}
	if !h.repeats(claims) {
		return nil, refuse(ReasonReplicated)
	}
	return claims, nil
}

// readJWE takes a compact JWE apart (RFC 7516 §7.1).
func readJWE(compact string) (*jweHeader, [5][]byte, error) {
	parts, err := splitJWE(compact)
	if err != nil {
		return nil, parts, err
	}
	h, err := readJWEHeader(parts[0])
	return h, parts, err
}

// decrypt returns what is in a JWE, which is nobody's word yet.
func (d *Decrypter) decrypt(compact string, h *jweHeader, parts [5][]byte) (string, error) {
	key, err := d.key(h)
	if err != nil {
		return "", err
	}
	if err := h.fits(key, parts); err != nil {
		return "", err
	}
	object, err := gojose.ParseEncryptedCompact(compact, d.algorithms, d.encryptions)
	if err != nil {
		return "", refuse(ReasonDecrypt)
	}
	// A wrong key, padding or tag: one word for all of them.
	plain, err := object.Decrypt(key.Private)
	if err != nil {
		return "", refuse(ReasonDecrypt)
	}
	return string(plain), nil
}

// key finds the one key that h may be for. Keys are never tried in turn: AES-GCM
// does not commit to its key, so one ciphertext can be made to open under two.
func (d *Decrypter) key(h *jweHeader) (*DecryptionKey, error) {
	for i := range d.keys {
		k := &d.keys[i]
		if h.kid != k.ID && (h.hasKid || len(d.keys) > 1) {
			continue
		}
		switch {
		case h.alg != k.Algorithm:
			return nil, refuse(ReasonAlgorithm)
		case !slices.Contains(d.encryptions, gojose.ContentEncryption(h.enc)):
			return nil, refuse(ReasonAlgorithm)
		}
		return k, nil
	}
	return nil, refuse(ReasonKeyID)
}
