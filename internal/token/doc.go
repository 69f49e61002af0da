// Package token makes and opens what travels: sealed access tokens, signed
// JWTs and key sets, and holds the keys for them. It decides form and
// cryptography; whether a token may be issued or used is decided by its
// callers. It does no network, HTTP or SQL. Start at Ring, then access.go.
package token
