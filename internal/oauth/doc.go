// Package oauth decides what is allowed: a file for each endpoint, grant type
// and client authentication of the authorization server. It speaks HTTP-shaped
// values (url.Values, header strings) but does no HTTP, and it names what it
// stores as transitions but does no SQL. Start at Service in service.go, then
// token.go and authorize.go.
package oauth
