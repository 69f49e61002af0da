// Package jose reads the JOSE objects that strangers send, by one strict
// profile: a JWS or JWE is taken apart once, by exact names and canonical
// encodings, and is verified for one purpose, against algorithms and keys that
// the purpose chose and the object did not (RFC 8725). It does no network;
// what a token may be used for is its callers' business. Start at Profile.
package jose
