// Package http1 speaks the strict part of HTTP/1.1 (RFC 9112), on both sides of
// the gateway: Transport sends requests to upstreams, Front answers clients.
// What can be read in two ways it never guesses: an answer is refused, and a
// request is handed, byte for byte, to the server of net/http, which has the
// last word. It knows nothing of tokens, routes or policies. Start at
// Transport.RoundTrip and at Front.Serve.
package http1
