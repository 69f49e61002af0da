// Package egress calls the APIs of others for apps, with keys that no app
// holds. A Connector decides what may be asked (scheme, host, port, templates of
// paths, names of parameters), adds the credential last of all, counts what each
// person has used, and takes the answer for what a stranger says: bounded,
// typed, and searched for the credential before anybody sees a byte of it. Who
// calls, and whether the token allows it, is the gateway's business. Start at
// Connector, then roundtrip.go.
package egress
