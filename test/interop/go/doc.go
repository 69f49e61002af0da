// Package interop walks through the issuer and the gateway with
// golang.org/x/oauth2 and github.com/coreos/go-oidc, unmodified and given only
// the issuer's address: if they complete, so does any Go program that uses them.
package interop
