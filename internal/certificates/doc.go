// Package certificates gets the certificates of the listeners from a certificate
// authority that speaks ACME (RFC 8555), keeps them in the store, sealed, and renews
// them. The protocol is golang.org/x/crypto/acme/autocert; here is where it keeps what
// it has, whom it asks by which TLS, and what operators hear of it.
package certificates
