// Package passkey speaks WebAuthn (Web Authentication Level 3) for the issuer: it
// writes what a browser is to be asked for, and checks what comes back. It decides
// on nothing that needs to be remembered: challenges, owners and counters are
// account's. It is the only package that knows the WebAuthn library, which
// decodes CBOR and COSE and verifies signatures; every rule is checked here as
// well, so that each has a reason of its own and none rests on a default of the
// library. Start at Party in party.go.
package passkey
