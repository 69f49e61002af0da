// Package auth holds the issuer against clients of others that prove themselves
// by keys and certificates, as they are published: openid-client in Node, the
// Nimbus SDK in Java and Authlib in Python. test/setup.sh installs them.
package auth
