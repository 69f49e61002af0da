package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
)

// CertificateDigest is x5t#S256 of a certificate: the SHA-256 of its DER form
// (RFC 8705 §3.1).
func CertificateDigest(cert *x509.Certificate) [32]byte { return sha256.Sum256(cert.Raw) }

// ConfirmedBy reports whether c is bound to the key or certificate that has
// this digest under this method. What is bound to nothing is confirmed by
// nothing.
func (c Confirmation) ConfirmedBy(method ConfirmationMethod, digest [32]byte) bool {
	return method != ConfirmNone && c.Method == method && subtle.ConstantTimeCompare(c.Digest[:], digest[:]) == 1
}
