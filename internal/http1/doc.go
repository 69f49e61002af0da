// Package http1 speaks the strict part of HTTP/1.1 (RFC 9112) to upstreams. What
// can be read in two ways it never guesses: such an answer is refused. It knows
// nothing of tokens, routes or policies. Start at Transport.RoundTrip.
package http1
