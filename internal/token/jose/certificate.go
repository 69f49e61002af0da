package jose

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
)

// certificateDigest is the SHA-256 of the certificate that x5c begins with, if it
// is one of this very key (RFC 7517 §4.7); otherwise zero, and the key counts
// without it.
func certificateDigest(x5c string, public crypto.PublicKey) (digest [sha256.Size]byte) {
	der, err := base64.StdEncoding.Strict().DecodeString(x5c)
	if x5c == "" || err != nil {
		return digest
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return digest
	}
	own, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !own.Equal(cert.PublicKey) {
		return digest
	}
	return sha256.Sum256(cert.Raw)
}

// CertificateDigest is the SHA-256 of the certificate that the JWK has in x5c,
// x5t#S256 of RFC 8705 §3.1; false if it has none for this key.
func (k *Key) CertificateDigest() ([sha256.Size]byte, bool) {
	return k.certificate, k.certificate != [sha256.Size]byte{}
}

// Certified returns the key whose certificate has this digest; otherwise the
// error matches ErrNoKey.
func (s *KeySet) Certified(_ context.Context, digest [sha256.Size]byte) (*Key, error) {
	for _, k := range s.keys {
		if d, ok := k.CertificateDigest(); ok && subtle.ConstantTimeCompare(d[:], digest[:]) == 1 {
			return k, nil
		}
	}
	return nil, ErrNoKey
}

// Certified is that of KeySet over keys from afar: a certificate that is not
// there is asked for like a kid.
func (r *RemoteKeys) Certified(ctx context.Context, digest [sha256.Size]byte) (*Key, error) {
	set, err := r.Set(ctx)
	if err != nil {
		return nil, err
	}
	look := func(set *KeySet) (*Key, error) { return set.Certified(ctx, digest) }
	k, err := look(set)
	if !errors.Is(err, ErrNoKey) {
		return k, err
	}
	return r.unknown(ctx, "x5t#S256 "+string(digest[:]), look)
}

// JudgeKeySet is ParseKeySet for a set that is being registered: a weak or
// malformed key is an error there and not left out, while whoever wrote it can
// still mend it. Keys of kinds that are not known here may be in it.
func JudgeKeySet(jwks []byte) (*KeySet, error) {
	set, err := ParseKeySet(jwks)
	if err != nil {
		return nil, err
	}
	raw, err := keysMember(jwks)
	if err != nil {
		return nil, err
	}
	for _, jwk := range elements(raw) {
		m, err := readMembers(jwk)
		if err != nil {
			return nil, err
		}
		if _, err := m.key(); err != nil && !errors.Is(err, errUnknownKind) {
			return nil, err
		}
	}
	return set, nil
}
