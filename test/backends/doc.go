// Package backends holds the examples of backends, in each language, against
// the attack list: every one runs as it is published, as a process of its own that
// reads its keys over TLS and is asked over HTTP. It also measures what the
// libraries do by themselves, which docs/guide/backend.md tells; and it lets a
// real inner token reach each example through the gateway.
package backends
