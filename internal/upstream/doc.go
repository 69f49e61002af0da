// Package upstream is the relying party: it lets people sign in at other OpenID
// providers, and at GitHub, which is none. It decides whether an answer is the one
// that this browser has asked for, and who the provider says that somebody is:
// issuer and subject, never an e-mail address. Whose account here that is, it
// refuses to know. Every fetch goes through outbound. Start at Service in
// service.go, then callback.go.
package upstream
