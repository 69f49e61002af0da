// Package outbound is the only door to addresses that came from data: a
// client's jwks_uri, a webhook, an upstream's metadata. It decides which
// addresses may be asked (RFC 8725 §3.10, OWASP API7) and how much an answer
// may cost: it resolves a name once, judges every address, dials what it
// judged, and follows, unpacks and remembers nothing. What an answer means is
// its callers' business. Start at Client, then address.go.
package outbound
